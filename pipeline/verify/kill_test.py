"""`alexnet train VARIANT --kill-test N`: whether a training that is killed ends at the bytes of one that is not.

Two folders below `.alexnet/kill_test` serve as two checkouts, each with the data and the code of this one as links. The
training runs through in the first; in the second it is killed N times and started again. Nothing else is touched.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.errors import TrainingError
from alexnet_tf.whole_file import TEMPORARY
from pipeline.environment.workspace import Workspace
from pipeline.stages.outputs import remove
from pipeline.stages.table import Item
from pipeline.verify import sandbox

_CHECKPOINTS_PER_TRAINING = 20
_SECONDS_BETWEEN_LOOKS = 0.002
_WHOLE, _HALF_WRITTEN = "*/checkpoint.safetensors", f"*/{TEMPORARY}*"


class Verdict(NamedTuple):
    """How it ended.

    Attributes:
        kills: How often the process was killed while it ran.
        resumable: How many of them left a checkpoint to go on from.
        kills_in_write: How many of them found a checkpoint half-written.
        differing: Files of the result that are not equal byte by byte.
    """

    kills: int
    resumable: int
    kills_in_write: int
    differing: tuple[str, ...]


def kill_test(
    workspace: Workspace, item: Item, changes: tuple[str, ...], kills: int, say: Callable[[str], None]
) -> Verdict:
    """Train twice, one of them killed, and compare what they wrote.

    Args:
        workspace: Whose data and code are used.
        item: A run of the stage train.
        changes: Texts `key=value` from `-S`.
        kills: How often to kill; every second kill waits for the write of a checkpoint.
        say: Told what happens.

    Raises:
        TrainingError: A process ended otherwise than by being killed or by finishing, or no kill met a checkpoint.
    """
    place = workspace.scratch / "kill_test" / item.key
    remove(place)
    whole, broken = (sandbox.make(place / name, workspace.root) for name in ("whole", "killed"))
    children: list[subprocess.Popen] = []

    def train(folder: Path) -> subprocess.Popen:
        children.append(sandbox.train(folder, item.key, changes))
        return children[-1]

    try:
        started = time.monotonic()
        if train(whole).wait():
            raise TrainingError(f"the training that nobody killed failed: see {whole / 'log.txt'}")
        seconds = time.monotonic() - started
        say(f"uninterrupted: {seconds:.0f} s")
        changes = (*changes, f"runtime.checkpoint_interval_seconds={seconds / _CHECKPOINTS_PER_TRAINING:.3f}")
        moments, done, resumable, in_write = random.Random(kills), 0, 0, 0
        for number in range(1, kills + 1):
            child = train(broken)
            writing = _wait(child, broken, seconds * moments.random(), for_write=number % 2 == 0)
            if child.poll() is None:
                os.kill(child.pid, signal.SIGKILL)
                done, in_write = done + 1, in_write + writing
                resumable += any(Workspace(broken, broken).checkpoints.glob(_WHOLE))
                say(f"kill {number} of {kills}{' while a checkpoint was being written' if writing else ''}")
            child.wait()
            if _is_over(broken, item):
                break  # it was faster than the kill; one more training would start anew, and nothing would be compared
        else:
            if train(broken).wait():
                raise TrainingError(f"the training did not go on after {done} kills: see {broken / 'log.txt'}")
        if not resumable:
            raise TrainingError(
                f"{done} of {kills} kills came, none of them after a first checkpoint, so nothing was checked: "
                "train longer, or raise N"
            )
    finally:
        for child in children:  # one is at work if this process is interrupted; of the others this does nothing
            child.kill()
    differing = tuple(sorted(_differing(whole, broken, item)))
    if not differing:
        shutil.rmtree(place)
    return Verdict(done, resumable, in_write, differing)


def _wait(child: subprocess.Popen, folder: Path, seconds: float, *, for_write: bool) -> bool:
    """Wait until it is time to kill; return whether a checkpoint is being written just then.

    A write that is waited for is one over an earlier checkpoint, which has to survive it.
    """
    until = time.monotonic() + seconds
    checkpoints = Workspace(folder, folder).checkpoints
    left = set(checkpoints.glob(_HALF_WRITTEN))  # by the kills before

    def writing() -> bool:
        return not left.issuperset(checkpoints.glob(_HALF_WRITTEN))

    while child.poll() is None and (for_write or time.monotonic() < until):
        if for_write and writing() and any(checkpoints.glob(_WHOLE)):
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return writing()


def _is_over(folder: Path, item: Item) -> bool:
    """Whether the training has its result, and with it no checkpoint any more."""
    return (folder / item.outputs()["model"]).exists() and not any(Workspace(folder, folder).checkpoints.glob(_WHOLE))


def _differing(one: Path, other: Path, item: Item) -> Iterator[str]:
    for output in item.outputs().values():
        files = {path.relative_to(folder) for folder in (one, other) for path in (folder / output).rglob("*")}
        yield from (str(name) for name in files if _digest(one / name) != _digest(other / name))


def _digest(path: Path) -> str | None:
    if path.is_dir():
        return "a folder"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
