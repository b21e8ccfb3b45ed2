"""Where a run comes from: the commit, the versions, the machine, and the pipeline run that it is part of."""

import functools
import hashlib
import os
import platform
import shutil
import socket
import subprocess
import uuid
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from alexnet_tf.devices.processor import processor_features, processor_name

_PACKAGES = ("tensorflow", "keras", "apache-beam", "tensorflow-datasets", "numpy", "pillow", "mlflow", "dvc")
_VARIABLES = {
    "dvc.exp_name": "DVC_EXP_NAME",
    "dvc.baseline_rev": "DVC_EXP_BASELINE_REV",
    "env.onednn": "TF_ENABLE_ONEDNN_OPTS",  # its kernels and TensorFlow's own round differently
}

# DVC's lock and the metrics beside it are written while stages run, so a change there says nothing about what ran.
_CODE_AND_PARAMS = ("--", ".", ":(exclude)dvc.lock", ":(exclude)metrics.json")


@functools.cache
def provenance_tags(root: Path) -> dict[str, str]:
    """Tags that are the same for everything this process records.

    Args:
        root: Folder of the repository.

    Returns:
        `version.*` of the packages that decide results, `env.sha256` of all that are installed, `env.onednn`, `host.*`,
        `dvc.exp_name` and `dvc.baseline_rev` in a DVC experiment, `mlflow.source.git.*` and `git.dirty` where there
        is a Git repository with a commit.
    """
    tags = {"version.python": platform.python_version(), "env.sha256": _environment()} | _machine()
    for package in _PACKAGES:
        try:
            tags[f"version.{package}"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for tag, variable in _VARIABLES.items():
        if value := os.environ.get(variable):
            tags[tag] = value
    if commit := _git(root, "rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
        tags["mlflow.source.git.branch"] = _git(root, "rev-parse", "--abbrev-ref", "HEAD") or ""
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", *_CODE_AND_PARAMS)
        tags["git.dirty"] = str(bool(changed)).lower()
    return tags


def uncommitted_changes(root: Path) -> str:
    """What tracked files but dvc.lock and metrics.json hold that the commit does not, as a patch; "" without commit."""
    return _git(root, "diff", "HEAD", *_CODE_AND_PARAMS) or ""


def changed_files(root: Path, among: Sequence[str] = _CODE_AND_PARAMS[1:]) -> list[str]:
    """Name the tracked files that differ from the commit, by default all but dvc.lock and metrics.json."""
    return (_git(root, "diff", "--name-only", "--relative", "HEAD", "--", *among) or "").splitlines()


def committed(root: Path, revision: str, path: str) -> str | None:
    """The text of a file in a commit, or None where it is not there."""
    return _git(root, "show", f"{revision}:./{path}", exact=True)


def commit_of(root: Path, revision: str) -> str | None:
    """The commit that a Git revision names, or None where it names none."""
    return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def experiments_named(root: Path, name: str) -> dict[str, str]:
    """Find the DVC experiments of a name: the commit that each started from -> its own commit."""
    listed = _git(root, "for-each-ref", "--format=%(refname) %(objectname)", f"refs/exps/*/*/{name}") or ""
    found = {}
    for line in listed.splitlines():
        reference, commit = line.split()
        _, _, head, rest, *named = reference.split("/")
        if named == [name]:
            found[head + rest] = commit
    return found


def experiment_revision(root: Path) -> str | None:
    """The commit that DVC made of the experiment that this process belongs to, or None where there is none (yet)."""
    name, base = os.environ.get("DVC_EXP_NAME"), os.environ.get("DVC_EXP_BASELINE_REV", "")
    return _git(root, "rev-parse", "--verify", "--quiet", f"refs/exps/{base[:2]}/{base[2:]}/{name}") if name else None


def _environment() -> str:
    """Hash the names and versions of all installed packages."""
    installed = sorted({f"{each.metadata['Name']}=={each.version}".lower() for each in metadata.distributions()})
    return hashlib.sha256("\n".join(installed).encode()).hexdigest()


def processor() -> str:
    """Name the processor and its vector instructions, such as `AMD EPYC (family 25 model 17), avx2 avx512f`."""
    return ", ".join(filter(None, (processor_name(), " ".join(processor_features()))))


def _machine() -> dict[str, str]:
    import psutil

    gibibytes = psutil.virtual_memory().total / 2**30
    tags = {
        "host.platform": platform.platform(),
        "host.cpus": str(os.cpu_count()),
        "host.cpu": processor(),
        "host.memory_gib": f"{gibibytes:.1f}",
    }
    if tool := shutil.which("nvidia-smi"):
        command = [tool, "--query-gpu=name", "--format=csv,noheader"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return tags
        tags["host.gpus"] = ", ".join(done.stdout.split("\n")).strip(", ")
    return tags


def _git(root: Path, *arguments: str, exact: bool = False) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return done.stdout if exact else done.stdout.rstrip()


@functools.cache
def pipeline_key() -> str:
    """Name the pipeline run: the DVC experiment, else the `dvc` process above this one, else this process."""
    if name := os.environ.get("DVC_EXP_NAME"):
        identity = f"experiment {name} on {os.environ.get('DVC_EXP_BASELINE_REV', '')}"
    elif parent := _dvc_process():
        identity = f"process {parent[0]} since {parent[1]} on {socket.gethostname()}"
    else:
        identity = uuid.uuid4().hex
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def is_under_dvc() -> bool:
    """Whether `dvc` runs this process."""
    return _dvc_process() is not None


def pipeline_process() -> tuple[int, float]:
    """Process id and start (seconds since 1970) of the `dvc` above this process, else of this one."""
    import psutil

    found = _dvc_process()
    return found[:2] if found else (os.getpid(), psutil.Process().create_time())


def dvc_command() -> list[str]:
    """The words of the `dvc` command above this process, none where there is none."""
    found = _dvc_process()
    return found[2] if found else []


def is_alive(process: int, started: float) -> bool:
    """Whether the process with this id and start is there."""
    import psutil

    try:
        found = psutil.Process(process)
        return found.create_time() == started and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False


@functools.cache
def _dvc_process() -> tuple[int, float, list[str]] | None:
    import psutil

    try:
        for process in psutil.Process().parents():
            words = process.cmdline()
            if any(Path(word).name in ("dvc", "dvc.exe") for word in words[:3]):
                return process.pid, process.create_time(), words
    except psutil.Error:
        return None
    return None
