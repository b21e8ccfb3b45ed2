"""What is recorded when a stage starts: the comparable rows that it belongs to, and what it was made from.

In MLflow, each variant of a pipeline run is one row at the top level, which carries all of the variant's
parameters and its headline metrics. Stage runs stand below the rows. A stage that several variants share
stands below each of them, so every row shows its whole chain. A stage that was skipped, because nothing it
needs has changed, is looked up by its fingerprint: its row takes over the metrics and names the run that made
them.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import Config, at
from pipeline.cost import read_timings
from pipeline.dag import Item
from pipeline.fingerprint import content_digest, fingerprint
from pipeline.graph import ancestors, served_variants
from pipeline.provenance import dvc_hashes, pipeline_key, provenance_tags
from pipeline.workspace import Workspace

_HEADLINES = {
    "train": ("reports/train/{variant}/metrics.json", "train"),
    "evaluate": ("reports/evaluate/{variant}/metrics.json", "test"),
}


def stage_entry(workspace: Workspace, item: Item, config: Config, identity: str) -> dict[str, Any]:
    """Describe the run itself: its name, fingerprint, parameters and tags."""
    hashes = dvc_hashes(workspace.root)
    tags = {f"dvc.dep.{path}": hashes[path] for path in item.inputs().values() if path in hashes}
    return {
        "name": item.address,
        "fingerprint": identity,
        "params": flat(json.loads(config.params[item.address].model_dump_json())),
        "tags": tags | {"dvc.stage": item.address} | provenance_tags(workspace.root),
    }


def row_entries(workspace: Workspace, item: Item, config: Config) -> list[dict[str, Any]]:
    """Describe the row of each variant that `item` serves, with the stages before it."""
    pipeline = pipeline_key()
    rows = []
    for variant in served_variants(item, config.values):
        params = row_params(config.values, variant)
        key = hashlib.sha256(json.dumps([pipeline, variant, params], sort_keys=True).encode()).hexdigest()
        before = [
            _earlier(workspace, each, config)
            for each in ancestors(item, config.values)
            if variant in served_variants(each, config.values)
        ]
        rows.append(
            {
                "variant": variant,
                "key": key[:32],
                "pipeline": pipeline,
                "params": params,
                "tags": provenance_tags(workspace.root),
                "before": [each for each in before if each],
            }
        )
    return rows


def _earlier(workspace: Workspace, item: Item, config: Config) -> dict[str, Any] | None:
    """Describe a stage that has run, now or before; None where its outputs are gone."""
    try:
        identity = fingerprint(workspace.root, item, config.params[item.address])
    except OSError:
        return None
    metrics = {
        f"{prefix}/{name}": value
        for prefix, values in headline_metrics(workspace.root, item).items()
        for name, value in values.items()
    }
    cost = read_timings(workspace.scratch / "timings", item, identity)
    hashes = dvc_hashes(workspace.root)
    return {
        "stage": item.address,
        "fingerprint": identity,
        "metrics": metrics | cost_metrics(item.stage.name, cost),
        "outs": {f"dvc.out.{path}": hashes[path] for path in item.outputs().values() if path in hashes},
    }


def dataset_entries(workspace: Workspace, item: Item, config: Config) -> list[dict[str, str]]:
    """Describe the data that the stage reads or makes, with DVC's hash as digest (36 characters fit)."""
    source = at(config.values, "download.source")
    hashes = dvc_hashes(workspace.root)
    entries = []
    for field, path in item.inputs().items():
        if field in ("dataset", "records"):
            digest = hashes.get(path) or content_digest(workspace.root / path)[:32]
            name = f"{source}/{path.removeprefix('data/')}"
            entries.append({"name": name, "digest": digest[:36], "path": path, "context": item.stage.name})
    return entries


def row_params(values: Mapping[str, Any], variant: str) -> dict[str, str]:
    """All that decides a variant's result, named alike for every variant so that rows can be compared."""
    own = values["variants"][variant]
    shared = {name: values[name] for name in ("seed", "download", "validate", "preprocess")}
    return flat(shared | {"image": values["images"][own["images"]]} | dict(own))


def headline_metrics(root: Path, item: Item) -> dict[str, dict[str, float]]:
    """Read the numbers of a stage that belong on its variant's row: prefix -> name -> value."""
    if item.stage.name not in _HEADLINES:
        return {}
    path, prefix = _HEADLINES[item.stage.name]
    try:
        content = json.loads((root / item.fill(path)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {prefix: _numbers(content)}


def cost_metrics(stage: str, cost: Mapping[str, float]) -> dict[str, float]:
    """Name a stage's costs as they stand on the row: its wall seconds; of training, all that it reported."""
    named = {f"cost/{stage}_seconds": cost["wall_seconds"]} if "wall_seconds" in cost else {}
    if stage == "train":
        named |= {f"cost/{name}": value for name, value in cost.items() if name != "wall_seconds"}
    return named


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Write nested parameters as dotted names and words."""
    words: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            words |= flat(value, f"{above}{name}.")
        else:
            words[f"{above}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return words


def _numbers(content: Mapping[str, Any], above: str = "") -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            numbers |= _numbers(value, f"{above}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers[f"{above}{name}"] = float(value)
    return numbers
