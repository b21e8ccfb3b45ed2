import pytest
from pydantic import ValidationError

from tests.alexnet_tf.small_training import alexnet, alexnet_bn


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filters": [8, 15, 16, 16, 16]}, "divisible by towers = 2"),
        ({"filters": [8, 16, 16, 16]}, "at least 5 items"),
        ({"lrn_size": 4}, "lrn_size must be odd"),
        ({"weight_stddev": [0.0] * 8}, "every weight_stddev must be positive"),
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
