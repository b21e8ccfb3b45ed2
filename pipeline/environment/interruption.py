"""Ctrl-C, SIGTERM and a closed terminal, for as long as a stage runs."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

from alexnet_tf.stop import Stop

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE_SECONDS = 3.0


class Interrupted(Exception):
    """A stage was stopped by a signal; its text is for a person.

    Attributes:
        exit_code: As shells have it: 128 and the signal's number, so 130 for Ctrl-C and 143 for SIGTERM.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class Interruption:
    """What signals have asked for.

    The first one sets `stop.asked`; where the stage does not heed that just then, it also raises KeyboardInterrupt.
    After it another Ctrl-C ends the process at once, whatever it does, while other signals change nothing: `timeout`
    and batch systems send them twice.

    A handler has to wait for a call of the main thread that is not Python's; compiling a step is one that takes long.
    Where the stage heeds no stop just then, the process ends after a few seconds of that: there is nothing to save, and
    what it has half-written is cleared away by the next run.

    Args:
        stop: That of the stage.
        name: Of the stage.

    Attributes:
        number: The first signal; SIGINT as long as there was none.
    """

    def __init__(self, stop: Stop, name: str) -> None:
        self.number = signal.SIGINT
        self._stop, self._name = stop, name

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Hear signals for as long as the context lasts, in the main thread; elsewhere others handle them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        earlier = {}
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        threading.Thread(target=self._watch, args=(reader,), daemon=True).start()
        earlier_wakeup = signal.set_wakeup_fd(writer)
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))  # its signals are its own
        if "DVC_STAGE" in os.environ:
            _end_with_parent()
        try:
            for number in _SIGNALS:
                # Who starts a program in the background, or by `nohup`, has it ignore these. SIGTERM is heard all the
                # same, so that `trap '' TERM; dvc repro` saves DVC from it and not the training.
                if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
                    earlier[number] = signal.signal(number, self._hear)
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(earlier_wakeup)
            os.close(writer)

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

    def _watch(self, reader: int) -> None:
        """Read each signal's number as it comes, and end the process if its handler cannot run."""
        with open(reader, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if number[0] not in _SIGNALS or self._stop.heeded:
                    continue
                time.sleep(_PATIENCE_SECONDS)
                if not self._stop.asked and not self._stop.heeded:
                    with contextlib.suppress(OSError):
                        on = "the same command starts it again, or resumes from its last checkpoint"
                        os.write(2, f"\n{self._name}: interrupted; {on}\n".encode())
                    os._exit(128 + number[0])


@contextlib.contextmanager
def as_ctrl_c() -> Iterator[list[int]]:
    """Have SIGTERM and a closed terminal raise KeyboardInterrupt in the main thread, as Ctrl-C does.

    So what a command has begun is cleared away, and the processes that it waits for end with it. A second signal soon
    after does not break that off.

    Yields:
        What was heard, the number of the signal; empty where nothing was, as of Ctrl-C.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return

    since = float("-inf")

    def hear(number: int, _frame: object) -> None:
        nonlocal since
        # `timeout` and batch systems send two at once; a first one that is long ago was lost, as in a `__del__`.
        if time.monotonic() - since > _PATIENCE_SECONDS:
            heard[:], since = [number], time.monotonic()
            raise KeyboardInterrupt

    asked = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_DFL]
    try:
        for number in asked:
            signal.signal(number, hear)
        yield heard
    finally:
        for number in asked:
            signal.signal(number, signal.SIG_DFL)


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent ends: a `dvc` that is ended by a signal does not pass it on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
