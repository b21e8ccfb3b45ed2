"""The environment in which stages of a clean folder run again."""

import os
import subprocess
from types import SimpleNamespace

from pipeline import clean_folder


def test_variables_are_set_and_taken_out(monkeypatch, tmp_path):
    """A kept result without the tag `env.onednn` had TensorFlow's own choice, and must have it again."""
    seen = []
    monkeypatch.setattr(
        clean_folder,
        "subprocess",
        SimpleNamespace(run=lambda *_, env, **__: seen.append(env) or subprocess.CompletedProcess([], 0)),
    )
    monkeypatch.setitem(os.environ, "TF_ENABLE_ONEDNN_OPTS", "1")
    for word in (None, "0"):
        clean_folder.rerun(tmp_path, ["train@optimized"], {"TF_ENABLE_ONEDNN_OPTS": word})
    clean_folder.rerun(tmp_path, ["train@optimized"])
    assert [env.get("TF_ENABLE_ONEDNN_OPTS") for env in seen] == [None, "0", "1"]
    assert {env["PYTHONPATH"] for env in seen} == {str(tmp_path)}
