"""Which test images a model gets right, as bits: a few kilobytes by which any two models can be compared later."""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
        source_digest: Names their contents; None of a file from before it was noted.
    """

    num_examples: int
    keys_sha256: str
    right: Mapping[str, np.ndarray]
    source_digest: str | None = None


class ImageSet(Protocol):
    """What names a set of images, as of a `Correctness`."""

    @property
    def num_examples(self) -> int:
        """How many."""
        ...

    @property
    def keys_sha256(self) -> str | None:
        """Names their sorted keys."""
        ...

    @property
    def source_digest(self) -> str | None:
        """Names their contents."""
        ...


def same_images(one: ImageSet, other: ImageSet) -> bool:
    """Whether two evaluations are of the same images: as many, of the same keys and contents, where both are known."""
    known = ((one.keys_sha256, other.keys_sha256), (one.source_digest, other.source_digest))
    return one.num_examples == other.num_examples and all(None in pair or pair[0] == pair[1] for pair in known)


def named_images(images: ImageSet) -> str:
    """Return what tells one set of images from another, for a message."""
    named = {"keys": images.keys_sha256, "contents": images.source_digest}
    words = [f"{what} {digest[:12]}" for what, digest in named.items() if digest]
    return f"{images.num_examples}{' with ' * bool(words)}{', '.join(words)}"


def correctness(predictions: Mapping[str, Predictions], keys: Sequence[str], source_digest: str) -> Correctness:
    """Put together what is right; an image counts if it is right however ties are broken.

    Args:
        predictions: `center` and `ten_crop` -> of N images.
        keys: Their N keys, in the same order.
        source_digest: Names their contents.
    """
    order = sorted(range(len(keys)), key=keys.__getitem__)
    text = "\n".join(keys[index] for index in order)
    right = {f"{view}_top{k}": each.correct(k)[order] for view, each in predictions.items() for k in each.scores}
    return Correctness(len(keys), hashlib.sha256(text.encode()).hexdigest(), right, source_digest)


def write_correctness(path: Path, found: Correctness) -> None:
    """Write `num`, what names the images, and the bits, packed by `numpy.packbits`, as a .npz file."""
    packed = {name: np.packbits(bits) for name, bits in found.right.items()}
    named = {"num": np.array(found.num_examples, np.int64), "keys_sha256": np.array(found.keys_sha256)}
    if found.source_digest is not None:
        named["source_digest"] = np.array(found.source_digest)
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
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            if len(arrays.files) != int.from_bytes(content[-12:-10], "little"):  # members, as the end of a zip has them
                raise ValueError("a member is missing")
            num = int(arrays["num"])
            keys_sha256 = str(arrays["keys_sha256"])
            source_digest = str(arrays["source_digest"]) if "source_digest" in arrays else None
            right = {
                name: np.unpackbits(arrays[name], count=num).astype(bool)
                for name in arrays.files
                if name not in ("num", "keys_sha256", "source_digest")
            }
    # Of a damaged zip file, Python also says that it needs a later version, another compression or a password.
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is missing or broken ({error}): {way_out}.") from error
    return Correctness(num, keys_sha256, right, source_digest)
