"""Trainings in processes of their own, which tests kill, stop by signals, and run as workers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WRITTEN = ("model/weights.safetensors", "model/model.json", "report/history.csv", "report/metrics.json")
CHILD = """
import sys
from contextlib import nullcontext
from pathlib import Path
from alexnet_tf.training import loop as fit
from alexnet_tf.errors import AlexNetError, Stopped
from components import train
from components.interfaces import Runtime, SilentProgress
from pipeline.environment.interruption import Interruption

class Steps(SilentProgress):
    "Writes how far an earlier process came, and how far this one is."
    taken = 0

    def task(self, *_, **__):
        return nullcontext(self)

    def advance(self, number, **figures):
        if "loss" not in figures:
            (out / "resumed").write_text(str(number))
        self.taken += number
        (out / "step").write_text(str(self.taken))

params = train.Params.model_validate_json(Path(sys.argv[1]).read_text())
inputs = train.Inputs(Path(sys.argv[2]) / "records", Path(sys.argv[2]) / "statistics")
out = Path(sys.argv[3])
fit.SECONDS_PER_CALL = float(sys.argv[4])
interval, scratch, devices = float(sys.argv[5]), out / sys.argv[6], tuple(sys.argv[7:])
runtime = Runtime(devices=devices, scratch=scratch, checkpoint_interval_seconds=interval, progress=Steps())
interruption = Interruption(runtime.stop, "train")
try:
    with interruption.heard():
        train.run(inputs, train.Outputs(out / "model", out / "report"), params, runtime)
except (Stopped, KeyboardInterrupt) as error:
    print(f"{type(error).__name__}: {error}", flush=True)
    sys.exit(128 + interruption.number)
except AlexNetError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


class Trainings:
    """Processes that train, each with a folder of its name below `folder`."""

    def __init__(self, inputs, folder: Path, root: Path):
        self._inputs, self._folder, self._root, self._started = inputs, folder, root, []

    def start(
        self,
        name,
        params,
        *,
        config=None,
        seconds_per_call=0.0,
        interval=-1.0,
        devices=(),
        scratch="scratch",
        before="",
    ) -> subprocess.Popen:
        """Start one; `before` is code that it runs first, `config` its TF_CONFIG."""
        out = self._folder / name
        out.mkdir(exist_ok=True)
        for known in ("resumed", "step"):
            (out / known).unlink(missing_ok=True)
        (out / "params.json").write_text(params.model_dump_json())
        folder = self._inputs.records.parent
        arguments = [out / "params.json", folder, out, seconds_per_call, interval, scratch, *devices]
        environment = {**os.environ, **({"TF_CONFIG": json.dumps(config)} if config else {})}
        command = [sys.executable, "-c", before + CHILD, *map(str, arguments)]
        with (out / "log.txt").open("ab") as log:
            child = subprocess.Popen(command, cwd=self._root, env=environment, stdout=log, stderr=log)
        self._started.append(child)
        return child

    def wait_for_steps(self, child: subprocess.Popen, name: str, steps: int) -> None:
        """Wait until this process has taken so many, or has ended."""
        while child.poll() is None and self._number(name, "step") - self.resumed(name) < steps:
            time.sleep(0.001)

    def resumed(self, name: str) -> int:
        """After which step of earlier processes the last one went on."""
        return self._number(name, "resumed")

    def log(self, name: str) -> str:
        """What its processes printed."""
        return (self._folder / name / "log.txt").read_text()

    def same_bytes(self, one: str, other: str) -> bool:
        """Whether both trainings wrote the same."""
        left, right = self._folder / one, self._folder / other
        return all((left / name).read_bytes() == (right / name).read_bytes() for name in WRITTEN)

    def end(self) -> None:
        """Kill what still runs."""
        for child in self._started:
            child.kill()
            child.wait()

    def _number(self, name: str, file: str) -> int:
        path = self._folder / name / file
        return int(text) if path.exists() and (text := path.read_text()) else 0  # "" while it is written


@contextmanager
def trainings(inputs, folder: Path, root: Path) -> Iterator[Trainings]:
    """Trainings of which none is left at the end."""
    made = Trainings(inputs, folder, root)
    try:
        yield made
    finally:
        made.end()
