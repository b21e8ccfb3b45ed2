"""Runs a kept result again, from the commit that it names, and compares what comes out with what the result says."""

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from alexnet_tf.errors import AlexNetError
from pipeline.config.experiments import text_of
from pipeline.config.load import PARAMS_FILE, load
from pipeline.environment.provenance import machine, this_machine
from pipeline.environment.workspace import Workspace
from pipeline.environment.yaml_file import parse, with_overrides
from pipeline.results.kept import Result
from pipeline.tracking.stage_runs import headline_prefix
from pipeline.verify.certificate import Certificate, compared
from pipeline.verify.clean_checkout import clean_folder, rerun

_STAGES = ("download", "validate", "preprocess", "statistics", "train", "evaluate")  # what one variant alone needs


def verify_result(
    workspace: Workspace, result: Result, *, tolerance: float, keep: bool, say: Callable[[str], None]
) -> Certificate:
    """Run a kept result again: its commit, its experiment with its changes, from the data to the evaluation.

    What was not committed when it was kept is not there; where that mattered, the bytes differ.

    Args:
        workspace: A clone that has the commit; `runtime` of its params says where data sets lie, and the devices.
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
    with clean_folder(workspace, commit, None, keep=keep, say=say) as folder:
        experiment = parse(text_of(folder, result.experiment), result.experiment)
        params, _ = with_overrides(experiment, [f"{key}={json.dumps(to)}" for key, to in result.changes.items()])
        params["runtime"] = json.loads(runtime.model_dump_json())
        if runtime.source_folder:
            params["runtime"]["source_folder"] = str(workspace.located(runtime.source_folder))
        (folder / PARAMS_FILE).write_text(json.dumps(params, indent=1), encoding="utf-8")  # JSON is YAML
        # Without the tag, the run had TensorFlow's own choice for its processor; so has its commit.
        onednn = {"TF_ENABLE_ONEDNN_OPTS": result.row["tags"].get("env.onednn")}
        rerun(folder, [each["stage"] for each in stages], onednn)
        outputs = tuple(
            compared(
                each["stage"],
                folder,
                path,
                claimed,
                before=_before(each, path),
                tolerance=tolerance,
            )
            for each in stages
            for path, claimed in ((name.removeprefix("dvc.out."), claimed) for name, claimed in each["outs"].items())
        )
    here, there = this_machine(workspace.root), machine(result.row["tags"])
    return Certificate(result.path, commit, False, tolerance, outputs, here, claimed_on=there)


def _commit(workspace: Workspace, result: Result) -> str:
    commit = result.row["tags"].get("mlflow.source.git.commit", "")
    if not commit or not _in_git(workspace, f"{commit}^{{commit}}"):
        raise AlexNetError(
            f"{result.path}: the commit that it names, {commit[:12] or 'none'}, is not in this repository; "
            "clone the whole history (`git fetch --unshallow`)"
        )
    for needed in ("pipeline/rerun.py", f"experiments/{result.experiment}.yaml"):
        if not _in_git(workspace, f"{commit}:./{needed}"):
            raise AlexNetError(
                f"{result.path}: its commit {commit[:12]} has no {needed}, so it cannot be run by `verify`"
            )
    return commit


def _in_git(workspace: Workspace, name: str) -> bool:
    command = ["git", "cat-file", "-e", name]
    return subprocess.run(command, cwd=workspace.root, capture_output=True, check=False).returncode == 0


def _before(stage: Mapping[str, Any], path: str) -> Callable[[], dict[str, float] | None] | None:
    """Return what reads the claimed numbers of an output, None of one whose numbers do not count."""
    prefix = headline_prefix(stage["stage"], path)
    if prefix is None:
        return None
    start = f"{prefix}/"
    metrics = {name.removeprefix(start): value for name, value in stage["metrics"].items() if name.startswith(start)}
    return lambda: metrics or None
