"""Processes: the `dvc` above this one, others that may be gone, and how to start one of ours."""

import functools
import hashlib
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.environment.workspace import code_folder


@functools.cache
def pipeline_key() -> str:
    """Name the pipeline run: the `dvc` process above this one and its experiment, else this process."""
    name, parent = os.environ.get("DVC_EXP_NAME"), dvc_process()
    if not name and not parent:
        return uuid.uuid4().hex[:16]
    experiment = f"experiment {name} on {os.environ.get('DVC_EXP_BASELINE_REV', '')}" if name else ""
    process = f"process {parent[0]} since {parent[1]} on {socket.gethostname()}" if parent else ""
    return hashlib.sha256(f"{experiment} {process}".encode()).hexdigest()[:16]


def is_under_dvc() -> bool:
    """Whether `dvc` runs this process."""
    return dvc_process() is not None


def pipeline_process() -> tuple[int, float]:
    """Process id and start (see `_start_of`) of the `dvc` above this process, else of this one."""
    found = dvc_process()
    return found[:2] if found else (os.getpid(), _start_of(os.getpid()))


def is_alive(process: int, started: float) -> bool:
    """Whether the process with this id and start is there."""
    import psutil

    try:
        return _start_of(process) == started and psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False


def _start_of(process: int) -> float:
    """When a process began: on Linux in clock ticks since the boot, which a clock that is set does not change.

    Raises:
        psutil.Error: There is no such process.
    """
    import psutil

    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return float(fields[19])  # the 22nd with the two before: `man 5 proc`, starttime
    except OSError:
        return psutil.Process(process).create_time()


@functools.cache
def dvc_process() -> tuple[int, float, list[str]] | None:
    """The `dvc` that runs this process: its number, when it began and its command line; None where there is none."""
    import psutil

    try:
        for process in psutil.Process().parents():
            words = process.cmdline()
            if _is_dvc(words):
                return process.pid, _start_of(process.pid), words
    except psutil.Error:
        return None
    return None


def _is_dvc(words: list[str]) -> bool:
    """Whether a command line is that of `dvc`: its program, its script or its module, not `make dvc`."""
    if words and Path(words[0]).name.lower().startswith(("python", "pypy")):  # `Python` on macOS
        rest = iter(words[1:])
        words = []
        for word in rest:
            if word in ("-W", "-X"):
                next(rest, None)
            elif word == "-m" or not word.startswith("-"):
                words = list(rest) if word == "-m" else [word]
                break
    return bool(words) and Path(words[0]).name in ("dvc", "dvc.exe")


def writer(process: int) -> list[float]:
    """Name a process so that another one that gets its number later is not taken for it."""
    return [process, _start_of(process)]


def writer_is_alive(first: Mapping[str, Any]) -> bool:
    """Whether the process is there that wrote the first event of a folder."""
    process, started = first.get("writer", (0, 0.0))
    return is_alive(int(process), started)


def run_module(
    name: str, *arguments: object, variables: Mapping[str, str | None] | None = None, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a module of this environment in a process of its own, with this code, and wait for its end.

    Args:
        name: Of the module, as `python -m` takes it.
        arguments: Of its command line.
        variables: Of the environment, to be set otherwise than here; None takes one out.
        options: Of `subprocess.run`.

    Raises:
        subprocess.TimeoutExpired: There is a `timeout`, and it did not end in time.
    """
    command, environment = _module(name, arguments, variables or {}, code_folder())
    return subprocess.run(command, env=environment, text=True, check=False, **options)


def start_module(name: str, *arguments: object, code: Path | None = None, **options: Any) -> "subprocess.Popen[Any]":
    """Start a module of this environment in a process of its own.

    Args:
        name: As for `run_module`.
        arguments: As for `run_module`.
        code: The folder of our packages, by default those that this process runs.
        options: Of `Popen`.
    """
    command, environment = _module(name, arguments, {}, code or code_folder())
    return subprocess.Popen(command, env=environment, **options)


def search_path(code: Path) -> str:
    """A PYTHONPATH by which the packages in a folder are found before those of the same names elsewhere."""
    return os.pathsep.join(part for part in (str(code), os.environ.get("PYTHONPATH", "")) if part)


def _module(
    name: str, arguments: Iterable[object], variables: Mapping[str, str | None], code: Path
) -> tuple[list[str], dict[str, str]]:
    own = {**os.environ, "PYTHONPATH": search_path(code), "PYTHONWARNINGS": "ignore", **variables}
    environment = {variable: word for variable, word in own.items() if word is not None}
    # -P: a package `pipeline` of the current folder, which is the user's, is not ours.
    return [sys.executable, "-P", "-m", name, *map(str, arguments)], environment
