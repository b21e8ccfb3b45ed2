"""Figure 1 from kept results: epochs by hand, the ratio over seeds, what is no ratio."""

import pytest
from made_results import made, write

from alexnet_tf.errors import DataError
from pipeline.pages.result_tables import rendered
from pipeline.results.figure1 import epochs_to, plot, ratio
from pipeline.results.groups import grouped


def result(activation, errors, seed=1, changes=None, **params):
    """A result of the variant of that name, with its training errors by epoch."""
    curves = [{"step": step, "values": {"train/top1_error": error}} for step, error in enumerate(errors, start=1)]
    named = {"network.activation": activation, "training.epochs": str(len(errors)), "download.source": "tfds:cifar10"}
    rate = {"training.optimizer.learning_rate": "0.01"}
    found = made("relu_tanh", activation, seed, changes=changes, **(named | rate | params))
    found.row["standing"][0]["remake"] = {"curves": curves}
    return found


@pytest.mark.parametrize(
    ("errors", "epochs"),
    [
        ([0.5, 0.25], 1.5),  # the mean of epoch 2 stands at its middle
        ([0.5, 0.2], 0.5 + 0.25 / 0.3),
        ([0.5, 0.3, 0.1, 0.4], 1.5 + 0.05 / 0.2),
        ([0.2, 0.1], 0.5),
        ([0.5, 0.26], None),
        ([], None),
    ],
)
def test_epochs_to_a_quarter_by_hand(errors, epochs):
    assert epochs_to(errors) == (None if epochs is None else pytest.approx(epochs))


def test_the_ratio_is_that_of_the_same_seeds_by_hand():
    # ReLU after 1 and 1.5 epochs, tanh after 4 and 4.5: 4 and 3 times; a third seed of ReLU has no partner.
    runs = [
        result("relu", [0.5, 0.0], seed=1),
        result("relu", [0.5, 0.25], seed=2),
        result("relu", [0.9, 0.8], seed=3),
        result("tanh", [0.5, 0.5, 0.5, 0.5, 0.0], seed=1),
        result("tanh", [0.5, 0.5, 0.5, 0.5, 0.25], seed=2),
    ]
    assert ratio([runs[:3], runs[3:]]) == (
        "ReLU reaches 25 % training error 3.50 ± 0.71 times sooner than tanh (seeds 1, 2: 4.00, 3.00); "
        "the paper reports 6."
    )


def test_a_tanh_that_never_arrives_bounds_the_ratio():
    found = ratio([[result("relu", [0.5, 0.0])], [result("tanh", [0.5] * 8)]])
    assert "did not reach 25 % training error in 1 of 1 runs: ReLU reached it more than 7.50 times sooner" in found


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([result("relu", [0.5]), result("tanh", [0.1])], "ReLU did not reach 25 % training error with seed 1"),
        ([result("relu", [0.1]), result("tanh", [0.1], seed=2)], "No seed was run with both"),
        ([result("relu", [0.1])], "No seed was run with both"),
    ],
)
def test_what_is_no_ratio_is_said(runs, words):
    assert words in ratio([[each] for each in runs])


def test_a_search_for_a_rate_is_shown_and_not_compared(tmp_path):
    change = {"variants.tanh.training.optimizer.learning_rate": 0.5}
    runs = [
        result("relu", [0.5, 0.0]),
        result("tanh", [0.5, 0.0], seed=2),
        result("tanh", [0.5, 0.5, 0.0], changes=change, **{"training.optimizer.learning_rate": "0.5"}),
    ]
    write(tmp_path, *runs)
    page = rendered(tmp_path, "<!-- results: figure1 relu_tanh -->\n<!-- end -->\n")
    assert "| ReLU |  | float32 | 0.01 | 1 | 1.0 | 2 |" in page
    assert (
        "| tanh | `training.epochs=3`, `training.optimizer.learning_rate=0.5` | float32 | 0.5 | 1 | 2.0 | 3 |" in page
    )
    assert "No seed was run with both networks as in the experiment's file" in page


def test_an_edited_experiment_is_one_sentence():
    older = result("relu", [0.5, 0.0], **{"training.optimizer.learning_rate": "0.02"})
    with pytest.raises(DataError, match="they cannot be grouped; remove the older ones"):
        ratio(grouped([older, result("relu", [0.5, 0.1]), result("tanh", [0.1])]))


def test_another_network_is_one_sentence():
    with pytest.raises(DataError, match="expected a network of relu or tanh, found gelu"):
        ratio([[result("gelu", [0.1])]])


def test_the_plot_is_another_picture_for_other_numbers():
    groups = [[result("relu", [0.5, 0.2]), result("relu", [0.4, 0.2], seed=2)], [result("tanh", [0.8, 0.6, 0.2])]]
    picture = plot(groups)
    assert picture.startswith(b"\x89PNG")
    assert picture != plot([groups[0], [result("tanh", [0.8, 0.6, 0.1])]])
