"""What a certificate says of every way in which bytes and numbers can agree."""

import itertools
import json

import pytest

from pipeline.commands.verify import _text
from pipeline.stages.dvc_lock import dvc_md5
from pipeline.verify.certificate import Certificate, Comparison, compared, judged

CLAIMED = {"error": 0.25, "loss": {"train": 2.0}}
NEAR = {"error": 0.26, "loss": {"train": 2.09}}
FAR = {"error": 0.75, "loss": {"train": 2.0}}
REPRODUCED, SAME, NEARBY, NOT = "reproduced", "same results, different bytes", "within tolerance", "not reproduced"


def output(folder, path, metrics, *, same_bytes, claimed=CLAIMED, counts=True, stage="evaluate@relu"):
    """Write an output with these metrics, None for none, and compare it with what is claimed, None for not known."""
    (folder / path).mkdir(parents=True)
    (folder / path / "correct.npz").write_bytes(b"bits")
    if metrics is not None:
        (folder / path / "metrics.json").write_text(json.dumps(metrics))
    digest = dvc_md5(folder / path) if same_bytes else "0123456789abcdef.dir"
    old = None if claimed is None else {"error": claimed["error"], "loss/train": claimed["loss"]["train"]}
    return compared(stage, folder, path, digest, before=(lambda: old) if counts else None, tolerance=0.05)


@pytest.mark.parametrize(
    ("same_bytes", "metrics", "claimed", "found", "verdict"),
    [
        (True, CLAIMED, CLAIMED, "same", REPRODUCED),
        (True, CLAIMED, None, "same", REPRODUCED),
        (False, CLAIMED, CLAIMED, "same", SAME),
        (False, NEAR, CLAIMED, "within tolerance", NEARBY),
        (False, FAR, CLAIMED, "differs", NOT),
        (False, {"error": 0.25}, CLAIMED, "differs", NOT),
        (False, CLAIMED | {"more": 1.0}, CLAIMED, "differs", NOT),
        (False, CLAIMED | {"error": float("nan")}, CLAIMED, "differs", NOT),
        (False, None, CLAIMED, "differs", NOT),
        (False, CLAIMED, None, "not found", NOT),
        (False, None, None, "not found", NOT),
    ],
)
def test_one_output(tmp_path, same_bytes, metrics, claimed, found, verdict):
    comparison = output(tmp_path, "reports/evaluate/relu", metrics, same_bytes=same_bytes, claimed=claimed)
    assert (comparison.same_bytes, comparison.metrics) == (same_bytes, found)
    assert judged([comparison]) == verdict


@pytest.mark.parametrize(("same_bytes", "verdict"), [(True, REPRODUCED), (False, NOT)])
def test_one_output_without_numbers_that_count(tmp_path, same_bytes, verdict):
    comparison = output(tmp_path, "reports/compare", FAR, same_bytes=same_bytes, counts=False)
    assert comparison.metrics is None
    assert judged([comparison]) == verdict


# How bytes compare: of both outputs of a training, of the report alone, of neither.
# How its metrics compare: rows of the same meaning as above. Equal bytes are equal metrics.
TABLE = {
    ("same", "same"): REPRODUCED,
    ("report same", "same"): SAME,
    ("differ", "same"): SAME,
    ("model same", "same"): SAME,
    ("model same", "within tolerance"): NEARBY,
    ("differ", "within tolerance"): NEARBY,
    ("model same", "differs"): NOT,
    ("differ", "differs"): NOT,
    ("model same", "not found"): NOT,
    ("differ", "not found"): NOT,
}


@pytest.mark.parametrize(("bytes_", "metrics"), TABLE)
def test_a_training_whose_report_and_model_differ_or_not(bytes_, metrics):
    model = Comparison("train@relu", "models/relu", "1", "1" if bytes_ in ("same", "model same") else "2", None, {})
    same = bytes_ in ("same", "report same")
    report = Comparison("train@relu", "reports/train/relu", "3", "3" if same else "4", metrics, {})
    for outputs in ((model, report), (report, model)):
        certificate = Certificate("dvc.lock", "0123", False, 0.05, outputs, {})
        assert certificate.verdict == TABLE[bytes_, metrics]
        assert certificate.stages == {"train@relu": TABLE[bytes_, metrics]}
        content = json.loads(certificate.as_json())
        assert (content["verdict"], content["stages"]) == (certificate.verdict, certificate.stages)


RANKS = [REPRODUCED, SAME, NEARBY, NOT]
STAGES = {REPRODUCED: (True, CLAIMED), SAME: (False, CLAIMED), NEARBY: (False, NEAR), NOT: (False, FAR)}


@pytest.mark.parametrize(("first", "second"), list(itertools.product(RANKS, RANKS)))
def test_of_two_stages_the_worse_decides(tmp_path, first, second):
    outputs = tuple(
        output(tmp_path, f"reports/{stage}", STAGES[verdict][1], same_bytes=STAGES[verdict][0], stage=stage)
        for stage, verdict in (("train@relu", first), ("evaluate@relu", second))
    )
    certificate = Certificate("dvc.lock", "0123", False, 0.05, outputs, {})
    assert certificate.stages == {"train@relu": first, "evaluate@relu": second}
    assert certificate.verdict == max(first, second, key=RANKS.index)


@pytest.mark.parametrize("evaluated", RANKS)
def test_a_stage_without_numbers_leaves_the_results_to_the_others(tmp_path, evaluated):
    same_bytes, metrics = STAGES[evaluated]
    outputs = (
        output(tmp_path, "data/records/large", None, same_bytes=False, counts=False, stage="preprocess@large"),
        output(tmp_path, "reports/evaluate/relu", metrics, same_bytes=same_bytes),
    )
    certificate = Certificate("dvc.lock", "0123", False, 0.05, outputs, {})
    assert certificate.stages == {"preprocess@large": "different bytes", "evaluate@relu": evaluated}
    assert certificate.verdict == (SAME if evaluated == REPRODUCED else evaluated)


def test_a_stage_without_numbers_of_which_one_output_differs_is_other_bytes():
    outputs = tuple(Comparison("validate", path, "1", digest, None, {}) for path, digest in (("a", "1"), ("b", "2")))
    certificate = Certificate("dvc.lock", "0123", False, 0.05, outputs, {})
    assert certificate.stages == {"validate": "different bytes"}
    assert certificate.verdict == NOT


@pytest.mark.parametrize(
    ("left_out", "told"), [(False, "0123"), (True, "0123 (uncommitted changes were"), (None, "0123 (Git cannot tell")]
)
def test_uncommitted_changes_are_told_even_where_nobody_knows(left_out, told):
    certificate = Certificate(
        "dvc.lock", "0123", left_out, 0.05, (Comparison("validate", "a", "1", "1", None, {}),), {}
    )
    (line,) = (line for line in _text(certificate).splitlines() if line.startswith("commit: "))
    assert line.startswith(f"commit:   {told}")


@pytest.mark.parametrize("name", ["kept_epoch", "best/epoch", "best/step", "gain/p_value"])
def test_what_follows_from_the_errors_does_not_decide_but_must_be_there(tmp_path, name):
    def found(metrics):
        (tmp_path / "metrics.json").write_text(json.dumps(metrics))
        claimed = {"error": 0.25, name: 9.0}
        return compared("train@relu", tmp_path, "metrics.json", "0123", before=lambda: claimed, tolerance=0.05)

    assert found({"error": 0.26, name: 11.0}).metrics == "within tolerance"
    assert found({"error": 0.26, name: 11.0}).numbers == {name: (9.0, 11.0), "error": (0.25, 0.26)}
    assert found({"error": 0.25}).metrics == "differs"
    assert found({"error": 0.75, name: 9.0}).metrics == "differs"


def test_numbers_that_differ_are_listed_the_most_first(tmp_path):
    found = output(tmp_path, "reports/evaluate/relu", NEAR, same_bytes=False).numbers
    assert list(found.items()) == [("loss/train", (2.0, 2.09)), ("error", (0.25, 0.26))]


def test_the_committed_metrics_file_is_numbers_itself(tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps(NEAR))
    old = {"error": 0.25, "loss/train": 2.0}
    found = compared("compare", tmp_path, "metrics.json", "0123", before=lambda: old, tolerance=0.05)
    assert found.metrics == "within tolerance"
