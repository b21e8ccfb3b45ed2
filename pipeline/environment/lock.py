"""A lock between processes of one machine; it goes with the process that has it, however that ends."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class NoLocksError(OSError):
    """The file system has no locks; the message names the file and the way out."""


def try_lock(file: IO[Any]) -> bool:
    """Take the lock of a file that is open for writing, unless another process has it; return whether it is taken.

    Raises:
        NoLocksError: The file system has none, as Lustre without the mount option `flock`, or a mounted bucket.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise NoLocksError(
            f"{file.name}: the file system has no locks ({error.strerror}); work on a disk that has them, or mount "
            "this one with them (Lustre: `-o flock`)"
        ) from error
    return True


def is_held(path: Path, *, without_locks: bool = False) -> bool:
    """Whether a process has the lock of a file; none has where there is no file.

    Args:
        path: The file.
        without_locks: What to say where the file system has no locks, so that nobody knows.
    """
    try:
        with open(path, "r+" if os.access(path, os.W_OK) else "r") as file:  # another user's cannot be written
            return not try_lock(file)
    except FileNotFoundError:
        return False
    except NoLocksError:
        return without_locks


def is_at(path: Path, file: IO[Any]) -> bool:
    """Whether an open file is still the one at its path: whoever had its lock may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


@contextmanager
def locked(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock for as long as the context lasts, and wait for a process that has it.

    On a file system without locks nothing is held.

    Args:
        path: The lock file; made here, and removed at the end.
        waiting: Told the number of the process that is waited for, before the wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a+", encoding="ascii") as file:
            try:
                is_free = try_lock(file)
            except NoLocksError:
                yield
                return
            if not is_free:
                file.seek(0)  # by this file, as the one at `path` may be gone by now
                waiting(file.read() or "unknown")
                fcntl.flock(file, fcntl.LOCK_EX)
            if not is_at(path, file):
                continue
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
