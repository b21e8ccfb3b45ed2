import re

import pytest
from click.testing import CliRunner

from alexnet_tf.comparison import page
from pipeline.cli import alexnet
from pipeline.config.load import load
from pipeline.results import report, revisions
from pipeline.tracking import backfill


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing; run `dvc repro` or `alexnet compare`"),
        ("{", "is broken (Expecting"),
        ("[]", "is broken (it is not a JSON object)"),
        ('{"variants": ["faithful"]}', "is broken (it has no 'against'); run `dvc repro -f compare`"),
    ],
)
def test_a_missing_or_foreign_comparison_is_one_sentence(workspace, monkeypatch, content, reason):
    path = workspace.root / "reports/compare/comparison.json"
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content)
    monkeypatch.chdir(workspace.root)
    result = CliRunner().invoke(alexnet, ["report"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: reports/compare/comparison.json {reason}")
    assert len(result.stderr.splitlines()) == 1


def test_past_runs_are_compared_on_a_page_of_their_own(workspace, monkeypatch):
    asked, written = [], []
    found = {"variants": ["optimized@v1"]}, {"confusion.png": b""}, ["v1 is without the paired test"]
    monkeypatch.setattr(revisions, "compare_with", lambda *given: asked.append(given[2]) or found)
    monkeypatch.setattr(report, "write_page", lambda place, *given: written.append((place, *given)) or place)
    monkeypatch.setattr(page, "table", lambda comparison, costs: f"table of {comparison['variants']}")
    monkeypatch.setattr(page, "sentences", lambda comparison: [])
    monkeypatch.setattr(backfill, "complete", lambda *_: None)
    monkeypatch.chdir(workspace.root)
    result = CliRunner().invoke(alexnet, ["report", "--rev", "v1", "--rev", "brave-exp"])
    assert result.exit_code == 0, result.output
    assert asked == [("v1", "brave-exp")]
    ((place, comparison, _, figures, _),) = written
    assert (place, comparison, figures) == (workspace.root / "reports/compared.html", *found[:2])
    assert "table of ['optimized@v1']" in result.output
    assert "note: v1 is without the paired test" in result.output
    assert "report:       reports/compared.html" in result.output
    assert "expected" not in result.output


def test_the_page_names_data_set_commit_machine_and_time(workspace, monkeypatch):
    tags = {"host.cpu": "Abacus", "host.cpus": "2", "host.memory_gib": "4.0", "mlflow.source.git.commit": "c0ffee" * 7}
    monkeypatch.setattr(report, "provenance_tags", lambda root: tags | {"git.dirty": "true"})
    origin = report.origin_of(workspace.root)
    assert origin["at commit"] == "c0ffeec0ff, with uncommitted changes"
    assert origin["on machine"] == "2 cores of Abacus; 4.0 GiB"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", origin["page written"])
    config = load(workspace.root)
    assert report.data_set_words(workspace, config) == "sample"
    sizes = {"test": 7, "train": 1200, "validation": 80}
    splits = {name: {"num_examples": size} for name, size in sizes.items()}
    manifest = {"splits": splits, "class_names": ["ash", "elm"]}
    monkeypatch.setattr(report, "read_manifest", lambda folder, stage: manifest)
    assert report.data_set_words(workspace, config) == "sample: 2 classes, 1,200 train, 80 validation, 7 test images"


def test_the_page_is_given_the_tables_that_it_draws(workspace, monkeypatch):
    for place in (
        "compare/confusion_optimized.png",
        "evaluate/optimized/confusion.csv",
        "evaluate/optimized/slices.csv",
    ):
        path = workspace.root / "reports" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(place.encode())
    monkeypatch.setattr(report, "read_comparison", lambda workspace: {"variants": ["faithful", "optimized"]})
    monkeypatch.setattr(report, "write_page", lambda page, comparison, costs, figures, origin: figures)
    found = report.write_report(workspace, load(workspace.root))
    assert found == {
        "confusion_optimized.png": b"compare/confusion_optimized.png",
        "confusion_optimized.csv": b"evaluate/optimized/confusion.csv",
    }
