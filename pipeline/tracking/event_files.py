"""Event files for TensorBoard, if `runtime.tensorboard` is on: the numbers of a training, in a folder for each.

They have the numbers of each epoch under the names that they have in MLflow, and those of each step, of which MLflow
would get too many, under `steps/` and the same names. The files hold clocks and host names, so they are in the scratch
folder and in no output. Reading them needs the package tensorboard, writing them does not.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet_tf.data.tfrecord import read_shard
from alexnet_tf.errors import DataError
from pipeline.tracking import origins

if TYPE_CHECKING:
    from pipeline.tracking.tracker import StageTracker

FOLDER = "tensorboard"
_FILES = "events.out.tfevents.*"


def run_folder(root: Path, row: Mapping[str, Any], fingerprint: str) -> Path:
    """Name the folder of a training, such as `cifar10/optimized-seed-3-1f0c2a9b`.

    Args:
        root: The folder of all of them.
        row: The training's row in MLflow, whose name is the middle of the folder's.
        fingerprint: Of parameters, data and code. A training that is resumed may have another name by now, for example
            that of another DVC experiment, and goes on in the folder that it began.
    """
    if begun := sorted(root.glob(f"*/*-{fingerprint[:8]}")):
        return begun[0]
    tags, params = row["tags"], row["params"]
    name = f"{origins.row_name(row['variant'], tags, params)} {fingerprint[:8]}"
    data_set = origins.data_set(params, tags.get(origins.EXPERIMENT, ""))  # may have a slash, as NAME/CONFIG of tfds
    return root.joinpath(*(re.sub(r"[^\w.,=+-]+", "-", each) for each in (data_set, name)))


def where(home: Path, folder: Path) -> str:
    """Say where a training writes its event files, and what shows them."""
    install = "" if find_spec("tensorboard") else " (`pip install tensorboard`)"
    shown, root = folder.relative_to(home), folder.parents[1].relative_to(home)
    return f"event files are in {shown}; `tensorboard --logdir {root}` shows them{install}"


class EventFiles:
    """Passes everything on to a tracker, and writes the numbers of epochs and steps to event files, too.

    A training that starts at its first step starts the files anew. One that is resumed repeats the steps that an
    earlier process took after its last checkpoint, and comes to the same numbers: what is there is not written again.

    Args:
        tracker: Receives everything.
        folder: Of the training.
        tell: Shows one line to the user, if the files cannot be written; the training continues.
    """

    def __init__(self, tracker: "StageTracker", folder: Path, tell: Callable[[str], None]) -> None:
        self._tracker = tracker
        self._folder = folder
        self._tell = tell
        self._writer: Any = None
        self._written: dict[str, int] = {}  # tag -> its last step
        self._broken = False

    def metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Pass numbers on, and write those of an epoch."""
        self._tracker.metrics(values, step=step)
        if step is not None:
            self._write({name: [value] for name, value in values.items()}, step)

    def step_metrics(self, values: Mapping[str, Sequence[float]], *, first: int) -> None:
        """Pass the numbers of steps on, and write them."""
        self._tracker.step_metrics(values, first=first)
        self._write({f"steps/{name}": each for name, each in values.items()}, first, starts_anew=first == 1)

    def tags(self, values: Mapping[str, str]) -> None:
        """Pass words on."""
        self._tracker.tags(values)

    def artifact(self, path: Path, *, folder: str = "") -> None:
        """Pass a file on."""
        self._tracker.artifact(path, folder=folder)

    def close(self, status: str, cost: dict[str, float]) -> None:
        """Close the files, and the tracker."""
        if self._writer is not None:
            import tensorflow as tf

            with suppress(OSError, tf.errors.OpError):  # what was written is flushed already
                self._writer.close()
        self._tracker.close(status, cost)

    def _write(self, curves: Mapping[str, Sequence[float]], first: int, *, starts_anew: bool = False) -> None:
        if self._broken:
            return
        import tensorflow as tf

        try:
            if self._writer is None:
                if starts_anew:
                    _remove_files(self._folder)
                self._written = _last_steps(self._folder)
                self._writer = tf.summary.create_file_writer(str(self._folder))
            # What tf.summary.scalar writes; that needs tensorboard itself, which TensorFlow 2.21 does not bring.
            scalar = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class=1)
            with self._writer.as_default():
                for tag, values in curves.items():
                    for step, value in enumerate(values, start=first):
                        if step > self._written.get(tag, 0):
                            tf.summary.write(tag, tf.constant(value, tf.float32), step=step, metadata=scalar)
                            self._written[tag] = step
            self._writer.flush()
        except (OSError, tf.errors.OpError) as error:
            self._broken, self._writer = True, None
            # TensorFlow's messages have several lines; the first one ends with what the system says.
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0].rpartition("; ")[2]
            self._tell(
                f"event files in {self._folder} cannot be written ({reason}); the training continues without them"
            )


def _remove_files(folder: Path) -> None:
    for file in folder.glob(_FILES):
        file.unlink(missing_ok=True)


def _last_steps(folder: Path) -> dict[str, int]:
    """Find the last step of each curve in event files."""
    import tensorflow as tf

    last: dict[str, int] = {}
    for path in sorted(folder.glob(_FILES)):
        with suppress(DataError):  # the last record of a process that was killed may be cut short
            for payload in read_shard(path):
                event = tf.compat.v1.Event.FromString(payload)
                last |= {value.tag: max(event.step, last.get(value.tag, 0)) for value in event.summary.value}
    return last
