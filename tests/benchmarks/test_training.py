import importlib.util
import subprocess
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from alexnet_tf.errors import AlexNetError
from benchmarks import performance_page, results, training


def test_a_revision_is_compared_within_a_round():
    rows = [
        {"round": number, "name": name, "precision": "float32", "milliseconds": milliseconds}
        for number, now, then in ((1, 100.0, 150.0), (2, 200.0, 500.0), (3, 100.0, 160.0))
        for name, milliseconds in (("ours", now), ("ours at abc", then), ("matrix product", 10.0))
    ]
    assert training.against(rows) == ["ours is 1.60 times as fast as ours at abc, float32 (1.50 to 2.50)"]
    measured = [row | {"round": str(row["round"]), "images": "0", "batch_size": "128", "peak_mib": "9"} for row in rows]
    table = performance_page.ratios_table(performance_page.by_round(measured))
    assert "| against ours at abc, float32 | 1.60 | 1.50 to 2.50 |  |  |" in table


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--only", "our"], "'our' is not one of 'PyTorch', 'matrix product', 'ours'"),
        (["--only", "PyTorch"], "nothing to measure: PyTorch is not available on this machine"),
        (["--only", "matrix product", "--against", "HEAD"], "--against compares ours with ours; add --only ours"),
        (["--only", "ours", "--against", "nonsense"], "--against: expected a revision of Git, got nonsense"),
        (["--steps", "0"], "0 is not in the range x>=1"),
        (["--rounds", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_would_measure_nothing_is_refused(command, message, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(training, "measure", lambda *_, **__: {"milliseconds": 1.0, "peak_mib": 1})
    found = CliRunner().invoke(training.main, command)
    assert found.exit_code == 2
    assert message in found.output


def test_every_processor_has_a_file_of_its_name():
    assert training.slug("AMD EPYC (family 25 model 17)") == "amd-epyc-family-25-model-17"


@pytest.fixture
def kept(monkeypatch):
    """Nothing is measured and no file is there; the rounds in each file that would be kept."""
    files = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(training, "measure", lambda *_, **__: {"milliseconds": 1.0, "peak_mib": 1})
    monkeypatch.setattr(training, "keep", lambda name, rows: files.append({row["round"] for row in rows}))
    monkeypatch.setattr(results, "load", lambda name: ([], []))
    return files


def test_every_whole_round_is_kept(kept, monkeypatch):
    def measure(*_, **__):
        if len(kept) == 2:
            raise AlexNetError("no more")
        return {"milliseconds": 1.0, "peak_mib": 1}

    monkeypatch.setattr(training, "measure", measure)
    assert CliRunner().invoke(training.main, []).exit_code == 1
    assert kept == [{1}, {1, 2}]


def test_a_file_of_more_rounds_is_replaced_at_the_end_alone(kept, monkeypatch):
    had = [{"name": "ours", "precision": "float32", "round": number} for number in "123"]
    monkeypatch.setattr(results, "load", lambda name: ([], had))
    assert CliRunner().invoke(training.main, []).exit_code == 0
    assert CliRunner().invoke(training.main, ["--rounds", "2"]).exit_code == 0
    assert kept == [{1, 2, 3}, {1, 2}]


def test_a_subject_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=-9, stdout=""))
    with pytest.raises(AlexNetError, match="our LRN alone, float32, failed with exit code -9"):
        training.measure(training.Subject("our LRN alone", "float32"), 1, 1, environment={})


def test_a_file_keeps_its_subjects_unless_told_otherwise(kept, monkeypatch):
    had = [{"name": name, "precision": "float32", "round": "1"} for name in ("ours", "ours at abc", "PyTorch")]
    monkeypatch.setattr(results, "load", lambda name: ([], had))
    found = CliRunner().invoke(training.main, ["--rounds", "1"])
    assert (found.exit_code, kept) == (2, [])
    assert "would lose ours at abc, float32; PyTorch, float32: measure that, too" in " ".join(found.output.split())
    assert CliRunner().invoke(training.main, ["--rounds", "1", "--drop"]).exit_code == 0
    assert kept == [{1}]
    assert CliRunner().invoke(training.main, ["--rounds", "1", "--only", "ours"]).exit_code == 0  # keeps no result
    assert len(kept) == 1


def test_what_a_ratio_compares_is_measured_one_after_the_other():
    names = [subject.name for subject in training.PLAN if subject.precision == "float32"]
    middle = names.index("ours")
    near = {"matrix product", "PyTorch", "ours, real data", "Keras fit"}
    assert near == set(names[middle - 2 : middle + 3]) - {"ours"}
    assert training.PLAN[names.index("ours, real data", middle + 2)].images == training.MANY_IMAGES
