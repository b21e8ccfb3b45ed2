import sys

import pytest

from tests.pipeline.test_runner import fail, leftovers, run


def test_what_a_killed_run_left_is_cleared_away(workspace):
    leftover = workspace.root / "data/.dataset.partial"
    leftover.mkdir(parents=True)
    (leftover / "half").write_text("half")
    run(workspace, "download")
    assert leftovers(workspace) == []
    assert not (workspace.root / "data/dataset/half").exists()


def test_an_output_caught_between_two_renames_gets_its_place_back(workspace, monkeypatch):
    run(workspace, "download")
    dataset = workspace.root / "data/dataset"
    dataset.rename(workspace.root / "data/.dataset.replaced")
    monkeypatch.setattr(sys.modules["components.download"], "run", fail)
    with pytest.raises(ZeroDivisionError):
        run(workspace, "download")
    assert (dataset / "params.json").exists()
