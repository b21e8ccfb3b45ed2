"""Reruns committed stages, or a kept result, in a clean folder and compares what comes out with what is claimed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alexnet_tf.errors import AlexNetError, ConfigError
from alexnet_tf.nearest import nearest
from pipeline.config.experiments import text_of
from pipeline.config.load import PARAMS_FILE, Config, check, load
from pipeline.config.local_params import with_local
from pipeline.config.schema import RuntimeParams
from pipeline.environment.dotted import numbers
from pipeline.environment.git import commit_of, committed, has_object, require_working, uncommitted_changes
from pipeline.environment.provenance import machine, this_machine
from pipeline.environment.workspace import Workspace
from pipeline.environment.yaml_file import parse, with_overrides
from pipeline.results.kept import Result, outs_of
from pipeline.stages.claims import claimed_metrics
from pipeline.stages.dvc_cache import bring
from pipeline.stages.dvc_lock import LOCK_FILE, Lock, parse_lock
from pipeline.stages.table import METRICS_FILE, STAGES, Item, all_items, producers
from pipeline.tracking.stage_runs import headline_prefix
from pipeline.verify.certificate import Certificate, compared
from pipeline.verify.clean_checkout import clean_folder, rerun

_STAGES = tuple(STAGES)[: tuple(STAGES).index("evaluate") + 1]  # what the errors of one variant need


def verify(
    workspace: Workspace, address: str, *, tolerance: float, keep: bool, say: Callable[[str], None]
) -> Certificate:
    """Rerun one stage or all of them, and compare.

    Args:
        workspace: Whose commit.
        address: The stage, for example `train@faithful`; "" for all.
        tolerance: How far numbers may differ where bytes differ.
        keep: Leave the clean folder in place.
        say: Shows one line to the user.

    Raises:
        AlexNetError: There is no commit, no such stage, no lock of it, or the rerun fails.
    """
    commit, params, config, lock = _claims(workspace)
    wanted = [item for item in all_items(config.values) if address in ("", item.address)]
    if not wanted:
        known = [item.address for item in all_items(config.values)]
        told = f"{', '.join(known)}{nearest(address, known)}"
        raise ConfigError(f"verify: no stage {address!r} in the committed pipeline, which has {told}")
    if missing := [item.address for item in wanted if not lock.outputs(item)]:
        raise AlexNetError(
            f"verify: the committed {LOCK_FILE} has no outputs of {', '.join(missing)}; `dvc repro` and commit it"
        )
    with clean_folder(workspace, commit, keep=keep, say=say) as folder:
        _write_params(folder, params, workspace, config.runtime)
        if address:
            _bring_inputs(workspace, folder, wanted[0], config)
        rerun(folder, [item.address for item in wanted])
        outputs = tuple(
            compared(
                item.address, folder, path, claimed, before=_claimed_reader(workspace, item, path), tolerance=tolerance
            )
            for item in wanted
            for path, claimed in lock.outputs(item).items()
        )
    changes = uncommitted_changes(workspace.root)
    left_out = None if changes is None else bool(changes)
    return Certificate(LOCK_FILE, commit, left_out, tolerance, outputs, this_machine(workspace.root))


def _claimed_reader(workspace: Workspace, item: Item, path: str) -> Callable[[], dict[str, float] | None] | None:
    """Return what reads the numbers that dvc.lock claims, None of an output whose numbers do not count."""
    if path == METRICS_FILE:
        return lambda: numbers(claimed_metrics(workspace.root)) or None
    if not headline_prefix(item.address, path):
        return None
    return lambda: _claimed_numbers(workspace, item, path)


def _claimed_numbers(workspace: Workspace, item: Item, path: str) -> dict[str, float] | None:
    """Read the claimed numbers of a report from the tree, DVC's cache or the committed metrics.json."""
    with TemporaryDirectory() as place:
        if bring(workspace, Path(place), path):
            return numbers(json.loads((Path(place) / path / "metrics.json").read_text(encoding="utf-8")))
    metrics = claimed_metrics(workspace.root)
    return numbers(metrics.get(item.key, {}).get(item.stage.name, {})) or None


def _claims(workspace: Workspace) -> tuple[str, dict[str, Any], Config, Lock]:
    root = workspace.root
    commit = commit_of(root, "HEAD")
    params = committed(root, "HEAD", PARAMS_FILE)
    if not commit or params is None:
        require_working(root)
        raise AlexNetError(
            f"{root}: verify reruns committed code, but there is no commit; run `git init` and `alexnet setup`, then "
            "commit"
        )
    locked = committed(root, "HEAD", LOCK_FILE)
    if locked is None:
        raise AlexNetError(
            f"{root}: no {LOCK_FILE} is committed, so nothing can be verified; run `dvc repro`, then commit it"
        )
    written = parse(params, PARAMS_FILE)
    content, local = with_local(written, workspace.home, ())
    return commit, written, check(content, local=local), parse_lock(locked)


def _bring_inputs(workspace: Workspace, folder: Path, item: Item, config: Config) -> None:
    for path in item.inputs().values():
        for producer, written in producers(path, config.values):
            if not bring(workspace, folder, written):
                raise AlexNetError(
                    f"verify: {written}, which {item.address} reads, is not in DVC's cache as it was committed; "
                    "`alexnet verify` reruns everything, and "
                    f"`dvc pull {producer.address}` brings it where a remote is set"
                )


def verify_result(
    workspace: Workspace, result: Result, *, tolerance: float, keep: bool, say: Callable[[str], None]
) -> Certificate:
    """Run a kept result again: its commit, its experiment with its changes, from the data to the evaluation.

    What was not committed when it was kept is not there; where that mattered, the bytes differ.

    Args:
        workspace: A clone that has the commit; `runtime` of its params names the folder of data sets and the devices.
        result: What is claimed.
        tolerance: How far numbers may differ where bytes differ.
        keep: Leave the clean folder in place.
        say: Shows one line to the user.

    Raises:
        AlexNetError: The commit is not there, or the rerun fails.
    """
    commit = _commit(workspace, result)
    runtime = load(workspace.root).runtime
    stages = [each for each in result.row["standing"] if each["stage"].partition("@")[0] in _STAGES]
    with clean_folder(workspace, commit, keep=keep, say=say) as folder:
        experiment = parse(text_of(folder, result.experiment), result.experiment)
        params, _ = with_overrides(experiment, [f"{key}={json.dumps(to)}" for key, to in result.changes.items()])
        _write_params(folder, params, workspace, runtime)
        # Without the tag, the run had TensorFlow's own choice for its processor; so has its commit.
        onednn = result.row["tags"].get("env.onednn")
        rerun(folder, [each["stage"] for each in stages], {"TF_ENABLE_ONEDNN_OPTS": onednn})
        outputs = tuple(
            compared(each["stage"], folder, path, claimed, before=_kept_reader(each, path), tolerance=tolerance)
            for each in stages
            for path, claimed in outs_of(each).items()
        )
    here, there = this_machine(workspace.root) | {"env.onednn": onednn}, machine(result.row["tags"])
    here = {name: word for name, word in here.items() if word is not None}
    return Certificate(result.path, commit, False, tolerance, outputs, here, claimed_on=there)


def _write_params(folder: Path, params: Mapping[str, Any], workspace: Workspace, runtime: RuntimeParams) -> None:
    """Write the parameters of a rerun, with `runtime` as it is here."""
    theirs = parse((folder / PARAMS_FILE).read_text(encoding="utf-8"), PARAMS_FILE)["runtime"]
    content = {**params, "runtime": _runtime_of_another_version(theirs, workspace, runtime)}
    (folder / PARAMS_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")  # JSON is YAML


def _runtime_of_another_version(
    theirs: Mapping[str, Any], workspace: Workspace, runtime: RuntimeParams
) -> dict[str, Any]:
    """Return what is set here for code that may know fewer keys, or others.

    Args:
        theirs: The section `runtime` of that version's params.yaml.
        workspace: Where a relative `source_folder` begins.
        runtime: As it is here.
    """
    own = runtime.model_dump(mode="json")
    if runtime.source_folder:
        own["source_folder"] = str(workspace.located(runtime.source_folder))
    return {key: own.get(key, value) for key, value in theirs.items()}


def _commit(workspace: Workspace, result: Result) -> str:
    if not (commit := result.commit):
        raise AlexNetError(
            f"{result.path}: names no commit, as it was made without Git, so its code is not known; commit and "
            f"`alexnet verify train@{result.variant}` rerun what is here now"
        )
    if not has_object(workspace.root, f"{commit}^{{commit}}"):
        require_working(workspace.root)
        raise AlexNetError(
            f"{result.path}: the commit that it names, {commit[:12]}, is not in this repository; "
            "fetch the history that has it (in a shallow clone `git fetch --unshallow`)"
        )
    for needed in ("pipeline/rerun.py", f"experiments/{result.experiment}.yaml"):
        if not has_object(workspace.root, f"{commit}:./{needed}"):
            raise AlexNetError(
                f"{result.path}: its commit {commit[:12]} has no {needed}, so `verify` cannot run it; run it in "
                f"another clone: `{result.command}`"
            )
    return commit


def _kept_reader(stage: Mapping[str, Any], path: str) -> Callable[[], dict[str, float] | None] | None:
    """Return what reads the claimed numbers of an output, None of one whose numbers do not count."""
    prefix = headline_prefix(stage["stage"], path)
    if prefix is None:
        return None
    start = f"{prefix}/"
    metrics = {name.removeprefix(start): value for name, value in stage["metrics"].items() if name.startswith(start)}
    return lambda: metrics or None
