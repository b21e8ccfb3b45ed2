"""What a run of a stage costs, and on which machine: it differs from run to run, so no output has it.

It is one JSON file a run in the scratch folder: `{"cost": {...}, "machine": {...}}`.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet_tf.devices.peak_memory import largest_peak_memory_bytes
from components.interfaces import Tracker
from pipeline.stages.outputs import write_text
from pipeline.stages.table import Item

PREFIX = "cost/"


class Meter:
    """Measures from its making on.

    Attributes:
        reported: What the stage itself says of its costs. `earlier_wall_seconds` and `earlier_cpu_seconds`, which a
            resumed training names, are what the steps before had cost, and part of what the run cost.
    """

    def __init__(self) -> None:
        self.reported: dict[str, float] = {}
        self._wall = time.perf_counter()
        self._cpu = _cpu_seconds()

    def read(self) -> dict[str, float]:
        """Return wall_seconds, cpu_seconds (with children) and peak_memory_bytes (of the largest process here)."""
        return {
            "wall_seconds": time.perf_counter() - self._wall + self.reported.get("earlier_wall_seconds", 0.0),
            "cpu_seconds": _cpu_seconds() - self._cpu + self.reported.get("earlier_cpu_seconds", 0.0),
            "peak_memory_bytes": largest_peak_memory_bytes(),
        }

    def write(self, folder: Path, item: Item, fingerprint: str, machine: Mapping[str, str]) -> None:
        """Write what was measured, what the stage itself reported, and the machine that it ran on."""
        content = {"cost": self.read() | self.reported, "machine": dict(machine)}
        write_text(timings_path(folder, item, fingerprint), json.dumps(content, indent=1, sort_keys=True) + "\n")


def timings_path(folder: Path, item: Item, fingerprint: str) -> Path:
    """Name the file that holds the costs of one run."""
    return folder / f"{item.stage.name}-{item.key or 'all'}-{fingerprint}.json"


def read_timings(folder: Path, item: Item, fingerprint: str) -> dict[str, float]:
    """Read the costs of one run; empty where it did not run on this machine."""
    return _content(folder, item, fingerprint).get("cost", {})


def read_machine(folder: Path, item: Item, fingerprint: str) -> dict[str, str]:
    """Read the versions and the machine of one run; empty where it did not run here."""
    return _content(folder, item, fingerprint).get("machine", {})


def _content(folder: Path, item: Item, fingerprint: str) -> dict[str, Any]:
    try:
        return json.loads(timings_path(folder, item, fingerprint).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def cost_metrics(stage: str, cost: Mapping[str, float]) -> dict[str, float]:
    """Name a stage's costs as the row has them: its wall seconds; of training, all that it reported."""
    named = {f"cost/{stage}_seconds": cost["wall_seconds"]} if "wall_seconds" in cost else {}
    if stage == "train":
        named |= {f"cost/{name}": value for name, value in cost.items() if name != "wall_seconds"}
    return named


class CostTracker:
    """Passes everything on to a tracker, and to a meter the last value of each metric named `cost/...`."""

    def __init__(self, tracker: Tracker, meter: Meter) -> None:
        self._tracker = tracker
        self._meter = meter

    def metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Pass numbers on."""
        for name, value in values.items():
            if name.startswith(PREFIX):
                self._meter.reported[name.removeprefix(PREFIX)] = float(value)
        self._tracker.metrics(values, step=step)

    def step_metrics(self, values: Mapping[str, Sequence[float]], *, first: int) -> None:
        """Pass the numbers of steps on."""
        self._tracker.step_metrics(values, first=first)

    def tags(self, values: Mapping[str, str]) -> None:
        """Pass words on."""
        self._tracker.tags(values)

    def artifact(self, path: Path, *, folder: str = "") -> None:
        """Pass a file on."""
        self._tracker.artifact(path, folder=folder)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
