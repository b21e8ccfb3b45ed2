"""Keeps what TensorFlow says while it is imported off the screen, except where the import fails.

Its C++ code writes to the descriptor of standard error before its log has a level, so that no setting silences it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_STDERR = 2
# Writes out what it has read once the pipe is closed, by us or by the end of our process, unless it is killed before.
_REPLAY = 'text=$(cat); [ -z "$text" ] || printf "%s\\n" "$text" >&2'


def quiet_tensorflow() -> None:
    """Hold back the lines of TensorFlow's import, wherever in this process it is first imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of what comes later; its errors reach Python as exceptions
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds `tensorflow` as Python does, and runs it with standard error held back."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == "tensorflow" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            with held_back():
                execute(module)

        spec.loader.exec_module = exec_module
        return spec


@contextmanager
def held_back() -> Iterator[None]:
    """Drop what is written to standard error, by C++ code too, unless the block raises or the process ends in it.

    A shell holds the text, so that it is shown even when the process is killed or aborts, as TensorFlow does on a
    processor that lacks its instructions.
    """
    sys.stderr.flush()
    holder = subprocess.Popen(
        ["sh", "-c", _REPLAY],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    )
    assert holder.stdin
    screen = os.dup(_STDERR)
    os.dup2(holder.stdin.fileno(), _STDERR)
    holder.stdin.close()
    dropped = False
    try:
        yield
        dropped = True
    except KeyboardInterrupt:
        dropped = True
        raise
    finally:
        sys.stderr.flush()
        if dropped:
            holder.kill()
        os.dup2(screen, _STDERR)
        os.close(screen)
        holder.wait()
