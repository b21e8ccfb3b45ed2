"""A repository of stub stages, in which tests run the real commands as a user does."""

import os
import subprocess
import sys
from pathlib import Path

from store import put_empty_store, read_rows
from stub_stages import make_dvc_repository

from pipeline.tracking import uploads


class Repository:
    """Stub stages, real `pipeline`, real `dvc`, one commit.

    Args:
        folder: Where it is made, with an empty home beside it.
        settings: Environment variables of everything that runs in it.
    """

    def __init__(self, folder: Path, **settings: str):
        self.home, self.settings = folder / "home", settings
        self.home.mkdir()
        self.root = make_dvc_repository(folder / "repository")
        if "MLFLOW_TRACKING_URI" not in settings:
            put_empty_store(self.root)

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        quiet = {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        own = {"PATH": path, "HOME": str(self.home), "PYTHONPATH": str(self.root)}
        return {**kept, **quiet, **own, **self.settings}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, timeout=1800
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def rows(self):
        assert uploads.wait(self.root, 120), "the uploader did not end"
        return read_rows(self.root)

    def edit(self, old: str, new: str):
        path = self.root / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def commit(self):
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "more", "--allow-empty")
