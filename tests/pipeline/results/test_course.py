"""How a difference moves in the course of a training: quarters by hand, points and intervals, trainings that differ."""

import numpy as np
import pytest
from made_results import made

from alexnet_tf.errors import DataError
from pipeline.results.course import course_table, quarters
from pipeline.results.kept import TRAINING_ERROR
from pipeline.results.seeds_and_images import over_seeds


def run(errors, seed=1):
    """A result with that training error in each epoch."""
    result = made("lrn_cifar10", "with_lrn", seed)
    curves = [{"step": n, "values": {TRAINING_ERROR: error}} for n, error in enumerate(errors, start=1)]
    result.row["standing"][0]["remake"] = {"curves": curves}
    return result


@pytest.mark.parametrize(
    ("curve", "means"),
    [
        ([8, 6, 5, 5, 4, 2, 1, 1], [7, 5, 3, 1]),
        ([9, 6, 3, 5, 3, 2, 2, 1, 1, 1], [6, pytest.approx(10 / 3), 1.5, 1]),  # 3, 3, 2 and 2 epochs
        ([3, 1], [3, 1]),
        ([2], [2]),
    ],
)
def test_a_quarter_is_the_mean_of_its_epochs(curve, means):
    assert quarters(curve) == means


def test_a_line_has_the_points_of_each_quarter_with_their_interval_over_seeds():
    # With two seeds 2 and 4 points less in the first quarter, then 1 and 1 more, then nothing.
    pairs = [
        (run([0.48, 0.48, 0.31, 0.31, 0.2, 0.2, 0.1, 0.1], 1), run([0.49, 0.51, 0.29, 0.31, 0.2, 0.2, 0.1, 0.1], 1)),
        (run([0.46, 0.46, 0.31, 0.31, 0.2, 0.2, 0.1, 0.1], 2), run([0.50, 0.50, 0.30, 0.30, 0.2, 0.2, 0.1, 0.1], 2)),
    ]
    header, _, line = course_table(["change", "seeds"], [(["less", "1, 2"], TRAINING_ERROR, pairs)]).splitlines()
    assert header == "| change | seeds | epochs 1 to 2 | epochs 3 to 4 | epochs 5 to 6 | epochs 7 to 8 |"
    first = over_seeds(np.array([-0.02, -0.04])).points
    assert first.startswith("−3.00 (−15.71 to")  # Student's factor with one degree of freedom is 12.706
    zero = "+0.00 (+0.00 to +0.00)"
    assert line == f"| less | 1, 2 | {first} | +1.00 (+1.00 to +1.00) | {zero} | {zero} |"


def test_what_was_not_run_has_no_line():
    pair = (run([0.4]), run([0.3]))
    table = course_table(["change"], [(["less"], TRAINING_ERROR, [pair]), (["more"], TRAINING_ERROR, [])])
    assert table.splitlines()[2:] == ["| less | +10.00 |"]
    assert course_table(["change"], [(["more"], TRAINING_ERROR, [])]) == "None of these runs is kept yet."


def test_trainings_of_different_lengths_are_one_sentence():
    pair = (run([0.4, 0.3]), run([0.3], seed=2))
    with pytest.raises(DataError, match=r"found epochs: 2 \(.*seed1.*\), 1 \(.*seed2.*\); compare runs"):
        course_table(["change"], [(["less"], TRAINING_ERROR, [pair])])
