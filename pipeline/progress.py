"""Shows long work: a bar in a terminal, one line every few seconds elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TextIO

from components.interfaces import Progress, Task

if TYPE_CHECKING:
    from rich import progress as bars

LINE_SECONDS = 5.0
RATE_SECONDS = 60.0  # the rate is that of the last minute: what was there before a resume was not done at it


def progress_for(stream: TextIO | None = None) -> Progress:
    """Choose a bar where `stream` (by default standard error) is a terminal, else lines."""
    chosen = sys.stderr if stream is None else stream
    return BarProgress(chosen) if chosen.isatty() else LineProgress(chosen)


class BarProgress:
    """A bar that rich draws."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def task(self, description: str, *, total: int, unit: str) -> AbstractContextManager[Task]:
        """Draw a bar of `total` units until the task ends."""
        return self._bar(description, total, unit)

    @contextmanager
    def _bar(self, description: str, total: int, unit: str) -> Iterator[Task]:
        from rich import progress as bars
        from rich.console import Console

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=30),
            bars.TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            bars.TimeElapsedColumn(),
            bars.TextColumn("left"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[figures]}"),
        )
        with bars.Progress(*columns, console=Console(file=self._stream)) as shown:
            task = shown.add_task(description, total=total, unit=unit, figures="")
            yield _BarTask(shown, task)


class _BarTask:
    def __init__(self, shown: "bars.Progress", task: "bars.TaskID") -> None:
        self._shown = shown
        self._task = task

    def advance(self, amount: int = 1, **figures: float) -> None:
        """Move the bar."""
        self._shown.advance(self._task, amount)
        if figures:
            self._shown.update(self._task, figures=_worded(figures))


class LineProgress:
    """A line every `seconds`, and one at the end.

    Args:
        stream: Where lines go.
        seconds: The least time between two lines of a task.
        clock: Seconds that only go up.
    """

    def __init__(
        self, stream: TextIO, *, seconds: float = LINE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._seconds = seconds
        self._clock = clock

    def task(self, description: str, *, total: int, unit: str) -> AbstractContextManager[Task]:
        """Write lines about `total` units until the task ends."""
        return self._lines(description, total, unit)

    @contextmanager
    def _lines(self, description: str, total: int, unit: str) -> Iterator[Task]:
        task = _LineTask(description, total, unit, self._stream, self._seconds, self._clock)
        yield task
        task.end()


class _LineTask:
    def __init__(
        self,
        description: str,
        total: int,
        unit: str,
        stream: TextIO,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._description, self._total, self._unit = description, total, unit
        self._stream, self._seconds, self._clock = stream, seconds, clock
        self._start = self._last = clock()
        self._done = 0
        self._marks = deque([(self._start, 0)])  # of the lines of the last minute, and the last one before it
        self._figures: dict[str, float] = {}

    def advance(self, amount: int = 1, **figures: float) -> None:
        """Count, and write a line if the last one is old enough."""
        self._done += amount
        self._figures.update(figures)
        if self._clock() - self._last >= self._seconds and self._done < self._total:
            self._last = self._clock()
            self._write()

    def end(self) -> None:
        """Write the last line."""
        self._write()

    def _write(self) -> None:
        now = self._clock()
        while len(self._marks) > 1 and self._marks[1][0] <= now - RATE_SECONDS:
            self._marks.popleft()
        since, done = self._marks[0]
        rate = (self._done - done) / max(now - since, 1e-9)
        self._marks.append((now, self._done))
        parts = [f"{self._description}: {self._done}/{self._total} {self._unit}", f"{now - self._start:.0f} s"]
        if rate:
            parts.append(f"{rate:.3g} {self._unit}/s")
        if rate and self._done < self._total:
            parts.append(f"{(self._total - self._done) / rate:.0f} s left")
        if self._figures:
            parts.append(_worded(self._figures))
        print(", ".join(parts), file=self._stream, flush=True)


def _worded(figures: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())
