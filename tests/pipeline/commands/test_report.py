import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing; run `dvc repro` or `alexnet compare`"),
        ("{", "is broken (Expecting"),
        ("[]", "is broken (it is not a JSON object)"),
        ('{"variants": ["faithful"]}', "is broken (it has no 'baseline'); run `dvc repro -f compare`"),
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
