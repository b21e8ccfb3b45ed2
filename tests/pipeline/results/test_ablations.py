"""The ladder of ablations from made results: the table by hand, verdicts, the figure, what does not belong together."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_results import made, write
from PIL import Image

from alexnet_tf.errors import DataError
from pipeline.config.load import check
from pipeline.environment.dotted import at
from pipeline.environment.yaml_file import read, with_overrides
from pipeline.pages.result_tables import rendered
from pipeline.results.ablations import (
    EXPERIMENT,
    FIGURE,
    FILE,
    OWN,
    Claim,
    Rung,
    RungOutcome,
    plot,
    read_rungs,
    runs_of,
)
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
"""
BLOCK = f"<!-- results: ablations {EXPERIMENT} -->\n<!-- end -->\n"


def run(seed, wrong, *, training=(0.5, 0.4), test_set="a", precision="float32", changes=None):
    """A result of the ladder: which of the images are wrong, and the training error of each epoch."""
    words = {key.removeprefix(OWN): str(value).lower() for key, value in (changes or {}).items()}
    params = {"network.lrn": "true", "training.optimizer.weight_decay": "0.0005", "training.precision": precision}
    changed = {"seed": seed, **(changes or {})}
    result = made(EXPERIMENT, "full", seed, changes=changed, **params | words)
    curves = [{"step": n, "values": {"train/top1_error": error}} for n, error in enumerate(training, start=1)]
    result.row["standing"][0]["remake"] = {"curves": curves}
    result.row["state"] = f"{seed:x}{''.join(words)[-6:]}abcdef".replace(".", "")
    right = np.ones(IMAGES, bool)
    right[list(wrong)] = False
    bits = base64.b64encode(np.packbits(right).tobytes()).decode()
    return replace(result, correct={"num": IMAGES, "keys_sha256": test_set, "ten_crop_top1": bits})


LRN = {f"{OWN}network.lrn": False}
DECAY = {f"{OWN}training.optimizer.weight_decay": 0.0}


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
    assert page.count("| not run |") == 3
    assert "None of these runs is kept yet." in page
    assert "![" not in page
    assert plot(root) is None


def test_a_ladder_of_three_seeds_by_hand(root):
    seeds = (1, 2, 3)
    # The whole network is wrong on images 0 to 19, without LRN on 40 more, other ones with each seed: 20 points.
    whole = [run(seed, range(20), training=(0.6, 0.5, 0.4, 0.30 + seed / 100)) for seed in seeds]
    lacking = [run(seed, [*range(20), *range(20 * seed, 20 * seed + 40)], changes=LRN) for seed in seeds]
    undecayed = [run(seed, range(20), training=(0.6, 0.5, 0.4, 0.25), changes=DECAY) for seed in seeds[:2]]
    write(root, *whole, *lacking, *undecayed)
    differences = np.zeros((3, IMAGES))
    for row, seed in zip(differences, seeds, strict=True):
        row[20 * seed : 20 * seed + 40] = 1
    expected = over_seeds_and_images(differences)
    assert expected.mean == pytest.approx(0.2)
    first, second, third = lines(root)
    interval = f"+20.00 (+{100 * expected.low:.2f} to +{100 * expected.high:.2f})"
    words = ["no response normalization", "§3.3", "lowers the error", "+1.4", "test error, ten crops"]
    assert first == [*words, interval, "1, 2, 3", "confirmed"]
    training = over_seeds(np.array([-0.06, -0.07]))
    ends = f"{100 * training.low:+.2f} to {100 * training.high:+.2f}".replace("-", "−")
    assert second[4:] == [
        "training error, last epoch",
        f"−6.50 ({ends})",
        "1, 2",
        "contrary" if training.high < 0 else "not seen",
    ]
    assert third[4:7] == ["test error, ten crops", "+0.00 (+0.00 to +0.00)", "1, 2"]
    assert f"]({FIGURE.removeprefix('docs/')})" in rendered(root, BLOCK)
    drawn = plot(root)
    assert drawn == plot(root)
    (root / FIGURE).write_bytes(drawn)
    with Image.open(root / FIGURE) as picture:
        assert picture.width > 500


CLAIM = Claim(place="§1", text="lowers", paper=None, measure="test")


@pytest.mark.parametrize(
    ("low", "high", "claim", "verdict"),
    [
        (0.01, 0.02, CLAIM, "confirmed"),
        (-0.02, -0.01, CLAIM, "contrary"),
        (-0.01, 0.02, CLAIM, "not seen"),
        (0.0, 0.02, CLAIM, "not seen"),
        (None, None, CLAIM, "one seed"),
        (0.01, 0.02, None, ""),
    ],
)
def test_the_verdict_is_that_of_the_whole_interval(low, high, claim, verdict):
    rung = Rung(words="less", changes={}, scale="")
    assert RungOutcome(rung, "test", claim, (1, 2), Difference((0.01,), low, high)).verdict == verdict
    assert RungOutcome(rung, "test", claim, (), None).verdict == "not run"


def test_only_common_seeds_count_and_one_has_no_interval(root):
    write(root, run(1, range(20)), run(2, range(20)), run(2, range(10), changes=LRN), run(5, range(99), changes=LRN))
    assert lines(root)[0][5:] == ["−5.00", "2", "one seed"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"precision": "bfloat16"}, "differ in training.precision, expected the change alone"),
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


def test_a_broken_ladder_is_one_sentence(root):
    (root / FILE).write_text("rung: {words: a, changes: {}, scale: b, more: 1}")
    with pytest.raises(DataError, match=r"docs/ablations.yaml: rung.more: Extra inputs .*; correct it there"):
        read_rungs(root)


def test_every_rung_is_a_valid_change_of_the_experiment_and_of_nothing_else():
    written = {**read(ROOT / f"experiments/{EXPERIMENT}.yaml"), "runtime": read(ROOT / "params.yaml")["runtime"]}
    whole = check(written).values["variants"]["full"]
    rungs = read_rungs(ROOT)
    assert len({tuple(sorted(map(str, rung.changes.items()))) for rung in rungs.values()}) == len(rungs) == 14
    for name, rung in rungs.items():
        changed, _ = with_overrides(written, [f"{key}={value}" for key, value in rung.overrides().items()])
        values = check(changed).values["variants"]["full"]
        for key, value in rung.changes.items():
            assert at(values, key) == value != at(whole, key), name


def test_results_are_found_by_their_changes():
    results = [run(1, []), run(2, [], changes=LRN), run(1, [], changes=LRN)]
    assert sorted(runs_of(results, LRN)) == [1, 2]
    assert sorted(runs_of(results, {})) == [1]
    assert runs_of(results, DECAY) == {}
