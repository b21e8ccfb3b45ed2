"""Says in one sentence what the operating system refused, and the way out."""

import errno
import shutil
from pathlib import Path

from alexnet_tf.errors import AlexNetError

_ADVICE = {
    errno.ENOSPC: "the disk is full ({free}); free some space and run the same command again",
    errno.EDQUOT: "your disk quota is used up ({free}); free some space and run the same command again",
    errno.EROFS: "the file system is read-only; work in a folder that can be written to",
    errno.EACCES: "permission denied; make it readable and writable for the user who runs this",
    errno.EPERM: "not permitted; make it readable and writable for the user who runs this",
    errno.ENOENT: "no such file or folder; was it removed in the meantime? Run the same command again",
    errno.EEXIST: "a file or a link that leads nowhere is in the place of a folder; move it, or mount what it leads to",
    errno.ENOTDIR: "a file is in the place of a folder; move it away",
    errno.EISDIR: "a folder is in the place of a file; move it away",
    errno.ELOOP: "a link that leads to itself; remove it",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.EMFILE: "too many open files; raise the limit, for example with `ulimit -n 4096`",
    errno.ENOMEM: "out of memory; use a smaller batch or fewer workers (`-S runtime.beam_workers=1`)",
    errno.EIO: "the disk reports a read or write error; check the disk",
}


_MUCH_BYTES = 1_000_000_000


def os_error_sentence(error: OSError, what: str, root: Path) -> AlexNetError:
    """Turn an operating system's error into one for a person.

    Args:
        error: What was raised.
        what: What was being done, for example `train@faithful`.
        root: A folder on the disk in question, whose free room is stated where that matters.
    """
    names = [str(name) for name in (error.filename, error.filename2) if name]  # of a rename there are two
    where = f"{' -> '.join(names)}: " if names else ""
    reason = f"{error.strerror or error}; run it again with --debug to see where"
    if error.errno in _ADVICE:
        reason = _ADVICE[error.errno].format(free=_free(root))
    return AlexNetError(f"{what}: {where}{reason}")


def _free(root: Path) -> str:
    try:
        free = shutil.disk_usage(root).free
    except OSError:
        return "free space unknown"
    other = (
        "so the file was larger, or it is another disk, such as that of /tmp, or inodes are used up: `df -h`, `df -i`"
    )
    return f"{free / 1e6:.0f} MB free at {root}{f', {other}' * (free > _MUCH_BYTES)}"
