"""Starts the process that sends records to MLflow (`uploader`), waits for it, and reads its problems."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from components.interfaces import Progress, SilentProgress
from pipeline.environment.lock import is_at, is_held, try_lock
from pipeline.environment.processes import (
    dvc_process,
    is_alive,
    is_under_dvc,
    pipeline_key,
    pipeline_process,
    start_module,
)
from pipeline.environment.typed import typed
from pipeline.environment.workspace import Workspace, scratch_of
from pipeline.stages.table import STAGES
from pipeline.tracking import spool, store_problems

_POLL_SECONDS = 0.2


def start(workspace: Workspace) -> None:
    """Start the uploader of this pipeline run; a second one ends at once."""
    kind = ("part" if _is_for_part() else "dvc") if is_under_dvc() else "hand"
    where = (workspace.root, workspace.home, kind, pipeline_key(), *pipeline_process())
    # Of a queued experiment, which runs in a copy, the uploader outlives the copy and its code.
    is_clone = (workspace.home / "pipeline/tracking/uploader.py").is_file()
    with contextlib.suppress(OSError):
        process = start_module(
            "pipeline.tracking.uploader",
            *where,
            code=workspace.home if is_clone else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=workspace.home,
            start_new_session=True,  # Ctrl-C is for the stage; the uploader still has to report it
        )
        process.returncode = 0  # it outlives this process, so nobody waits for it, and Python need not warn of that


def _is_for_part() -> bool:
    """Whether `dvc` was asked for some stages by name, so that it may end well and leave the others out of date."""
    found = dvc_process()
    return any(word.rpartition(":")[2].partition("@")[0] in STAGES for word in (found[2] if found else ()))


def wait(home: Path, seconds: float) -> bool:
    """Wait until no uploader is at work, or `seconds` are over; return whether none is.

    One that serves a process which still runs will not end soon and is not waited for.
    """
    end = time.monotonic() + seconds
    while True:
        at_work = [path for path in _folder(home).glob("*.lock") if is_held(path)]
        if time.monotonic() > end or all(_serves_a_running_process(path) for path in at_work):
            return not at_work
        time.sleep(_POLL_SECONDS)


def problem(home: Path, pipeline: str) -> str | None:
    """What keeps the uploader of a pipeline run from its work, or None."""
    try:
        return problem_file(home, pipeline).read_text(encoding="utf-8") or None
    except OSError:
        return None


def _folder(home: Path) -> Path:
    return scratch_of(home) / "uploads"


def problem_file(home: Path, pipeline: str) -> Path:
    """Name the file in which an uploader says what keeps it from its work."""
    return _folder(home) / f"{pipeline}.problem"


@contextlib.contextmanager
def held(home: Path, pipeline: str, served: tuple[int, float]) -> Iterator[bool]:
    """Be the uploader of a pipeline run while the body runs, and say whether there was none.

    Args:
        home: Folder of the tracking store.
        pipeline: The pipeline run.
        served: Number and start of the process whose stages are uploaded: of `dvc`, or of a stage by hand.

    Raises:
        OSError: The file system has no locks, or cannot be written.
    """
    path = _folder(home) / f"{pipeline}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(path, "a") as file:
            if not try_lock(file):
                yield False
                return
            if not is_at(path, file):
                continue
            file.truncate(0)
            file.write(" ".join(map(str, served)))
            file.flush()
            yield True
            path.unlink(missing_ok=True)
            return


def _serves_a_running_process(path: Path) -> bool:
    try:
        process, started = path.read_text().split()
        return is_alive(int(process), float(started))
    except (OSError, ValueError):  # gone, or of an earlier version
        return False


def kept_sentence(problem: str) -> str:
    """Say what keeps records from MLflow, and what sends them later."""
    return f"MLflow: {problem}; the records are in .alexnet/spool, `{typed('alexnet track sync')}` sends them"


def send_all(home: Path, progress: Progress | None = None) -> str | None:
    """Send all that waits in the spool, in its order; return None, or why not everything was sent.

    Args:
        home: Folder of the tracking store.
        progress: Shows how many spool folders have been sent.
    """
    if problem := store_problems.problem(home):  # known without MLflow, and worth saying also where nothing waits
        return problem
    folders = spool.waiting(scratch_of(home))
    if not folders:
        return None
    pipe, done = subprocess.PIPE, 0
    with (
        start_module(
            "pipeline.tracking.flush", home, *folders, cwd=home, stdout=pipe, stderr=pipe, text=True
        ) as process,
        (progress or SilentProgress()).task("MLflow", total=len(folders), unit="runs") as task,
    ):
        said = None
        while said is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                said, _ = process.communicate(timeout=_POLL_SECONDS)
            gone = sum(not folder.exists() for folder in folders)
            task.advance(gone - done)
            done = gone
    return (said.strip().splitlines() or ["the upload stopped"])[-1] if process.returncode else None
