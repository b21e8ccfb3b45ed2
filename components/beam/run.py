"""The one place that builds a Beam pipeline: independent shard tasks in, their summaries out, in task order.

The graph is one chain of two steps with nothing heavy in it, because that is what every runner, Dask's included,
carries out faithfully. A task reads and writes its own files; its small summary, a JSON value, travels through a file
as well. So all paths must be on storage that every worker sees, and:

- equal tasks give equal results on any runner with any number of workers;
- progress is live on any runner: it is the number of summaries that exist, and what they count;
- counts are exact: a summary counts once, however often an engine tries its task;
- an error of ours comes back as it was raised, not inside a page of Beam's own trace.
"""

import io
import json
import logging
import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet_tf import errors
from alexnet_tf.devices.processor import usable_cores
from alexnet_tf.errors import ConfigError
from components.beam.worker import COUNTERS, RESERVE, RESERVE_BYTES, run_task
from components.interfaces import BeamRuntime, Runtime, Task

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_LOCAL_RUNNER = "FnApiRunner"
# Beam looks its own runners up by name, but has forgotten this one.
FULL_NAMES = {"DaskRunner": "apache_beam.runners.dask.dask_runner.DaskRunner"}
# Dask would put 128 tasks into one partition and so run them one after the other.
_FLAGS = {"DaskRunner": ["--dask_partition_size=1"]}
_POLL_SECONDS = 0.2


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
            must then give the same result. What it returns is stored as JSON: tuples come back as lists. What
            is under its key `counters`, if any, is summed, shown and tracked.
        tasks: Small picklable values. Large lists belong in a file that the tasks name.
        runtime: Its `beam`, `progress` and `tracker` are used.
        scratch: An existing folder that all workers see; left as it was found.
        description: For the progress display.
        unit: What a task is, likewise.

    Returns:
        The results in the order of `tasks`.

    Raises:
        AlexNetError, OSError: As raised by `function`; the tasks not yet begun are then skipped. The former also when
            the runner ended before its work did.
        ConfigError: When the runner or its options are not known.
        RuntimeError: When `function` failed otherwise, with the worker's trace, or the runner did.
    """
    if not tasks:
        return []
    folder = Path(tempfile.mkdtemp(prefix="tasks-", dir=scratch)).absolute()
    try:
        (folder / RESERVE).write_bytes(os.urandom(RESERVE_BYTES))  # zeros might take no room
        with runtime.progress.task(description, total=len(tasks), unit=unit) as task, _watched(folder, task):
            failure = _run_pipeline(function, tasks, folder, runtime.beam)
        results = _results(folder, len(tasks), failure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # tasks that still run see that it is gone, and stop
    counts = sum(map(_counters, results), Counter[str]())
    runtime.tracker.metrics({f"beam/{description.replace(' ', '_')}/{name}": float(n) for name, n in counts.items()})
    return results


def _run_pipeline(
    function: Callable[[Any], Any], tasks: Sequence[Any], folder: Path, beam: BeamRuntime
) -> Exception | None:
    """Run to the end and return what the runner raised, if anything: the tasks' own errors tell more."""
    with _no_log_setup():
        import apache_beam  # a second: only stages that use it pay

        options = _options(beam)
    settings = {"function": function, "folder": str(folder), "engine_retries": beam.runner != _LOCAL_RUNNER}
    try:
        with apache_beam.Pipeline(options=options) as pipeline:
            # One chain of two plain steps. Other shapes lose data without a word on some runners: that of Dask in Beam
            # 2.77 drops what `finish_bundle` emits, gives every tagged output to every consumer, runs one sink of two,
            # and runs what is before a side input twice.
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

    flags = [*_FLAGS.get(beam.runner, []), *beam.options]
    if beam.runner == _LOCAL_RUNNER:
        workers = beam.num_workers or usable_cores()
        mode = "multi_threading" if workers > 1 else "in_memory"
        flags = [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}", *flags]
    usage = io.StringIO()
    try:
        with redirect_stderr(usage):  # argparse prints three pages about a wrong flag, and the error last
            options = PipelineOptions(flags)
            options.get_all_options()  # parses them, which Beam would do only later
            options.view_as(StandardOptions).runner = FULL_NAMES.get(beam.runner, beam.runner)
            create_runner(options.view_as(StandardOptions).runner)
            _require_processes(options)
    except (ValueError, ImportError, AttributeError, SystemExit) as error:
        _, found_error, text = usage.getvalue().strip().rpartition("error: ")
        reason = text if found_error else error
        found = f"{beam.runner!r} with options {list(beam.options)}"
        raise ConfigError(f"beam_runner: expected a Beam runner installed here, found {found}: {reason}") from error
    return options


def _require_processes(options: "PipelineOptions") -> None:
    """Refuse a Dask cluster on threads of this process, which doubles sums and groups."""
    address = options.get_all_options().get("address")  # of Dask alone
    if str(address).startswith("inproc:"):
        raise ValueError(
            f"a Dask cluster inside this process ({address}) counts things twice; name one with worker processes"
        )


@contextmanager
def _watched(folder: Path, task: Task) -> Iterator[None]:
    """Advance `task` as summaries appear in `folder`."""
    done = threading.Event()

    def watch() -> None:
        seen: set[str] = set()
        counts, finished = Counter[str](), False
        while not finished:
            finished = done.wait(_POLL_SECONDS)
            new = {name for name in os.listdir(folder) if name.endswith(".result")} - seen
            if new:
                seen |= new
                counts = sum(
                    (_counters(json.loads((folder / name).read_text(encoding="utf-8"))) for name in new), counts
                )
                task.advance(len(new), **{name: float(number) for name, number in counts.items()})

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _counters(result: Any) -> Counter[str]:
    return Counter(result.get(COUNTERS, {})) if isinstance(result, Mapping) else Counter()


def _results(folder: Path, num_tasks: int, failure: Exception | None) -> list[Any]:
    results = [folder / f"{number:06d}.result" for number in range(num_tasks)]
    missing = [path for path in results if not path.exists()]
    if not missing and failure is None:
        return [json.loads(path.read_text(encoding="utf-8")) for path in results]
    for path in sorted(folder.glob("*.error")):
        if path.with_suffix(".result").exists():
            continue  # a retry went well
        text = json.loads(path.read_text(encoding="utf-8"))
        if kind := getattr(errors, text["kind"], None):
            raise kind(text["message"])
        if "arguments" in text:
            raise OSError(*text["arguments"])
        raise RuntimeError(f"A worker failed with {text['kind']}: {text['message']}\n{text['trace']}")
    if failure is not None:
        raise failure
    raise errors.AlexNetError(  # Dask says no more when its scheduler goes
        f"Beam: expected the runner to carry out {num_tasks} tasks, found {len(missing)} not done when it ended; was "
        f"it shut down? See its log, and run the same command again."
    )
