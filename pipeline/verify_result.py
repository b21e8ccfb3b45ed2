"""Runs a kept result again, from its own commit, and compares what comes out with what the result says."""

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from alexnet_tf.errors import AlexNetError
from pipeline.certificate import Certificate, compared, machine, this_machine
from pipeline.clean_folder import clean_folder, rerun
from pipeline.config import PARAMS_FILE, load
from pipeline.experiments import text_of
from pipeline.results import Result
from pipeline.workspace import Workspace
from pipeline.yaml_file import parse, with_overrides

_STAGES = ("download", "validate", "preprocess", "statistics", "train", "evaluate")  # what one variant alone needs
_PREFIXES = {"train": "train/", "evaluate": "test/"}  # of the numbers of their metrics.json on the row


def verify_result(
    workspace: Workspace, result: Result, *, tolerance: float, keep: bool, say: Callable[[str], None]
) -> Certificate:
    """Run what a kept result came from again: its commit, its experiment with its changes, from the data on.

    Args:
        workspace: A clone that has the commit; `runtime` of its params.yaml says where data sets lie, and the devices.
        result: What is claimed.
        tolerance: How far numbers may lie apart where bytes differ.
        keep: Leave the clean folder in place.
        say: Shows one line to the user.

    Raises:
        AlexNetError: The commit is not there, or the rerun fails.
    """
    commit = _commit(workspace, result)
    runtime = load(workspace.root / PARAMS_FILE).runtime
    stages = [each for each in result.row["standing"] if each["stage"].partition("@")[0] in _STAGES]
    with clean_folder(workspace, commit, runtime.source_folder, keep=keep, say=say) as folder:
        experiment = parse(text_of(folder, result.experiment), result.experiment)
        params, _ = with_overrides(experiment, [f"{key}={json.dumps(to)}" for key, to in result.changes.items()])
        params["runtime"] = json.loads(runtime.model_dump_json())
        (folder / PARAMS_FILE).write_text(json.dumps(params, indent=1), encoding="utf-8")  # JSON is YAML
        rerun(folder, [each["stage"] for each in stages])
        outputs = tuple(
            compared(
                each["stage"],
                folder,
                name.removeprefix("dvc.out."),
                claimed,
                before=lambda each=each: _claimed_numbers(each),
                tolerance=tolerance,
            )
            for each in stages
            for name, claimed in each["outs"].items()
        )
    return Certificate(
        commit, False, tolerance, outputs, this_machine(workspace.root), claimed_on=machine(result.row["tags"])
    )


def _commit(workspace: Workspace, result: Result) -> str:
    commit = result.row["tags"].get("mlflow.source.git.commit", "")
    command = ["git", "cat-file", "-e", f"{commit}:pipeline/rerun.py"]
    if not commit or subprocess.run(command, cwd=workspace.root, capture_output=True, check=False).returncode:
        raise AlexNetError(
            f"{result.path}: commit {commit[:12] or 'unknown'}, which it was run from, is not in this repository or is "
            "older than `verify`; clone the whole history (`git fetch --unshallow`)"
        )
    return commit


def _claimed_numbers(stage: Mapping[str, Any]) -> dict[str, float] | None:
    prefix = _PREFIXES.get(stage["stage"].partition("@")[0])
    if prefix is None:
        return None
    return {name.removeprefix(prefix): value for name, value in stage["metrics"].items() if name.startswith(prefix)}
