"""Reruns committed stages in a clean folder and compares what comes out with what dvc.lock claims."""

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from alexnet_tf.errors import AlexNetError, ConfigError
from pipeline.config import PARAMS_FILE, Config, check
from pipeline.dag import Item
from pipeline.dvc_cache import bring, claimed_text
from pipeline.graph import all_items, producers
from pipeline.lock import LOCK_FILE, Lock, dvc_md5, parse_lock
from pipeline.provenance import committed, provenance_tags, uncommitted_changes
from pipeline.spool import own_environment
from pipeline.standing import numbers
from pipeline.workspace import Workspace
from pipeline.yaml_file import nearest, parse

Verdict = Literal["same bytes", "same numbers", "other bytes", "other numbers"]


@dataclass(frozen=True)
class Comparison:
    """One output: what was claimed, what came out.

    Attributes:
        stage: Address of the run.
        path: The output, in the repository.
        claimed: DVC's hash of it in the committed dvc.lock.
        reproduced: DVC's hash of what the rerun wrote.
        verdict: `same bytes`; `same numbers` where its metrics.json agrees within the tolerance; `other numbers` where
            it does not; `other bytes` where there are no numbers to compare.
        numbers: Metric -> (claimed, reproduced), of those that differ most first; empty where the bytes are the same.
    """

    stage: str
    path: str
    claimed: str
    reproduced: str
    verdict: Verdict
    numbers: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Certificate:
    """What was claimed, what was reproduced, and where.

    Attributes:
        commit: The commit whose files were rerun.
        left_out: Whether the tree has changes that are not committed and were not rerun.
        tolerance: How far numbers may lie apart, relative to the larger of 1 and the claimed number.
        outputs: One comparison an output.
        machine: Versions and machine of the rerun.
    """

    commit: str
    left_out: bool
    tolerance: float
    outputs: tuple[Comparison, ...]
    machine: Mapping[str, str]

    @property
    def verdict(self) -> Literal["reproduced", "reproduced within tolerance", "not reproduced"]:
        """All bytes the same; or all numbers near and there are some; or neither."""
        verdicts = {each.verdict for each in self.outputs}
        if verdicts == {"same bytes"}:
            return "reproduced"
        if "other numbers" in verdicts or "same numbers" not in verdicts:
            return "not reproduced"
        return "reproduced within tolerance"

    def as_json(self) -> str:
        """The certificate as JSON."""
        return json.dumps(asdict(self) | {"verdict": self.verdict}, indent=1)


def verify(
    workspace: Workspace, address: str, *, tolerance: float, keep: bool, say: Callable[[str], None]
) -> Certificate:
    """Rerun one stage or all of them, and compare.

    Args:
        workspace: Whose commit.
        address: The stage, for example `train@faithful`; "" for all.
        tolerance: How far numbers may lie apart where bytes differ.
        keep: Leave the clean folder in place.
        say: Shows one line to the user.

    Raises:
        AlexNetError: There is no commit, no such stage, no lock of it, or the rerun fails.
    """
    commit, config, lock = _claims(workspace)
    wanted = [item for item in all_items(config.values) if address in ("", item.address)]
    if not wanted:
        known = [item.address for item in all_items(config.values)]
        told = f"{', '.join(known)}{nearest(address, known)}"
        raise ConfigError(f"verify: no stage {address!r} in the committed pipeline, which has {told}")
    if missing := [item.address for item in wanted if not lock.outputs(item)]:
        raise AlexNetError(
            f"verify: the committed {LOCK_FILE} has no outputs of {', '.join(missing)}; `dvc repro` and commit it"
        )
    with _clean_folder(workspace, commit, config, keep=keep, say=say) as folder:
        if address:
            _bring_inputs(workspace, folder, wanted[0], config)
        own = {name: word for name, word in own_environment().items() if not name.startswith("DVC_")}
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **own, "PYTHONPATH": str(folder)}
        for item in wanted:  # in a process each, as for DVC: a saved model holds names that are counted in its process
            command = [sys.executable, "-m", "pipeline.rerun", item.address]
            if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
                raise AlexNetError(f"verify: {item.address} failed as said above; `--keep` keeps the folder {folder}")
        outputs = tuple(
            _compared(workspace, folder, item, path, claimed, tolerance)
            for item in wanted
            for path, claimed in lock.outputs(item).items()
        )
    changed = bool(uncommitted_changes(workspace.root))
    return Certificate(commit, changed, tolerance, outputs, _machine(workspace.root))


def _claims(workspace: Workspace) -> tuple[str, Config, Lock]:
    root = workspace.root
    commit = provenance_tags(root).get("mlflow.source.git.commit")
    params = committed(root, "HEAD", PARAMS_FILE)
    if not commit or params is None:
        raise AlexNetError(
            f"{root}: verify reruns what is committed, and here is no commit; `git init` and commit first"
        )
    locked = committed(root, "HEAD", LOCK_FILE)
    if locked is None:
        raise AlexNetError(f"{root}: no {LOCK_FILE} is committed, so nothing is claimed; `dvc repro` and commit it")
    return commit, check(parse(params, PARAMS_FILE)), parse_lock(locked)


@contextmanager
def _clean_folder(
    workspace: Workspace, commit: str, config: Config, *, keep: bool, say: Callable[[str], None]
) -> Iterator[Path]:
    folder = workspace.scratch / "verify" / commit[:12]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        archive = subprocess.run(["git", "archive", commit], cwd=workspace.root, capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        source = config.runtime.source_folder
        if source and not Path(source).expanduser().is_absolute() and (workspace.home / source).exists():
            (folder / source).parent.mkdir(parents=True, exist_ok=True)
            (folder / source).symlink_to(workspace.home / source)
        yield folder
    finally:
        if keep:
            say(f"the clean folder stays: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _bring_inputs(workspace: Workspace, folder: Path, item: Item, config: Config) -> None:
    for path in item.inputs().values():
        for producer, written in producers(path, config.values):
            if not bring(workspace, folder, written):
                raise AlexNetError(
                    f"verify: {written}, which {item.address} reads, is not in DVC's cache as it was committed; "
                    f"`dvc pull {producer.address}` brings it, or `alexnet verify` reruns everything"
                )


def _compared(workspace: Workspace, folder: Path, item: Item, path: str, claimed: str, tolerance: float) -> Comparison:
    reproduced = dvc_md5(folder / path) or "nothing"
    if reproduced == claimed:
        return Comparison(item.address, path, claimed, reproduced, "same bytes", {})
    metrics = folder / path / "metrics.json"
    text = claimed_text(workspace, path, claimed, metrics.name)
    if text is None or not metrics.is_file():
        return Comparison(item.address, path, claimed, reproduced, "other bytes", {})
    before, after = numbers(json.loads(text)), numbers(json.loads(metrics.read_text(encoding="utf-8")))
    pairs = {name: (before.get(name, float("nan")), after.get(name, float("nan"))) for name in before | after}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    near = all(abs(new - old) <= tolerance * max(1.0, abs(old)) for old, new in differing.values())
    ordered = dict(sorted(differing.items(), key=lambda each: -_distance(*each[1])))
    return Comparison(item.address, path, claimed, reproduced, "same numbers" if near else "other numbers", ordered)


def _distance(old: float, new: float) -> float:
    distance = abs(new - old) / max(1.0, abs(old))
    return float("inf") if distance != distance else distance


def _machine(root: Path) -> dict[str, str]:
    return {
        name: word for name, word in provenance_tags(root).items() if name.startswith(("host.", "version.", "env."))
    }
