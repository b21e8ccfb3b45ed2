"""What `alexnet doctor` looks at: each check says what it found, how good that is, and the fix."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from alexnet_tf.devices.control_group import memory_left, memory_quota
from alexnet_tf.devices.processor import NAMES, processor_features, processor_has_bfloat16, usable_cores
from alexnet_tf.errors import AlexNetError, some
from pipeline.commands.kept_checkpoints import kept_checkpoints, leftovers
from pipeline.config.load import load
from pipeline.config.local_params import LOCAL_FILE, LocalParamsError
from pipeline.environment.dvc_settings import DVC_FOLDER, IDENTITY, NO_IDENTITY, has_identity, is_no_scm
from pipeline.environment.git import is_in_repository, problem
from pipeline.environment.provenance import gpus
from pipeline.environment.typed import typed
from pipeline.environment.workspace import Workspace
from pipeline.stages.source_state import COMMAND, NOT_DOWNLOADED, state_of
from pipeline.tracking.relocation import astray
from pipeline.tracking.spool import is_growing, waiting
from pipeline.tracking.store_problems import unusable
from pipeline.tracking.tracking_uri import probe, tracking_uri, without_password

_GB = 1e9
_OLD_DAYS = 7
_PYTHON = ((3, 11), (3, 14))
_IMPORTED = ("tensorflow", "keras", "apache-beam", "mlflow", "dvc", "pydantic", "click")


class Finding(NamedTuple):
    """One line of the health report."""

    name: str
    level: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


def examine(workspace: Workspace) -> list[Finding]:
    """Run every check; a check that breaks is itself a warning."""
    checks: list[Callable[[Workspace], Finding]] = [
        _python, _versions, _git, _dvc, _disk, _memory, _cpu, _gpu, _tracking, _artifacts, _spool, _checkpoint,
        _leftovers, _params, _source,
    ]  # fmt: skip
    findings = []
    for check in checks:
        try:
            findings.append(check(workspace))
        except Exception as error:
            findings.append(Finding(check.__name__.strip("_"), "warn", f"could not be checked: {error}"))
    return findings


def _python(_: Workspace) -> Finding:
    low, high = _PYTHON
    good = low <= sys.version_info[:2] < high
    fix = f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}; remove .venv and run `make repro`"
    return Finding("python", "ok" if good else "fail", platform.python_version(), "" if good else fix)


def _versions(workspace: Workspace) -> Finding:
    pins = workspace.root / "constraints.txt"
    if not pins.is_file():  # a project of `alexnet init`
        return _installed()
    lines = pins.read_text(encoding="utf-8").splitlines()
    wanted = dict(line.partition("#")[0].strip().split("==") for line in lines if "==" in line.partition("#")[0])
    missing, other = [], []
    for name, version in wanted.items():
        try:
            if (installed := metadata.version(name)) != version:
                other.append(f"{name} {installed} (pinned {version})")
        except metadata.PackageNotFoundError:
            missing.append(name)
    needed = [name for name in _IMPORTED if name in missing]
    fix = "python -m pip install -c constraints.txt -e '.[pipeline]'"
    if needed:
        return Finding("versions", "fail", f"not installed: {', '.join(needed)}", fix)
    if other:
        if any(_is_on_pythonpath(each.partition(" ")[0]) for each in other):
            fix = "unset PYTHONPATH, whose packages come before those of the environment"
        return Finding("versions", "warn", some(other, 4), fix)
    return Finding("versions", "ok", f"{len(wanted) - len(missing)} packages as pinned in {pins.name}")


def _is_on_pythonpath(package: str) -> bool:
    folders = [Path(folder).resolve() for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return Path(str(metadata.distribution(package).locate_file(""))).resolve() in folders


def _installed() -> Finding:
    installed = {each.name.lower(): each.version for each in metadata.distributions()}
    if missing := [name for name in _IMPORTED if name not in installed]:
        fix = "python -m pip install 'WHEEL[pipeline]'"
        return Finding("versions", "fail", f"not installed: {', '.join(missing)}", fix)
    return Finding("versions", "ok", ", ".join(f"{name} {installed[name]}" for name in _IMPORTED))


def _git(workspace: Workspace) -> Finding:
    if broken := problem(workspace.root):
        return Finding("git", "warn", f"{broken.told}; runs carry no commit", broken.fix)
    if is_in_repository(workspace.root):
        if not has_identity(workspace.root):
            return Finding("git", "warn", NO_IDENTITY, IDENTITY)
        return Finding("git", "ok", "repository found")
    if is_no_scm(workspace.root):
        return Finding(
            "git", "warn", "no repository; DVC works without one", "`dvc exp` needs one: git init && alexnet setup"
        )
    return Finding("git", "fail", "no repository, so DVC refuses to run", "alexnet setup")


def _dvc(workspace: Workspace) -> Finding:
    if not (workspace.root / ".dvc/config").is_file():
        return Finding("dvc", "fail", ".dvc/config is missing", DVC_FOLDER)
    if is_in_repository(workspace.root) and is_no_scm(workspace.root):
        return Finding("dvc", "warn", "configured for use without Git, although there is a repository", "alexnet setup")
    if not shutil.which("alexnet"):
        fix = "put the environment's bin folder on PATH, or activate it"
        return Finding("dvc", "fail", "the command `alexnet`, which dvc.yaml calls, is not on PATH", fix)
    return Finding("dvc", "ok", "configured")


def _disk(workspace: Workspace) -> Finding:
    free = shutil.disk_usage(workspace.home).free / _GB
    level = "fail" if free < 1 else "warn" if free < 5 else "ok"
    fix = "free some space; the sample needs about 2 GB, including DVC's copies"
    return Finding("disk", level, f"{free:.0f} GB free", "" if level == "ok" else fix)


def _memory(_: Workspace) -> Finding:
    import psutil

    machine = psutil.virtual_memory()
    total = min(machine.total, memory_quota() or machine.total) / _GB
    free = min(machine.available, machine.available if (left := memory_left()) is None else left) / _GB
    level = "warn" if free < 3 else "ok"
    fix = "close other programs, or train with a smaller global_batch_size"
    return Finding("memory", level, f"{free:.1f} of {total:.1f} GB available", "" if level == "ok" else fix)


def _cpu(_: Workspace) -> Finding:
    found = [NAMES[flag] for flag in processor_features()]
    return Finding("cpu", "ok", f"{usable_cores()} cores, {', '.join(found) or 'no vector features known here'}")


def _gpu(_: Workspace) -> Finding:
    found = gpus("name,memory.total")
    if found is None:
        return Finding("gpu", "warn", "nvidia-smi fails", "repair the driver, or train on the CPU")
    if not found:
        return Finding("gpu", "ok", "none; training uses the CPU")
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return Finding("gpu", "ok", f"{'; '.join(found)}; hidden by CUDA_VISIBLE_DEVICES: training uses the CPU")
    seen = _seen_by_tensorflow()
    if seen == 0:
        fix = f"python -m pip install 'tensorflow[and-cuda]=={metadata.version('tensorflow')}'"
        return Finding("gpu", "warn", f"{'; '.join(found)}; TensorFlow finds none and trains on the CPU", fix)
    return Finding("gpu", "ok", f"{'; '.join(found)}; TensorFlow finds {seen}")


def _seen_by_tensorflow() -> int:
    """Count TensorFlow's GPUs; in a process of its own, which gives their memory back."""
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return int(done.stdout)


def _tracking(workspace: Workspace) -> Finding:
    uri = tracking_uri(workspace.home)
    if problem := probe(uri):
        fix = "start it, or unset MLFLOW_TRACKING_URI; until then records stay in .alexnet/spool"
        return Finding("tracking", "warn", problem, fix)
    if not os.access(workspace.home, os.W_OK):
        return Finding("tracking", "fail", f"{workspace.home} cannot be written to", "change its permissions")
    if problem := unusable(workspace.home):
        told, _, fix = problem.partition("; ")
        return Finding("tracking", "fail", told, fix)
    return Finding("tracking", "ok", without_password(uri))


def _artifacts(workspace: Workspace) -> Finding:
    """Look whether MLflow's database names the artifacts of this folder, which may have been moved or copied."""
    found = astray(workspace.home)
    if found is None:
        return Finding("artifacts", "ok", "where the store expects them")
    what = "no longer has them" if found.is_gone else "has them too: this folder is a copy of it"
    return Finding(
        "artifacts", "warn", f"mlflow.db expects them in {found.former}, which {what}", "alexnet track relocate"
    )


def _spool(workspace: Workspace) -> Finding:
    if not (folders := [folder for folder in waiting(workspace.scratch) if not is_growing(folder)]):
        return Finding("spool", "ok", "nothing to send")
    return Finding("spool", "warn", f"{len(folders)} stage runs were not sent to MLflow", "alexnet track sync")


def _checkpoint(workspace: Workspace) -> Finding:
    """Name what trainings left that did not end; only a person knows whether one is still to go on."""
    try:
        present = load(workspace.root)
    except AlexNetError:
        return Finding("checkpoint", "warn", "not compared with params.yaml, which is invalid", "see params")
    kept = kept_checkpoints(workspace, present)
    going_on = [
        f"{each.address or 'another training'}: {each.progress()}; "
        + ("it is running now" if each.is_in_use else "`dvc repro` resumes it")
        for each in kept
        if each.address or each.is_in_use
    ]
    others = [each for each in kept if not each.address and not each.is_in_use]
    if not others:
        return Finding("checkpoint", "ok", "; ".join(going_on) or "none kept")
    shown = some([f"{each.folder.name[:12]}… {each.size_bytes / 1e6:.0f} MB" for each in others])
    total = sum(each.size_bytes for each in others) / 1e6
    found = f"{len(others)} for different parameters, data or code, {total:.0f} MB: {shown}"
    level = "warn" if any(each.age_days > _OLD_DAYS for each in others) else "ok"
    away = " ".join(shlex.quote(os.path.relpath(each.folder)) for each in others)
    fix = f"if no training should resume from them: rm -r {away}"
    return Finding("checkpoint", level, "; ".join([*going_on, found]), fix)


def _leftovers(workspace: Workspace) -> Finding:
    """Name the outputs that a run was writing when it was killed by force; the next run of the stage removes them."""
    try:
        found = leftovers(workspace, load(workspace.root))
    except AlexNetError:
        return Finding("leftovers", "warn", "not looked for, as params.yaml is invalid", "see params")
    if not found:
        return Finding("leftovers", "ok", "no half-written outputs")
    paths = [os.path.relpath(path) for path, _ in found]
    told = f"half-written outputs of killed stages, {sum(size for _, size in found) / 1e6:.0f} MB: {some(paths)}"
    return Finding("leftovers", "warn", told, f"rm -r {' '.join(map(shlex.quote, paths))}")


def _params(workspace: Workspace) -> Finding:
    try:
        variants = load(workspace.root).values["variants"]
    except LocalParamsError as error:
        return Finding("params", "fail", str(error), f"correct {LOCAL_FILE}")
    except AlexNetError as error:
        fix = "correct params.yaml, or `alexnet use NAME --force`; `alexnet use` lists the names"
        return Finding("params", "fail", str(error), fix)
    slow = [name for name, variant in variants.items() if variant.get("training", {}).get("precision") == "bfloat16"]
    if slow and not processor_has_bfloat16() and not shutil.which("nvidia-smi"):
        found = f"{', '.join(slow)}: training.precision is bfloat16, which this processor has no instructions for"
        return Finding("params", "warn", found, "set it to auto, which uses float32 here and is many times faster")
    return Finding("params", "ok", f"valid; variants {', '.join(variants)}")


def _source(workspace: Workspace) -> Finding:
    checked = load(workspace.root)
    source = checked.values["download"]["source"]
    if source == "sample":
        return Finding("source", "ok", "the sample is generated")
    folder = workspace.located(checked.runtime.source_folder)
    if folder is None:
        return Finding("source", "ok", f"{source}; runtime.source_folder is null: data/dataset is used unchanged")
    if not folder.is_dir() and (folder.exists() or source in NOT_DOWNLOADED):  # else `download` makes it
        fix = f"`{typed('alexnet download')}` says what to put there, or name another in {LOCAL_FILE}"
        return Finding("source", "warn", f"{source} expects its files in {folder}, which is no folder", fix)
    name, told = state_of(workspace, source, folder)
    if told:
        return Finding("source", "warn", told, COMMAND)
    found = {"current": "data/dataset was made from it", "nothing": "not compared with data/dataset"}
    return Finding("source", "ok", f"{source} in {folder}: {found[name]}")
