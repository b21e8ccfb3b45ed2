import pytest
from pydantic import ValidationError

import alexnet_tf as an
from tests.alexnet_tf.small_training import alexnet, alexnet_bn


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filters": [8, 15, 16, 16, 16]}, "divisible by towers = 2"),
        ({"filters": [8, 16, 16, 16]}, "at least 5 items"),
        ({"lrn_size": 4}, "lrn_size must be odd"),
        ({"weight_stddev": [0.0] * 8}, "greater than 0"),
        ({"dropuot": 0.5}, "Extra inputs are not permitted"),
        ({"lrn_alpha": "1e-4"}, "valid number"),
        ({"dropout": 1.0}, "less than 1"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        alexnet(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv1": "whitening", "filters": [5, 8, 8, 8, 8]}, "even number of filters, at most 54"),
        ({"conv1": "whitening", "filters": [26, 8, 8, 8, 8], "kernel_sizes": [2, 3, 3, 3, 3]}, "at most 24"),
        ({"initialization": "identity", "kernel_sizes": [3, 3, 2, 3, 3]}, "needs odd kernel_sizes after conv1"),
        ({"pools": [1, 2, 0, 1, 2]}, "greater than 0"),
    ],
)
def test_a_description_of_the_optimized_network_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        alexnet_bn(**changes)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: an.alexnet_spec(dropou=0.3), r"AlexNetSpec has no field dropou; did you mean dropout\?"),
        (lambda: an.FourLayerSpec(zzzz=1), "FourLayerSpec has no field zzzz; expected one of name, filters, .*"),
        (lambda: an.AlexNetSpec(dropout=1.0), "AlexNetSpec: dropout: expected less than 1, got 1.0"),
        (lambda: an.AlexNetSpec(filters=[8] * 4), r"AlexNetSpec: filters: expected a list of 5, got \[8, 8, 8, 8\]"),
        (lambda: an.AlexNetSpec(filters=[8] * 6), "AlexNetSpec: filters: expected a list of 5, got .*"),
        (lambda: an.AlexNetBNSpec(pools=[1, 2, 0, 1, 2]), r"AlexNetBNSpec: pools\[2\]: expected greater than 0, got 0"),
        (lambda: an.AlexNetSpec(lrn_size=4), "AlexNetSpec: lrn_size must be odd, got 4"),
        (lambda: an.AlexNetSpec(activation="gelu"), "AlexNetSpec: activation: expected 'relu' or 'tanh', got 'gelu'"),
    ],
)
def test_a_user_is_told_in_one_sentence(make, sentence):
    with pytest.raises(an.ConfigError, match=f"^{sentence}$"):
        make()


def test_lists_may_be_tuples():
    assert an.AlexNetSpec(filters=(8, 16, 16, 16, 16), dense_units=(4, 4)).filters == [8, 16, 16, 16, 16]
    assert an.FourLayerSpec(filters=(8, 8)) == an.FourLayerSpec(filters=[8, 8])
    assert an.AlexNetBNSpec(pools=(2, 2, 1, 1, 2)) == an.AlexNetBNSpec()
