import sys

import pytest

from alexnet_tf.errors import AlexNetError
from pipeline.stages import outputs
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


def test_an_output_that_is_a_link_to_a_folder_is_refused_before_the_work(workspace, tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (workspace.root / "data").mkdir(exist_ok=True)
    (workspace.root / "data/dataset").symlink_to(tmp_path / "disk")
    with monkeypatch.context() as broken:
        broken.setattr(sys.modules["components.download"], "run", fail)
        with pytest.raises(AlexNetError, match=r"dataset: expected .* found a link to .*/disk; remove it \(`rm "):
            run(workspace, "download")
    (workspace.root / "data/dataset").unlink()
    run(workspace, "download")


def test_a_link_to_a_file_is_replaced_as_dvc_s_cache_may_hold_it(tmp_path):
    (tmp_path / "cached").write_text("old")
    output = tmp_path / "verdict.json"
    output.symlink_to(tmp_path / "cached")
    outputs.prepare([output])
    outputs.partial(output).write_text("new")
    outputs.commit([output])
    assert (output.read_text(), (tmp_path / "cached").read_text()) == ("new", "old")
    assert not output.is_symlink()
