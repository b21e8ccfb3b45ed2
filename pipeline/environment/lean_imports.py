"""Imports large packages without what they say and without what no stage needs of them.

TensorFlow's C++ code writes to the descriptor of standard error before its log has a level, so that no setting
silences it. Keras imports scikit-learn, pandas and matplotlib wherever they are installed, for wrappers and pictures
that nothing here uses; Beam and MLflow import pandas. That is a large part of the time that importing them takes.
Python's garbage collector is another part of it: it traverses every object again and again, and once more when the
process ends, and finds next to none to drop (findings/tf_import_exit_collection.sh).
"""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_STDERR = 2
_PACKAGES = ("apache_beam", "keras", "tensorflow")
_UNUSED = ("matplotlib", "pandas", "sklearn")
# Writes out what it has read once the pipe is closed, by us or by the end of our process, unless it is killed before.
_REPLAY = 'text=$(cat); [ -z "$text" ] || printf "%s\\n" "$text" >&2'


def lean_imports() -> None:
    """Make the first import of TensorFlow, Keras and Beam, wherever in this process it is, silent and lean."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of what comes later; its errors reach Python as exceptions
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds these packages as Python does, and runs them with standard error held back."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname in _PACKAGES else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            with _held_back(), left_out(_UNUSED), uncollected():
                execute(module)

        spec.loader.exec_module = exec_module
        return spec


@contextmanager
def left_out(packages: Sequence[str]) -> Iterator[None]:
    """Make importing `packages` fail inside the block as if they were not installed; those imported before stay."""
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # pyright: ignore  None in the table is Python's own way to say it
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from running inside the block, and afterwards from what is there by then."""
    if not gc.isenabled():  # an import inside such a block, or a caller who does without
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _held_back() -> Iterator[None]:
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
