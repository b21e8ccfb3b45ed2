"""A fresh clone of this repository with small parameters, in which tests run the real commands."""

import re
import shutil
import subprocess
from pathlib import Path

from checkout import Checkout

from benchmarks import stages
from benchmarks.stages import edit

ROOT = Path(__file__).resolve().parent.parent
README_COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for line in block.splitlines()
]
PARAMS = "\n".join((ROOT / name).read_text() for name in ("experiments/sample.yaml", "pipeline/config/runtime.yaml"))
"""params.yaml as it is committed, whatever `alexnet use` has made of it."""
EPOCHS = {"faithful": 1, "optimized": 3}
"""Of the small run; a training of three can be killed between two checkpoints."""
GATES = {"faithful": 0.0, "optimized": 1.0}
"""Largest top-1 errors: `faithful` is refused, `optimized` is exported."""
_OTHER_RESULTS = re.compile(r"results/(?!sample/).*(-seed|/verified/).*\.json")


class Clone(Checkout):
    """A checkout in a Git repository of its own, with an empty home: all tracked files, few of the kept results."""

    def __init__(self, folder: Path, *, git: bool = True, **settings: str):
        super().__init__(folder, "clone", settings)
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists() and not _OTHER_RESULTS.fullmatch(name):
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        (self.root / "params.yaml").write_text(PARAMS)
        make_small(self.root / "params.yaml")
        if git:
            self.run("git", "init", "-q", "-b", "main")
            self.run("git", "config", "user.name", "clone")
            self.run("git", "config", "user.email", "clone@example.org")
            self.run("git", "add", "-A")
            self.run("git", "commit", "-qm", "clone")

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
