"""Where a run comes from: the commit, the versions, DVC's hashes, and the pipeline run that it is part of."""

import functools
import hashlib
import os
import platform
import socket
import subprocess
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("tensorflow", "keras", "apache-beam", "tensorflow-datasets", "numpy", "pillow", "mlflow", "dvc")


@functools.cache
def provenance_tags(root: Path) -> dict[str, str]:
    """Tags that are the same for everything this process records."""
    tags = {"version.python": platform.python_version(), "host.platform": platform.platform()}
    for package in _PACKAGES:
        try:
            tags[f"version.{package}"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for tag, variable in (("dvc.exp_name", "DVC_EXP_NAME"), ("dvc.baseline_rev", "DVC_EXP_BASELINE_REV")):
        if value := os.environ.get(variable):
            tags[tag] = value
    if commit := _git(root, "rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
        tags["mlflow.source.git.branch"] = _git(root, "rev-parse", "--abbrev-ref", "HEAD") or ""
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        tags["git.dirty"] = str(bool(changed)).lower()
    return tags


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


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


def _dvc_process() -> tuple[int, float] | None:
    import psutil

    try:
        for process in psutil.Process().parents():
            words = process.cmdline()[:3]
            if any(Path(word).name in ("dvc", "dvc.exe") for word in words):
                return process.pid, process.create_time()
    except psutil.Error:
        return None
    return None


def dvc_hashes(root: Path) -> dict[str, str]:
    """Path -> DVC's hash of it, for every output that dvc.lock names; empty where there is no lock yet."""
    lock = root / "dvc.lock"
    try:
        modified = lock.stat().st_mtime_ns
    except OSError:
        return {}
    return _locked(lock, modified)


@functools.lru_cache(maxsize=4)
def _locked(lock: Path, _modified: int) -> dict[str, str]:
    from pipeline.yaml_file import read

    stages: dict[str, Any] = read(lock).get("stages", {})
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", []) if "md5" in out}
