"""A fresh clone of this repository with small parameters, in which tests run the real commands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import stages
from benchmarks.stages import edit

ROOT = Path(__file__).resolve().parent.parent
README_COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for line in block.splitlines()
]
EPOCHS = {"faithful": 1, "optimized": 3}
"""Of the small run; a training of three can be killed between two checkpoints."""
GATES = {"faithful": 0.0, "optimized": 1.0}
"""Largest top-1 errors: `faithful` is refused, `optimized` is exported."""
_OTHER_RESULTS = re.compile(r"results/(?!sample/).*-seed.*\.json")


class Clone:
    """A checkout in a Git repository of its own, with an empty home: all tracked files, few of the kept results."""

    def __init__(self, folder: Path, *, git: bool = True):
        self.root = folder / "clone"
        self.home = folder / "home"
        self.home.mkdir()
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists() and not _OTHER_RESULTS.fullmatch(name):
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        make_small(self.root / "params.yaml")
        if git:
            self.run("git", "init", "-q", "-b", "main")
            self.run("git", "config", "user.name", "clone")
            self.run("git", "config", "user.email", "clone@example.org")
            self.run("git", "add", "-A")
            self.run("git", "commit", "-qm", "clone")

    def run(self, *command: str, timeout: float = 1800, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone and return what it did; with `check` a failure shows its output."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def environment(self) -> dict[str, str]:
        """Return the variables of a user who has just opened a terminal."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "SSL_CERT_FILE") if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        quiet = {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        return {**kept, **quiet, "PATH": path, "HOME": str(self.home), "PYTHONPATH": str(self.root)}

    def stages_run(self) -> list[str]:
        """Run `dvc repro` and name the stages that it ran, in order; `told` is what it showed."""
        done = self.run("dvc", "repro")
        self.told = done.stdout + done.stderr
        return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage '")]

    def edit(self, path: str, value: object) -> None:
        """Set one dotted key of params.yaml."""
        edit(self.root / "params.yaml", {path: value})


SMALL = stages.SMALL | {
    f"variants.{variant}.{key}": value
    for variant, epochs in EPOCHS.items()
    for key, value in (("training.epochs", epochs), ("gate.max_top1_error", GATES[variant]))
}
"""Those of the benchmark of stages, with the epochs and gates from above."""


def make_small(path: Path) -> None:
    """Shrink the sample run."""
    edit(path, SMALL)
