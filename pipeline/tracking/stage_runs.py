"""Describes stages that are up to date: they ran, now, before or on another machine, and nothing has changed since.

DVC starts no process for a stage that it skips or takes from its cache. What such a stage adds to its parent run is
therefore read from its outputs and from dvc.lock. If there is no run of it, in a fresh clone or after the store was
lost, the same description is enough to recreate that run.
"""

import csv
import json
from pathlib import Path
from typing import Any

from alexnet_tf.training.history import charted
from pipeline.config.load import Config, params_as_written
from pipeline.environment.dotted import numbers, words
from pipeline.environment.workspace import Workspace
from pipeline.stages.cost import cost_metrics, read_timings, timings_path
from pipeline.stages.dvc_lock import Lock, read_lock
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.table import STAGES, Item
from pipeline.tracking.spool import StageDescription

_PREFIXES = {"train": "train", "evaluate": "test"}  # stage -> prefix, on the row, of the numbers in its metrics.json


def earlier_stage(workspace: Workspace, item: Item, config: Config) -> StageDescription | None:
    """Describe a stage that the one about to run needs; None where it is not known what made its outputs.

    It is known where the stage ran on this machine with the parameters of now, or was locked by DVC with them.
    """
    try:
        identity = fingerprint(workspace.root, item, config.params[item.address])
    except OSError:
        return None
    ran_here = timings_path(workspace.timings, item, identity).exists()
    if not ran_here and not read_lock(workspace.root).has_params(item, params_as_written(workspace.root)):
        return None
    return _described(workspace, item, identity)


def current_stage(workspace: Workspace, item: Item, config: Config) -> StageDescription | None:
    """Describe a stage whose parameters, code, inputs and outputs are all as DVC locked them, else None.

    The description has all that is needed to make its run again.
    """
    lock = read_lock(workspace.root)
    try:
        if not lock.is_current(workspace.root, item, params_as_written(workspace.root)):
            return None
        identity = fingerprint(workspace.root, item, config.params[item.address])
    except OSError:
        return None
    inputs = lock.inputs(item)
    return {
        **_described(workspace, item, identity),
        "remake": {
            "time": _modified(workspace.root / next(iter(item.outputs().values()))),
            "params": words(config.params[item.address].model_dump(mode="json")),
            "tags": {f"dvc.dep.{path}": digest for path, digest in inputs.items()} | {"dvc.stage": item.address},
            "curves": _curves(workspace.root / item.outputs()["report"]) if item.stage.name == "train" else [],
            "cost": read_timings(workspace.timings, item, identity),
            "reports": [str(workspace.root / path) for path in item.outputs().values() if path.startswith("reports/")],
        },
    }


def _described(workspace: Workspace, item: Item, identity: str) -> StageDescription:
    cost = read_timings(workspace.timings, item, identity)
    return {
        "stage": item.address,
        "fingerprint": identity,
        "metrics": headline_metrics(workspace.root, item) | cost_metrics(item.stage.name, cost),
        "outs": _out_tags(read_lock(workspace.root), item),
    }


def locked_stage(lock: Lock, item: Item) -> StageDescription | None:
    """Describe a stage of an experiment whose folder is gone, from its dvc.lock; None where that does not name it."""
    outs = _out_tags(lock, item)
    return {"stage": item.address, "fingerprint": "", "metrics": {}, "outs": outs} if outs else None


def _out_tags(lock: Lock, item: Item) -> dict[str, str]:
    return {f"dvc.out.{path}": digest for path, digest in lock.outputs(item).items()}


def headline_metrics(root: Path, item: Item) -> dict[str, float]:
    """Read the numbers of a stage that belong on its variant's row, by their names there."""
    if (prefix := _PREFIXES.get(item.stage.name)) is None:
        return {}
    try:
        content = json.loads((root / item.outputs()["report"] / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {f"{prefix}/{name}": value for name, value in numbers(content).items()}


def headline_prefix(address: str, path: str) -> str | None:
    """Prefix, on a variant's row, of the numbers in an output's metrics.json; None where it has none of them."""
    stage, _, variant = address.partition("@")
    if stage in _PREFIXES and STAGES[stage].outputs["report"].format(variant=variant) == path:
        return _PREFIXES[stage]
    return None


def _curves(report: Path) -> list[dict[str, Any]]:
    """Read the numbers of each epoch, under the names that training gives them in MLflow."""
    try:
        with (report / "history.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return []
    return [{"step": int(row["epoch"]), "values": charted(row)} for row in rows]


def _modified(path: Path) -> int:
    """When an output was made here, in milliseconds since 1970."""
    return path.stat().st_mtime_ns // 1_000_000
