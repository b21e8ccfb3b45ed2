"""The ladder of ablations from made results: the table by hand, verdicts, the figure, what does not belong together."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_results import made, write
from PIL import Image

from alexnet_tf.errors import DataError
from pipeline.pages.result_tables import rendered
from pipeline.results import lost_trainings
from pipeline.results.ablations import EXPERIMENT, FIGURE, RungOutcome, kept_runs, outcomes, plot, runs_of
from pipeline.results.lost_trainings import WHOLE, LostTraining
from pipeline.results.rungs import FILE, OWN, Claim, Rung
from pipeline.results.seeds_and_images import Difference, over_seeds, over_seeds_and_images

ROOT = Path(__file__).resolve().parents[3]
IMAGES = 200
LADDER = """
without_lrn:
  words: no response normalization
  changes: {network.lrn: false}
  claim: {place: §3.3, text: lowers the error, paper: 1.4, measure: test}
  scale: small
no_weight_decay:
  words: no weight decay
  changes: {training.optimizer.weight_decay: 0.0}
  claim: {place: §5, text: lowers the training error, paper: null, measure: training}
  scale: short
no_dropout:
  words: no dropout
  changes: {network.dropout: 0.0}
  claim: {place: §4.2, text: overfits, paper: 1.0, more: true, measure: gap}
  scale: thinned
"""
BLOCK = f"<!-- results: ablations {EXPERIMENT} -->\n<!-- end -->\n"


def run(
    seed,
    wrong,
    *,
    training=(0.5, 0.4),
    learnt=0.3,
    center=0.4,
    test_set="a",
    precision="float32",
    cpu="One",
    changes=None,
):
    """A result of the ladder: which of the images are wrong, the training error of each epoch, and of centre crops the
    error of training and test images."""
    words = {key.removeprefix(OWN): str(value).lower() for key, value in (changes or {}).items()}
    params = {"network.lrn": "true", "training.optimizer.weight_decay": "0.0005", "training.precision": precision}
    changed = {"seed": seed, **(changes or {})}
    test = {"test/training_images/top1_error": learnt, "test/center/top1_error": center}
    result = made(EXPERIMENT, "full", seed, changes=changed, test=test, **params | {"network.dropout": "0.5"} | words)
    curves = [{"step": n, "values": {"train/top1_error": error}} for n, error in enumerate(training, start=1)]
    result.row["tags"]["host.cpu"] = cpu
    result.row["standing"][0]["remake"] = {"curves": curves}
    result.row["state"] = f"{seed:x}{''.join(words)[-6:]}abcdef".replace(".", "")
    right = np.ones(IMAGES, bool)
    right[list(wrong)] = False
    bits = base64.b64encode(np.packbits(right).tobytes()).decode()
    return replace(result, correct={"num": IMAGES, "keys_sha256": test_set, "ten_crop_top1": bits})


LRN = {f"{OWN}network.lrn": False}
DECAY = {f"{OWN}training.optimizer.weight_decay": 0.0}
DROPOUT = {f"{OWN}network.dropout": 0.0}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "docs/img").mkdir(parents=True)
    (tmp_path / FILE).write_text(LADDER)
    return tmp_path


def lines(root):
    table = [line for line in rendered(root, BLOCK).splitlines() if line.startswith("| ")][2:]
    return [line.strip("| ").split(" | ") for line in table]


def test_before_anything_was_run_the_page_says_so(root):
    page = rendered(root, BLOCK)
    assert page.count("| not run |") == 5
    assert "None of these changes has been run yet." in page
    assert "![" not in page
    assert plot(root) is None


def test_a_ladder_of_three_seeds_by_hand(root):
    seeds = (1, 2, 3)
    # The whole network is wrong on images 0 to 19, without LRN on 40 more, other ones with each seed: 20 points.
    whole = [run(seed, range(20), learnt=0.30 + seed / 100) for seed in seeds]
    lacking = [run(seed, [*range(20), *range(20 * seed, 20 * seed + 40)], changes=LRN) for seed in seeds]
    undecayed = [run(seed, range(20), learnt=0.25, changes=DECAY) for seed in seeds[:2]]
    write(root, *whole, *lacking, *undecayed)
    differences = np.zeros((3, IMAGES))
    for row, seed in zip(differences, seeds, strict=True):
        row[20 * seed : 20 * seed + 40] = 1
    expected = over_seeds_and_images(differences)
    assert expected.mean == pytest.approx(0.2)
    first, second, third, *_ = lines(root)
    interval = f"+20.00 (+{100 * expected.low:.2f} to +{100 * expected.high:.2f})"
    words = ["no response normalization", "§3.3", "lowers the error", "+1.4", "test error, ten crops"]
    assert first == [*words, interval, "1, 2, 3", "confirmed"]
    training = over_seeds(np.array([-0.06, -0.07]))
    ends = f"{100 * training.low:+.2f} to {100 * training.high:+.2f}".replace("-", "−")
    assert second[4:] == [
        "training error, centre crop",
        f"−6.50 ({ends})",
        "1, 2",
        "2 of 3 seeds",
    ]
    assert third[4:7] == ["test error, ten crops", "+0.00 (+0.00 to +0.00)", "1, 2"]
    assert f"]({FIGURE.removeprefix('docs/')})" in rendered(root, BLOCK)
    (root / FIGURE).write_bytes(plot(root))
    with Image.open(root / FIGURE) as picture:
        assert picture.width > 500


def test_the_training_error_of_a_change_moves_by_quarters(root):
    write(root, run(1, range(20), training=(0.5, 0.4)), run(1, range(20), training=(0.47, 0.42), changes=LRN))
    page = rendered(root, f"<!-- results: ablations_by_quarter {EXPERIMENT} -->\n<!-- end -->\n")
    assert "| change | seeds | epoch 1 | epoch 2 |" in page
    assert "| no response normalization | 1 | −3.00 | +2.00 |" in page
    assert "no dropout" not in page
    note(root, "without_lrn", 2)  # did not train
    page = rendered(root, page)
    assert "| no response normalization | 1; did not train with seed 2 | −3.00 | +2.00 |" in page


CLAIM = Claim(place="§1", text="lowers", paper=None, measure="test")


@pytest.mark.parametrize(
    ("low", "high", "claim", "verdict"),
    [
        (0.01, 0.02, CLAIM, "confirmed"),
        (-0.02, -0.01, CLAIM, "contrary"),
        (-0.01, 0.02, CLAIM, "not seen"),
        (0.0, 0.02, CLAIM, "not seen"),
        (0.01, 0.02, None, ""),
    ],
)
def test_the_verdict_is_that_of_the_whole_interval_of_three_seeds(low, high, claim, verdict):
    rung = Rung(words="less", changes={}, scale="")

    def outcome(seeds, lost=(), difference=None):
        return RungOutcome("less", rung, "test", claim, seeds, lost, difference).verdict

    difference = Difference((0.01,), low, high)
    assert outcome((1, 2, 3), difference=difference) == verdict
    assert outcome((1, 2), difference=difference) == ("2 of 3 seeds" if claim else "")
    assert outcome((1,), difference=Difference((0.01,), None, None)) == ("1 of 3 seeds" if claim else "")
    assert outcome(()) == "not run"
    assert outcome((1, 2, 3), lost=(4,), difference=difference) == "did not train with seed 4"


def test_the_points_of_a_verdict_are_told_with_it():
    rung = Rung(words="less", changes={}, scale="")
    settled = RungOutcome("less", rung, "training", CLAIM, (1, 2, 3), (), Difference((0.01, 0.02, 0.03), 0.005, 0.035))
    assert settled.told == "+2.00 (+0.50 to +3.50) points of training error, centre crop (confirmed)"
    assert replace(settled, seeds=(), difference=None).told == "not run"
    assert replace(settled, lost=(4,)).told == "did not train with seed 4"


def test_only_common_seeds_count_and_one_has_no_interval(root):
    write(root, run(1, range(20)), run(2, range(20)), run(2, range(10), changes=LRN), run(5, range(99), changes=LRN))
    assert lines(root)[0][5:] == ["−5.00", "2", "1 of 3 seeds"]
    page = rendered(root, BLOCK)
    assert "interval" not in alt_text(page)
    assert "hollow where fewer than 3 seeds were run" in alt_text(page)


def alt_text(page):
    return page.partition("![")[2].partition("](")[0]


def test_the_text_of_the_figure_follows_what_is_drawn(root):
    seeds = (1, 2, 3)
    write(root, *(run(seed, range(20)) for seed in seeds), *(run(seed, range(20), changes=DECAY) for seed in seeds))
    whole = "differences in points, a line a change; with 95 % intervals where there are two seeds or more"
    assert alt_text(rendered(root, BLOCK)) == whole
    settled = plot(root)
    note(root, "no_weight_decay", 4)
    assert alt_text(rendered(root, BLOCK)) == f"{whole}; hollow where fewer than 3 seeds were run or one did not train"
    assert plot(root) != settled
    write(root, run(1, range(20), changes=LRN))
    assert alt_text(rendered(root, BLOCK)).endswith(
        "; the paper's as diamonds, or as a triangle where it says more than that"
    )


def test_an_early_error_is_the_mean_of_the_first_quarter_of_the_epochs_by_hand(root):
    claim = "{place: §5, text: speeds up, paper: null, measure: early}"
    changes = "{network.dropout: 0.0}"
    (root / FILE).write_text(f"sooner:\n  words: sooner\n  changes: {changes}\n  claim: {claim}\n  scale: short\n")
    late = (0.1,) * 6
    write(root, run(1, [0], training=(0.6, 0.4, *late)), run(1, [0], training=(0.8, 0.5, *late), changes=DROPOUT))
    assert lines(root)[0][4:] == ["training error, first quarter", "+15.00", "1", "1 of 3 seeds"]


def test_a_gap_is_that_of_test_and_training_error_of_centre_crops_by_hand(root):
    # Whole: 40 % less 30 %, a gap of 10 points; without dropout 35 % less 5 %, 30 points: 20 points more.
    write(root, run(1, [0], learnt=0.3, center=0.4), run(1, [0], learnt=0.05, center=0.35, changes=DROPOUT))
    gap, test = lines(root)[3:]
    assert gap[3:] == ["> 1", "test less training error, centre crop", "+20.00", "1", "1 of 3 seeds"]
    assert test[1:4] == ["", "", ""]
    assert test[4:7] == ["test error, ten crops", "+0.00", "1"]


def note(root, rung, seed):
    lost_trainings.add(root, LostTraining(rung=rung, seed=seed, error="at ln K", processor="One", commit="c0ffee"))


def test_a_training_that_came_to_nothing_is_told_and_the_others_have_no_verdict(root):
    write(root, *(run(seed, range(20)) for seed in (1, 2, 3, 4)))
    write(root, *(run(seed, range(30), changes=LRN) for seed in (2, 3, 4)))
    assert lines(root)[0][6:] == ["2, 3, 4", "confirmed"]
    note(root, "without_lrn", 1)
    note(root, "no_dropout", 1)
    note(root, "no_dropout", 2)
    assert lines(root)[0][6:] == ["2, 3, 4", "did not train with seed 1"]
    assert lines(root)[3][5:] == ["", "", "did not train with seeds 1, 2"]
    assert "The whole network" not in rendered(root, BLOCK)
    note(root, WHOLE, 5)
    assert "\nThe whole network did not train with seed 5.\n" in rendered(root, BLOCK)
    assert len(kept_runs(root)) == 7


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"precision": "bfloat16"}, "differ in precision, training.precision, expected the change alone"),
        (
            {"cpu": "Two"},
            "differ in processor, expected the change alone; run both .* on one kind of machine",
        ),
        ({"test_set": "b"}, "are of different test images"),
        ({"changes": {**LRN, f"{OWN}network.k": 1}}, None),
    ],
)
def test_what_differs_in_more_than_the_change_is_no_rung(root, other, words):
    write(root, run(1, range(20)), run(1, range(10), **{"changes": LRN} | other))
    if words is None:
        assert lines(root)[0][-1] == "not run"
    else:
        with pytest.raises(DataError, match=words):
            lines(root)


def test_results_that_do_not_say_which_images_are_right_are_one_sentence(root):
    write(root, run(1, range(20)), replace(run(1, range(10), changes=LRN), correct=None))
    with pytest.raises(DataError, match=r"expected `correct`, which test images are right, found none"):
        lines(root)


def test_results_are_found_by_their_changes():
    results = [run(1, []), run(2, [], changes=LRN), run(1, [], changes=LRN)]
    assert sorted(runs_of(results, LRN)) == [1, 2]
    assert sorted(runs_of(results, {})) == [1]
    assert runs_of(results, DECAY) == {}


def test_another_number_of_test_images_is_one_sentence(root):
    one, other = run(1, range(20)), run(1, range(10), test_set="b", changes=LRN)
    fewer = {**other.correct, "num": IMAGES - 8, "ten_crop_top1": base64.b64encode(bytes(IMAGES // 8 - 1)).decode()}
    write(root, one, replace(other, correct=fewer))
    with pytest.raises(DataError, match="are of different test images; keep runs of one data set"):
        lines(root)


def test_seeds_may_be_of_different_processors_and_precisions(root):
    for seed, cpu, precision in ((1, "One", "float32"), (2, "Two", "bfloat16")):
        for changes in ({}, LRN):
            result = run(seed, range(20), cpu=cpu, changes=changes)
            result.row["params"]["training.precision"] = "auto"
            result.row["standing"][0]["metrics"]["train/precision_bits"] = 16.0 if precision == "bfloat16" else 32.0
            write(root, result)
    assert lines(root)[0][6] == "1, 2"


def test_a_result_from_before_a_parameter_is_compared_with_later_ones(root):
    later = run(1, range(10), changes=LRN)
    later.row["params"]["network.left_out"] = "none"
    write(root, run(1, range(20)), later)
    assert lines(root)[0][5:7] == ["−5.00", "1"]


@pytest.mark.parametrize(
    ("seed", "changed", "words"),
    [
        (1, "12", "have the same change, seed and processor; remove one of them"),
        (
            2,
            "6",
            "have the same change, but different training.epochs, so they cannot be compared; remove",
        ),
    ],
)
def test_runs_of_one_change_that_do_not_belong_together_are_one_sentence(seed, changed, words):
    one, other = run(1, []), run(seed, [])
    one.row["params"]["training.epochs"], other.row["params"]["training.epochs"] = "12", changed
    with pytest.raises(DataError, match=words):
        runs_of([one, other], {})


def test_the_whole_page_can_be_rendered_before_and_after_the_first_results(tmp_path):
    (tmp_path / "docs/img").mkdir(parents=True)
    (tmp_path / FILE).write_text((ROOT / FILE).read_text())
    (tmp_path / "experiments").mkdir()
    (tmp_path / f"experiments/{EXPERIMENT}.yaml").touch()
    page = (ROOT / "docs/ablations.md").read_text()
    before = rendered(tmp_path, page)
    assert before.count("None of these runs is kept yet.") == 4
    assert before.count("None of these changes has been run yet.") == 1
    note(tmp_path, "tanh", 1)
    assert rendered(tmp_path, page).count("None of these runs is kept yet.") == 4
    write(tmp_path, run(1, range(20)), run(1, range(10), changes=LRN))
    after = rendered(tmp_path, page)
    assert "None of these runs is kept yet." not in after
    assert "| `full` | `network.lrn=false` | 1 | float32 |" in after
    assert "dvc exp run -S 'seed=1' -S 'variants.full.network.lrn=false' evaluate@full" in after
    assert [each.verdict for each in outcomes(tmp_path) if each.seeds] == ["1 of 3 seeds"]
