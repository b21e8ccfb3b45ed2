"""Arrays as `.npy` files: writing says what the operating system refused, reading what is damaged."""

import io
import tokenize
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


def load_npy(path: Path) -> np.ndarray:
    """Read an array of numbers; nothing in the file is run.

    Args:
        path: Written by `save_npy` or `numpy.save`.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged, or holds something else. Of a damaged header NumPy raises any of four errors.
    """
    try:
        return np.lib.format.read_array(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError) as error:
        raise ValueError(f"{path.name} is damaged ({error})") from error
