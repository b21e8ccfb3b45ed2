"""What a training has cost, over all the processes that it took."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Seconds, by the clock on the wall and of the processors."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


class Stopwatch:
    """Runs from its making on.

    Attributes:
        earlier: What earlier processes had spent on the steps that this one goes on from.
    """

    def __init__(self) -> None:
        self.earlier = Spent()
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> Spent:
        """Return what was spent up to now, the earlier processes' share included."""
        return Spent(
            self.earlier.wall_seconds + time.monotonic() - self._wall,
            self.earlier.cpu_seconds + time.process_time() - self._cpu,
        )
