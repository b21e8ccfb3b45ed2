"""What is recorded: the parent runs of a pipeline run, and what each stage was made from.

In MLflow, each variant of a pipeline run is a parent run with all parameters of the variant and its headline metrics.
Stage runs are its children. A stage that several variants share is a child of each of them, so every parent run shows
its whole chain. A skipped stage is found by its fingerprint: the parent run copies its metrics and names the run that
made them.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config.load import PARAMS_FILE, Config
from pipeline.environment.dotted import at, words
from pipeline.environment.processes import pipeline_key
from pipeline.environment.provenance import provenance_tags
from pipeline.environment.workspace import Workspace
from pipeline.stages.dvc_lock import Lock, dvc_md5, read_lock
from pipeline.stages.fingerprint import code_digest, content_digest
from pipeline.stages.table import Item, all_items, ancestors, served_variants
from pipeline.tracking.origins import origin_tags
from pipeline.tracking.spool import RowDescription, StageDescription, StandingRow, StartRow
from pipeline.tracking.stage_runs import earlier_stage

_NOT_SHARED = ("images", "variants", "compare", "runtime")  # sections of params.yaml


def stage_entry(workspace: Workspace, item: Item, config: Config, identity: str) -> dict[str, Any]:
    """Describe the run itself: its name, fingerprint, parameters and tags."""
    inputs = _input_hashes(workspace, item, config)
    tags = {f"dvc.dep.{path}": digest for path, digest in inputs.items() if digest}
    return {
        "name": item.address,
        "fingerprint": identity,
        "params": words(config.params[item.address].model_dump(mode="json")),
        "tags": tags | {"dvc.stage": item.address} | provenance_tags(workspace.root),
    }


def _input_hashes(workspace: Workspace, item: Item, config: Config) -> dict[str, str | None]:
    """Find DVC's hash of each input.

    What a stage wrote is in the lock. What Git holds, and the folders of all variants' reports, are small and hashed
    here.
    """
    hashes = read_lock(workspace.root).hashes
    written = {path for each in all_items(config.values) for path in each.outputs().values()}
    paths = item.inputs().values()
    return {path: hashes.get(path) if path in written else dvc_md5(workspace.root / path) for path in paths}


def row_entries(workspace: Workspace, item: Item, config: Config) -> list[StartRow]:
    """Describe the row of each variant that `item`, about to run, serves, with the stages before it."""
    rows: list[StartRow] = []
    text = (workspace.root / PARAMS_FILE).read_text(encoding="utf-8")
    for variant in served_variants(item, config.values):
        before = [
            earlier_stage(workspace, each, config)
            for each in ancestors(item, config.values)
            if variant in served_variants(each, config.values)
        ]
        row = _row_entry(workspace.root, text, config, variant, pipeline_key())
        rows.append({**row, "before": [each for each in before if each]})
    return rows


def run_identity(root: Path, config: Config) -> str:
    """Hash what a pipeline run and its continuation have in common: params.yaml but for `runtime`, and the code."""
    values = {name: value for name, value in config.values.items() if name != "runtime"}
    return _digest([values, code_digest(root)])


def state_rows(
    root: Path,
    text: str,
    config: Config,
    described: Mapping[str, StageDescription | None],
    lock: Lock,
    pipeline: str,
) -> list[StandingRow]:
    """Describe the row of each variant with every stage that is up to date.

    Args:
        root: Folder of the repository.
        text: The text of params.yaml.
        config: The same, checked.
        described: Address -> description of the stage, None where it is not up to date.
        lock: What DVC locked.
        pipeline: The pipeline run that has just ended; "" where none has, and the rows are those of the present
            state, which is found again by what it is.

    Returns:
        One description a variant of which any stage is up to date.
    """
    rows: list[StandingRow] = []
    for variant in config.values["variants"]:
        own = [item for item in all_items(config.values) if variant in served_variants(item, config.values)]
        current = [each for item in own if (each := described[item.address])]
        if not current:
            continue
        row = _row_entry(root, text, config, variant, pipeline)
        state = _digest([row["params"], [[each["stage"], each["outs"]] for each in current]])
        complete = len(current) == len(own)
        rows.append(
            {
                **row,
                "key": row["key"] if pipeline else _digest(["state", variant, state]),
                "standing": current,
                "state": state,
                "state_tags": {"alexnet.state": state, "alexnet.complete": str(complete).lower()},
                "datasets": [
                    _dataset_entry(config, item, path, lock.hashes[path])
                    for item in own
                    for path in _data_of(item)
                    if described[item.address] and path in lock.hashes
                ],
            }
        )
    return rows


def _row_entry(root: Path, text: str, config: Config, variant: str, pipeline: str) -> RowDescription:
    params, tags = row_params(config.values, variant), provenance_tags(root)
    return {
        "variant": variant,
        "key": _digest([pipeline, variant, params]),
        "pipeline": pipeline,
        "params": params,
        "tags": tags | origin_tags(root, text, config.values, variant),
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def dataset_entries(workspace: Workspace, item: Item, config: Config) -> list[dict[str, str]]:
    """Describe the data that the stage reads, with DVC's hash as digest (36 characters fit)."""
    hashes = read_lock(workspace.root).hashes
    return [
        _dataset_entry(config, item, path, hashes.get(path) or content_digest(workspace.root / path)[:32])
        for path in _data_of(item)
    ]


def _data_of(item: Item) -> list[str]:
    return [path for field, path in item.inputs().items() if field in ("dataset", "records")]


def _dataset_entry(config: Config, item: Item, path: str, digest: str) -> dict[str, str]:
    name = f"{at(config.values, 'download.source')}/{path.removeprefix('data/')}"
    return {"name": name, "digest": digest[:36], "path": path, "context": item.stage.name}


def row_params(values: Mapping[str, Any], variant: str) -> dict[str, str]:
    """All that decides a variant's result, named alike for every variant so that rows can be compared."""
    own = values["variants"][variant]
    shared = {name: section for name, section in values.items() if name not in _NOT_SHARED}
    return words(shared | {"image": values["images"][own["images"]]} | dict(own))
