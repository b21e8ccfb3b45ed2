"""Which test images a model gets right, as bits: a few kilobytes by which any two models can be compared later."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.canonical_zip import write_npz
from alexnet_tf.errors import DataError
from alexnet_tf.metrics.top_k import Predictions


@dataclass(frozen=True)
class Correctness:
    """What one evaluation got right.

    Attributes:
        num_examples: N images.
        keys_sha256: Names the set of images: sha256 of their sorted keys, one a line.
        right: `center_top1` and so on -> (N,) bool in the order of the sorted keys.
    """

    num_examples: int
    keys_sha256: str
    right: Mapping[str, np.ndarray]


def correctness(predictions: Mapping[str, Predictions], keys: Sequence[str]) -> Correctness:
    """Put together what is right; an image counts if it is right however ties are broken.

    Args:
        predictions: `center` and `ten_crop` -> of N images.
        keys: Their N keys, in the same order.
    """
    order = sorted(range(len(keys)), key=keys.__getitem__)
    text = "\n".join(keys[index] for index in order)
    right = {f"{view}_top{k}": each.correct(k)[order] for view, each in predictions.items() for k in each.scores}
    return Correctness(len(keys), hashlib.sha256(text.encode()).hexdigest(), right)


def write_correctness(path: Path, found: Correctness) -> None:
    """Write `num`, `keys_sha256` and the bits, packed by `numpy.packbits`, as a .npz file."""
    packed = {name: np.packbits(bits) for name, bits in found.right.items()}
    named = {"num": np.array(found.num_examples, np.int64), "keys_sha256": np.array(found.keys_sha256)}
    write_npz(path, named | packed)


def read_correctness(path: Path, *, way_out: str) -> Correctness:
    """Read what `write_correctness` wrote.

    Args:
        path: The .npz file.
        way_out: Ends the message of an error: what to do.

    Raises:
        DataError: It is missing or broken.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            num = int(arrays["num"])
            keys_sha256 = str(arrays["keys_sha256"])
            right = {
                name: np.unpackbits(arrays[name], count=num).astype(bool)
                for name in arrays.files
                if name not in ("num", "keys_sha256")
            }
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is missing or broken ({error}): {way_out}.") from error
    return Correctness(num, keys_sha256, right)
