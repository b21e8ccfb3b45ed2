"""A folder with an empty home, in which tests run the real commands as a user does."""

import os
import subprocess
import sys
from pathlib import Path

KEPT = ("LANG", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""Variables without which Python may not start, or not on the devices of the tests."""


class Checkout:
    """What a clone of this repository and one of stub stages share.

    Args:
        folder: Where it is made, with an empty home beside it.
        name: Of the folder with the files.
        settings: Environment variables of everything that runs in it.
    """

    def __init__(self, folder: Path, name: str, settings: dict[str, str]):
        self.root, self.home, self.settings = folder / name, folder / "home", settings
        self.home.mkdir()

    def environment(self) -> dict[str, str]:
        """Return the variables of a user who has just opened a terminal."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        quiet = {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        quiet["DVC_SITE_CACHE_DIR"] = str(self.home / "site")  # else /var/tmp/dvc
        own = {"PATH": path, "HOME": str(self.home), "PYTHONPATH": str(self.root)}
        return {**kept, **quiet, **own, **self.settings}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder and return what it did; with `check` a failure shows its output."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, timeout=1800
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done
