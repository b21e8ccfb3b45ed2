"""Completes the parent runs in MLflow: writes a description of all stages that are up to date to the spool."""

import json
import uuid
from pathlib import Path
from typing import Any

from pipeline.config.load import PARAMS_FILE, Config, check
from pipeline.environment.git import committed
from pipeline.environment.workspace import Workspace, scratch_of
from pipeline.environment.yaml_file import parse
from pipeline.stages.dvc_lock import LOCK_FILE, parse_lock, read_lock
from pipeline.stages.table import COMPARISON_FOLDER, EVALUATIONS, all_items, ancestors
from pipeline.tracking import spool, uploads
from pipeline.tracking.run_descriptions import run_identity, state_rows
from pipeline.tracking.spool import StageDescription, StandingEvent, StandingRow
from pipeline.tracking.stage_runs import current_stage, locked_stage
from pipeline.tracking.tracking_uri import default_store, tracking_uri
from pipeline.tracking.uploads import send_all

_RECORDED = "linked.json"
_FIGURES = ("errors.png", "learning_curves.png")
_WITHOUT_WORDS = "gallery"  # the report's images in one picture, which says nothing alone
PATIENCE_SECONDS = 60.0


def describe(workspace: Workspace, config: Config, pipeline: str = "") -> StandingEvent | None:
    """Describe every stage that is up to date, as an event; None where none is.

    Args:
        workspace: Whose stages.
        config: The checked params.yaml.
        pipeline: The pipeline run that made or skipped them, "" for whichever did.
    """
    described: dict[str, StageDescription | None] = {}
    for item in all_items(config.values):
        # What was made from something that is out of date is as DVC locked it, and yet not of these parameters.
        current = all(described[earlier.address] for earlier in ancestors(item, config.values))
        described[item.address] = current_stage(workspace, item, config) if current else None
    root, text = workspace.root, (workspace.root / PARAMS_FILE).read_text(encoding="utf-8")
    event = _event(state_rows(root, text, config, described, read_lock(root), pipeline))
    return event and {**event, "identity": run_identity(root, config)}


def describe_experiment(home: Path, revision: str, pipeline: str) -> StandingEvent | None:
    """Describe the stages of a DVC experiment whose folder is gone, from the commit that DVC made of it.

    Args:
        home: Folder of the repository.
        revision: The commit.
        pipeline: The experiment's pipeline run.
    """
    params, locked = committed(home, revision, PARAMS_FILE), committed(home, revision, LOCK_FILE)
    if not params or not locked:
        return None
    written = parse(params, PARAMS_FILE)
    config, lock = check(written), parse_lock(locked)
    items = all_items(config.values)
    described: dict[str, StageDescription | None] = {}
    for item in items:
        # An experiment that was asked for some stages keeps the entries of the others, which are of other runs.
        current = lock.has_params(item, written) and lock.is_consistent(item.address, [each.address for each in items])
        current = current and all(described[earlier.address] for earlier in ancestors(item, config.values))
        described[item.address] = locked_stage(lock, item) if current else None
    return _event(state_rows(home, params, config, described, lock, pipeline))


def _event(rows: list[StandingRow]) -> StandingEvent | None:
    return {"event": "standing", "time": spool.now(), "rows": rows} if rows else None


def _is_recorded(home: Path, event: StandingEvent) -> bool:
    """Whether the rows of this very state were completed before, in the store that is used now."""
    store = default_store(home)
    if store and not store.exists():
        return False
    try:
        known = json.loads((scratch_of(home) / _RECORDED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return known == _summary(tracking_uri(home), event)


def with_files(root: Path, event: StandingEvent) -> StandingEvent:
    """Name for each row what its page in MLflow is to hold: the report, the main figures and the model card.

    Args:
        root: Folder of the repository, which made them.
        event: A description of its stages.
    """
    return {**event, "rows": [{**row, "files": _files(root, row)} for row in event["rows"]]}


def _files(root: Path, row: StandingRow) -> list[list[str]]:
    current, variant = {stage["stage"] for stage in row["standing"]}, row["variant"]
    found: list[list[str]] = []
    if "compare" in current:
        report = root / COMPARISON_FOLDER
        kinds = sorted(path.stem for path in (root / EVALUATIONS / variant).glob("*.png"))
        pictures = [f"{kind}_{variant}.png" for kind in kinds if kind != _WITHOUT_WORDS]  # as `compare` copies them
        figures = [report / name for name in (*_FIGURES, *pictures)]
        found += [[str(root / "reports/report.html"), ""], *([str(figure), "figures"] for figure in figures)]
    if f"export@{variant}" in current:
        found.append([str(root / "exports" / variant / "model_card.md"), ""])
    return [pair for pair in found if Path(pair[0]).is_file()]


def put(home: Path, event: StandingEvent) -> Path:
    """Put a description into the spool, and remember the state that it describes."""
    folder = spool.folder_for(scratch_of(home), event["time"], f"standing-{uuid.uuid4().hex[:8]}")
    spool.append(folder, event)
    (scratch_of(home) / _RECORDED).write_text(json.dumps(_summary(tracking_uri(home), event)), encoding="utf-8")
    return folder


def complete(workspace: Workspace, config: Config) -> str | None:
    """Give the present state its rows, if it has none yet, and send what waits; return None, or what is in the way."""
    uploads.wait(workspace.home, PATIENCE_SECONDS)
    event = describe(workspace, config)
    if event and not _is_recorded(workspace.home, event):
        put(workspace.home, with_files(workspace.root, event))
    return send_all(workspace.home)


def _summary(uri: str, event: StandingEvent) -> dict[str, Any]:
    return {"uri": uri, "states": {row["variant"]: row["state"] for row in event["rows"]}}
