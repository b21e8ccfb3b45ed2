"""The one place that builds a Beam pipeline: independent shard tasks in, their summaries out, in task order.

The shape is a single chain with a single sink and nothing heavy in it, because that is what every runner,
Dask's included, carries out faithfully. A task reads and writes its own files; its small summary, a JSON
value, travels through a file as well. So all paths must lie on storage that every worker sees, and:

- equal tasks give equal results on any runner with any number of workers;
- progress is live on any runner: it is the number of summaries that exist;
- an error of ours comes back as it was raised, not inside a page of Beam's own trace.
"""

import io
import json
import logging
import os
import shutil
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from alexnet_tf import errors
from alexnet_tf.errors import AlexNetError, ConfigError
from components.interfaces import BeamRuntime, Runtime, Task

LOCAL_RUNNER = "FnApiRunner"
# Beam looks its own runners up by name, but has forgotten this one.
FULL_NAMES = {"DaskRunner": "apache_beam.runners.dask.dask_runner.DaskRunner"}
# Dask would put 128 tasks into one partition and so run them one after the other.
FLAGS = {"DaskRunner": ["--dask_partition_size=1"]}
POLL_SECONDS = 0.2


def run_shards(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    *,
    runtime: Runtime,
    scratch: Path,
    description: str,
    unit: str = "shards",
) -> list[Any]:
    """Call `function` on every task, on Beam.

    Args:
        function: A function of an importable module; it may run more than once for a task (engines retry) and
            must then give the same result. What it returns is stored as JSON: tuples come back as lists.
        tasks: Small picklable values. Large lists belong into a file that the tasks name.
        runtime: Its `beam` and `progress` are used.
        scratch: An existing folder that all workers see; left as it was found.
        description: For the progress display.
        unit: What a task is, likewise.

    Returns:
        The results in the order of `tasks`.

    Raises:
        AlexNetError, OSError: As raised by `function`; the tasks not yet begun are then skipped.
        ConfigError: When the runner or its options are not known.
        RuntimeError: When `function` failed otherwise, with the worker's trace, or the runner did.
    """
    if not tasks:
        return []
    folder = Path(tempfile.mkdtemp(prefix="tasks-", dir=scratch)).absolute()
    try:
        with runtime.progress.task(description, total=len(tasks), unit=unit) as task, _watched(folder, task):
            failure = _run_pipeline(function, tasks, folder, runtime.beam)
        return _results(folder, len(tasks), failure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # tasks that still run see that it is gone, and stop


def _run_pipeline(
    function: Callable[[Any], Any], tasks: Sequence[Any], folder: Path, beam: BeamRuntime
) -> Exception | None:
    """Run to the end and return what the runner raised, if anything: the tasks' own errors tell more."""
    with _no_log_setup():
        import apache_beam  # a second: only stages that use it pay

        options = _options(beam)
    settings = {"function": function, "folder": str(folder), "engine_retries": beam.runner != LOCAL_RUNNER}
    try:
        with apache_beam.Pipeline(options=options) as pipeline:
            created = pipeline | apache_beam.Create(list(enumerate(tasks)))
            _ = created | apache_beam.Map(run_task, **settings)
    except Exception as error:  # whatever it is, it stops the stage in `_results`
        return error
    return None


@contextmanager
def _no_log_setup() -> Iterator[None]:
    """Beam's modules log as they are imported, at which Python would set up logging to stderr for good."""
    root, silence = logging.getLogger(), logging.NullHandler()
    root.addHandler(silence)
    try:
        yield
    finally:
        root.removeHandler(silence)


def _options(beam: BeamRuntime):
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    flags = [*FLAGS.get(beam.runner, []), *beam.options]
    if beam.runner == LOCAL_RUNNER:
        num_workers = beam.num_workers or os.cpu_count() or 1
        mode = "multi_threading" if num_workers > 1 else "in_memory"
        flags = [f"--direct_running_mode={mode}", f"--direct_num_workers={num_workers}", *flags]
    usage = io.StringIO()
    try:
        with redirect_stderr(usage):  # of a wrong flag argparse says three pages, and last what is wrong
            options = PipelineOptions(flags)
            options.get_all_options()  # parses them, which Beam would do only later
            options.view_as(StandardOptions).runner = FULL_NAMES.get(beam.runner, beam.runner)
            create_runner(options.view_as(StandardOptions).runner)
    except (ValueError, ImportError, AttributeError, SystemExit) as error:
        _, found_error, text = usage.getvalue().strip().rpartition("error: ")
        reason = text if found_error else error
        found = f"{beam.runner!r} with options {list(beam.options)}"
        raise ConfigError(f"beam_runner: expected a Beam runner installed here, found {found}: {reason}") from error
    return options


@contextmanager
def _watched(folder: Path, task: Task) -> Iterator[None]:
    """Advance `task` as summaries appear in `folder`."""
    done = threading.Event()

    def watch() -> None:
        seen, finished = 0, False
        while not finished:
            finished = done.wait(POLL_SECONDS)
            now = sum(1 for _ in folder.glob("*.result"))
            if now > seen:
                task.advance(now - seen)
                seen = now

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def run_task(numbered: tuple[int, Any], *, function: Callable[[Any], Any], folder: str, engine_retries: bool) -> None:
    """Run one task in a worker and leave `<number>.result` or `<number>.error` in `folder`.

    An error is raised only where the engine will then try again, and never if it is ours, since the next
    try would fail as well; raising in a local runner prints traces and, with processes, can hang it.
    """
    (number, task), place = numbered, Path(folder)
    if (place / "failed").exists() or not place.is_dir():
        return  # another task has failed, or the stage was interrupted
    try:
        _write(place / f"{number:06d}.result", function(task))
    except Exception as error:
        text = {"kind": type(error).__name__, "message": str(error), "trace": traceback.format_exc()}
        if isinstance(error, OSError):
            text |= {"arguments": [error.errno, error.strerror, str(error.filename or folder)]}
        _write(place / f"{number:06d}.error", text)
        if engine_retries and not isinstance(error, AlexNetError):
            raise
        (place / "failed").touch()


def _write(path: Path, value: Any) -> None:
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    temporary.write_text(json.dumps(value))
    os.replace(temporary, path)


def _results(folder: Path, num_tasks: int, failure: Exception | None) -> list[Any]:
    results = [folder / f"{number:06d}.result" for number in range(num_tasks)]
    missing = [path for path in results if not path.exists()]
    if not missing and failure is None:
        return [json.loads(path.read_text()) for path in results]
    for path in sorted(folder.glob("*.error")):
        if path.with_suffix(".result").exists():
            continue  # a retry went well
        text = json.loads(path.read_text())
        if kind := getattr(errors, text["kind"], None):
            raise kind(text["message"])
        if "arguments" in text:
            raise OSError(*text["arguments"])
        raise RuntimeError(f"A worker failed with {text['kind']}: {text['message']}\n{text['trace']}")
    if failure is not None:
        raise failure
    raise RuntimeError(f"The Beam runner ended without error, but {len(missing)} of {num_tasks} tasks were not run.")
