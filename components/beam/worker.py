"""What a Beam worker does with one task: it leaves a result or an error in a file, whole or not at all."""

import json
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alexnet_tf.errors import AlexNetError
from alexnet_tf.whole_file import write_whole

COUNTERS = "counters"
"""Key of a result under which it says what was done, name to number; these also are Beam's own counters."""

RESERVE = "reserve"
"""A file of `RESERVE_BYTES` beside the results that goes when a task fails: on a full disk the error needs its room."""
RESERVE_BYTES = 65_536


def run_task(numbered: tuple[int, Any], *, function: Callable[[Any], Any], folder: str, engine_retries: bool) -> None:
    """Run one task in a worker and leave `<number>.result` or `<number>.error` in `folder`.

    A task that has its result is not run again: Dask asks for all that a lost worker had done.

    An error is raised only where the engine will then try again, and never if it is ours, since the next
    try would fail as well; raising in a local runner prints traces and, with processes, can hang it.
    """
    (number, task), place = numbered, Path(folder)
    if (place / "failed").exists() or not place.is_dir():
        return  # another task has failed, or the stage was interrupted
    done = place / f"{number:06d}.result"
    try:
        if done.exists():
            _count(json.loads(done.read_text(encoding="utf-8")))
            return
        result = function(task)
        _count(result)
        write_whole(done, json.dumps(result))
    except Exception as error:
        text = {"kind": type(error).__name__, "message": str(error), "trace": traceback.format_exc()}
        if isinstance(error, OSError) and error.errno is not None:
            text |= {"arguments": [error.errno, error.strerror, str(error.filename or folder)]}
        (place / RESERVE).unlink(missing_ok=True)
        write_whole(place / f"{number:06d}.error", json.dumps(text))
        if engine_retries and not isinstance(error, AlexNetError):
            raise
        (place / "failed").touch()


def _count(result: Any) -> None:
    """Add to Beam's counters, which the pages of Flink, Spark and Dataflow show while the job runs."""
    if isinstance(result, Mapping) and COUNTERS in result:
        from apache_beam.metrics.metric import Metrics

        for name, number in result[COUNTERS].items():
            Metrics.counter("alexnet", name).inc(number)
