"""Shows long work: a bar in a terminal; elsewhere a line every few seconds, and every minute later on."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO, cast

from components.interfaces import Progress, Task

if TYPE_CHECKING:
    from rich import progress as bars
    from rich.console import Console

LINE_SECONDS = 10.0
SILENCE_SECONDS = 60.0  # at most, between two lines
WARM_UP_SECONDS = 10.0  # what a task does first, such as compiling a network, tells nothing of how it goes on
RATE_SECONDS = 60.0  # the rate is that of the last minute: what was there before a resume was not done at it
RATED = ("images", "steps", "examples")  # nobody plans by variants or shards per second


def progress_for(stream: TextIO | None = None) -> Progress:
    """Choose a bar where `stream` (by default standard error) is a terminal, else lines."""
    chosen = sys.stderr if stream is None else stream
    quiet = cast("TextIO", _Quiet(chosen))
    return BarProgress(quiet) if chosen.isatty() else LineProgress(quiet)


class _Quiet:
    """A stream that takes no harm if nobody reads it any more: a terminal or a pipe that is gone ends no training."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Pace:
    """How fast a task goes, and how long it still takes.

    Args:
        total: Units of the whole task.
        clock: Seconds that only go up.

    Attributes:
        total: Likewise.
        done: Units up to now.
    """

    def __init__(self, total: int, clock: Callable[[], float]) -> None:
        self.total, self.done = total, 0
        self._clock = clock
        self._start = clock()
        self._marks: deque[tuple[float, int]] = deque()  # time and units done, some seconds apart, over a minute

    def advance(self, amount: int) -> None:
        """Count units."""
        self.done += amount
        now = self._clock()
        if now - (self._marks[-1][0] if self._marks else self._start) >= WARM_UP_SECONDS:
            self._marks.append((now, self.done))
        while len(self._marks) > 1 and self._marks[1][0] <= now - RATE_SECONDS:
            self._marks.popleft()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return self._clock() - self._start

    def rate(self) -> float | None:
        """Return units per second over the last minute, without the warm-up; None while it is not known."""
        if not self._marks or self.done == self._marks[0][1]:
            return None
        since, done = self._marks[0]
        return (self.done - done) / max(self._clock() - since, 1e-9)

    def speed(self, unit: str) -> list[str]:
        """Word the rate, if it is known and one that people ask for."""
        rate = self.rate()
        return [f"{rate:.3g} {unit}/s"] if rate is not None and unit in RATED else []

    def left(self) -> list[str]:
        """Word the remaining time, if it is known and there is some."""
        rate = self.rate()
        return [f"{duration((self.total - self.done) / rate)} left"] if rate and self.done < self.total else []


def duration(seconds: float) -> str:
    """Word a time: `150 s`, `12 min`, `5 h 20 min`."""
    if seconds < 300:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class BarProgress:
    """A bar that rich draws."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    def task(self, description: str, *, total: int, unit: str) -> AbstractContextManager[Task]:
        """Draw a bar of `total` units until the task ends."""
        return self._bar(description, total, unit)

    def line(self, text: str) -> None:
        """Write a line, above the bar if there is one."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @cached_property
    def _console(self) -> "Console":
        from rich.console import Console

        return Console(file=self._stream)

    @contextmanager
    def _bar(self, description: str, total: int, unit: str) -> Iterator[Task]:
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=20),
            bars.TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            bars.TimeElapsedColumn(),
            bars.TextColumn("{task.fields[told]}"),
        )
        with bars.Progress(*columns, console=self._console) as shown:
            task = shown.add_task(description, total=total, unit=unit, told="")
            yield _BarTask(shown, task, unit, Pace(total, self._clock))


class _BarTask:
    def __init__(self, shown: "bars.Progress", task: "bars.TaskID", unit: str, pace: Pace) -> None:
        self._shown, self._task = shown, task
        self._unit, self._pace = unit, pace
        self._figures: dict[str, float | str] = {}

    def advance(self, amount: int = 1, **figures: float | str) -> None:
        """Move the bar."""
        self._pace.advance(amount)
        self._figures.update(figures)
        told = ", ".join([*self._pace.left(), *_worded(self._figures), *self._pace.speed(self._unit)])
        self._shown.update(self._task, advance=amount, told=told)


class LineProgress:
    """A line when nothing was said for a while, and one at the end of a task.

    Args:
        stream: Where lines go.
        seconds: How long a while is at first; later it is a tenth of the time that the task took up to now.
        clock: Seconds that only go up.
    """

    def __init__(
        self, stream: TextIO, *, seconds: float = LINE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._seconds = seconds
        self._clock = clock
        self._began = self._said = clock()

    def task(self, description: str, *, total: int, unit: str) -> AbstractContextManager[Task]:
        """Write lines about `total` units until the task ends."""
        return self._lines(description, total, unit)

    def line(self, text: str) -> None:
        """Write a line."""
        self._said = self._clock()
        print(text, file=self._stream, flush=True)

    def is_due(self) -> bool:
        """Whether nothing was said for a while."""
        now = self._clock()
        return now - self._said >= min(max(self._seconds, (now - self._began) / 10), SILENCE_SECONDS)

    @contextmanager
    def _lines(self, description: str, total: int, unit: str) -> Iterator[Task]:
        self._began = self._said = self._clock()
        task = _LineTask(self, description, unit, Pace(total, self._clock))
        yield task
        task.write()


class _LineTask:
    def __init__(self, progress: LineProgress, description: str, unit: str, pace: Pace) -> None:
        self._progress, self._description, self._unit, self._pace = progress, description, unit, pace
        self._figures: dict[str, float | str] = {}

    def advance(self, amount: int = 1, **figures: float | str) -> None:
        """Count, and write a line if the last one is old enough."""
        self._pace.advance(amount)
        self._figures.update(figures)
        if self._progress.is_due() and self._pace.done < self._pace.total:
            self.write()

    def write(self) -> None:
        """Say how far the task is."""
        pace = self._pace
        parts = [f"{self._description}: {pace.done:,}/{pace.total:,} {self._unit}", duration(pace.elapsed())]
        self._progress.line(", ".join([*parts, *pace.speed(self._unit), *pace.left(), *_worded(self._figures)]))


def _worded(figures: dict[str, float | str]) -> list[str]:
    return [f"{name.replace('_', ' ')} {_figure(value)}" for name, value in figures.items()]


def _figure(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == round(value) and abs(value) >= 1000 else f"{value:.4g}"
