import subprocess

import pytest

from alexnet_tf.errors import AlexNetError
from pipeline.environment.dvc_settings import has_identity, is_no_scm, match_git


def test_dvc_does_without_git_until_there_is_a_repository(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    match_git(tmp_path)
    assert is_no_scm(tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    match_git(tmp_path)
    assert not is_no_scm(tmp_path)


def test_what_dvc_refuses_is_one_sentence(tmp_path):
    with pytest.raises(AlexNetError, match=r"^`dvc config --local core\.no_scm true` failed: "):
        match_git(tmp_path)


@pytest.mark.parametrize("lacks", ["", "GIT_AUTHOR_NAME", "GIT_COMMITTER_EMAIL"])
def test_an_identity_is_whole(tmp_path, monkeypatch, lacks):
    for role in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.setenv(f"GIT_{role}_{what}", "" if lacks == f"GIT_{role}_{what}" else "x")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert has_identity(tmp_path) == (not lacks)


@pytest.mark.parametrize("text", ["core\n", "[core]\n    no_scm = perhaps\n", "[core]\n[core]\n"])
def test_settings_that_are_none_are_one_sentence(tmp_path, text):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config.local").write_text(text)
    with pytest.raises(
        AlexNetError, match=r"^\.dvc/config\.local: expected settings of DVC \(.*\); correct or remove it$"
    ):
        is_no_scm(tmp_path)
