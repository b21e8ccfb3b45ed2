"""Arrays as `.npy` files whose writing says what the operating system refused."""

import io
from pathlib import Path

import numpy as np

from alexnet_tf.whole_file import write_whole


def save_npy(path: Path, array: np.ndarray) -> None:
    """Write an array at once, in the bytes of `numpy.save`.

    NumPy itself writes to a file by C's `fwrite`, and of a full disk says only how many items it wrote.

    Args:
        path: Ends in `.npy`; an earlier file is replaced.
        array: Is held twice in memory.

    Raises:
        OSError: As of `whole_file`, with its `errno`.
    """
    content = io.BytesIO()
    np.save(content, array)
    write_whole(path, content.getvalue())
