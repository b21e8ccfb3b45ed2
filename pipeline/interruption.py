"""Ctrl-C, SIGTERM and a closed terminal, for as long as a stage runs."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator

from alexnet_tf.stop import Stop

_PR_SET_PDEATHSIG = 1


class Interruption:
    """What signals have asked for.

    The first one sets `stop.asked`; where the stage does not heed that just then, it also raises KeyboardInterrupt.
    After it another Ctrl-C ends the process at once, whatever it does, while other signals change nothing: `timeout`
    and batch systems send them twice.

    Args:
        stop: That of the stage.

    Attributes:
        number: The first signal; SIGINT as long as there was none.
    """

    def __init__(self, stop: Stop) -> None:
        self.number = signal.SIGINT
        self._stop = stop

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Hear signals for as long as the context lasts, in the main thread; elsewhere others handle them."""
        earlier = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # Who starts a program in the background, or by `nohup`, has it ignore these. SIGTERM is heard all the
                # same, so that `trap '' TERM; dvc repro` saves DVC from it and not the training.
                if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
                    earlier[number] = signal.signal(number, self._hear)
        except ValueError:
            yield
            return
        if "DVC_STAGE" in os.environ:
            _end_with_parent()
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: object) -> None:
        if self._stop.asked:
            return
        self.number = signal.Signals(number)
        self._stop.asked = True
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if not self._stop.heeded:
            raise KeyboardInterrupt
        with contextlib.suppress(OSError):  # not by `print`, which may be at work just now
            os.write(2, b"\nending this step and saving a checkpoint; one more Ctrl-C leaves at once\n")


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent ends: a `dvc` that is ended by a signal does not pass it on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
