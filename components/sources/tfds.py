"""A data set that tensorflow-datasets has prepared, or prepares now, as a source.

What is already prepared is read straight from its TFRecord files: no network, no TensorFlow, no re-encoding.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.tfrecord import decode_example, indexed_records, read_record
from alexnet_tf.errors import DataError
from components.interfaces import SPLITS
from components.sources.files import Ignored
from components.sources.source import RawImage, Source, key_text, order_value, sorted_order
from components.sources.tfds_preparation import prepare

_POSITION = np.dtype([("order", "u8"), ("file", "i4"), ("offset", "i8"), ("label", "i4"), ("copy", "i4")])
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def tfds_source(name: str, folder: Path | None, *, builder: str = "") -> Source:
    """Return an image classification set of tensorflow-datasets.

    A validation split without a (labelled) test split counts as the test split. Images without an id are named by a
    hash of their content, so that neither shards nor their order decide anything.

    Args:
        name: `NAME` or `NAME/CONFIG` as tensorflow-datasets knows it.
        folder: Its data_dir, or a folder whose `tfds/` is one; a set in neither is prepared in `tfds/`.
        builder: A module whose import makes the set known to tensorflow-datasets; empty for its own sets.

    Raises:
        DataError: When the set is not there and cannot be fetched, is not one of images with one class each, has no
            training split, or its files differ from its dataset_info.json.
        ConfigError: When tensorflow-datasets knows no such set.
    """
    if folder is None:
        raise DataError(
            f"The data set {name} expected runtime.source_folder to name a folder, found it unset; set it to one that "
            "has the set prepared, or in whose tfds/ it is to be prepared."
        )
    prepared = find_prepared(name, folder)
    if prepared is None:
        _require_its_data_dir(name, folder)
        prepared = prepare(name, folder / "tfds", builder=builder)
    layout = _layout(prepared)
    indices = {split: _index(layout, split) for split in SPLITS if split in layout.files}
    indices = {split: index for split, index in indices.items() if len(index)}
    if "train" not in indices:
        raise DataError(
            f"{prepared}: expected a split train with labelled images, found only {', '.join(layout.files)}; choose a "
            "set that has one."
        )
    origin = {split: split for split in indices}
    if "test" not in indices and "validation" in indices:
        origin["test"] = origin.pop("validation")

    def read(split: str, rows: np.ndarray) -> Iterator[RawImage]:
        return _read(layout, origin[split], indices[origin[split]][rows])

    labels = {split: indices[name]["label"] for split, name in origin.items()}
    ignored = [
        Ignored(f"split {split}", "a split without labels" if split in SPLITS else "a split of another name")
        for split in layout.files
        if split not in indices
    ]
    return Source(layout.class_names, labels, read, ignored)


@dataclass(frozen=True)
class _Layout:
    """Where the records of a prepared set are, how many each file has, and what their features are called."""

    files: dict[str, list[Path]]
    counts: dict[str, list[int]]
    image: str
    label: str
    identity: str | None
    class_names: tuple[str, ...]


def find_prepared(name: str, folder: Path) -> Path | None:
    """Return the newest version of a prepared set, or None."""
    for data_dir in (folder, folder / "tfds"):
        for pattern in ("*/dataset_info.json", "*/*/dataset_info.json"):
            # What is being prepared, or was when it was killed, is in "3.0.2.incomplete…".
            found = [p.parent for p in (data_dir / name).glob(pattern) if _VERSION.fullmatch(p.parent.name)]
            configs = sorted({path.parent.name for path in found})
            if len(configs) > 1:
                raise DataError(
                    f"{data_dir / name}: expected one configuration, found {', '.join(configs)}; name one of "
                    f"them, for example tfds:{name}/{configs[0]}."
                )
            if found:
                return max(found, key=lambda path: [int(part) for part in path.name.split(".")])
    return None


def _require_its_data_dir(name: str, folder: Path) -> None:
    """Refuse the folder of a prepared set itself, in which it would be fetched and prepared again.

    Raises:
        DataError: When it is one.
    """
    here = folder.resolve()
    for parent in here.parents[:3] if name.partition("/")[0] in here.parts[-3:] else ():
        found = find_prepared(name, parent)
        if found is not None and here in (found, *found.parents):
            raise DataError(
                f"{folder}: expected the folder that holds {name}/, found the set itself; set runtime.source_folder to "
                f"{parent}."
            )


def _layout(folder: Path) -> _Layout:
    import tensorflow_datasets as tfds  # half a second that no other source needs

    try:
        info = tfds.builder_from_directory(folder).info
    except (PermissionError, ImportError):
        raise
    except Exception as error:  # JSON's, protobuf's, its own: a file there is missing or cut short
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"{folder}: expected a set as tensorflow-datasets prepares it, found dataset_info.json or features.json "
            f"missing or damaged ({type(error).__name__}: {reason}); delete {folder} and run again."
        ) from error
    features: Any = info.features
    file_format = info.file_format.value if info.file_format else "none"
    if file_format != "tfrecord":
        raise DataError(
            f"{folder}: expected the file format tfrecord, found {file_format}; prepare the set "
            f"again with file_format='tfrecord'."
        )
    images = [name for name, feature in features.items() if isinstance(feature, tfds.features.Image)]
    labels = [name for name, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    texts = [name for name, feature in features.items() if isinstance(feature, tfds.features.Text)]
    image, label = (_choose(names, name) for names, name in ((images, "image"), (labels, "label")))
    if image is None or label is None or features[image].np_dtype != np.uint8:
        raise DataError(
            f"{folder}: expected one 8-bit image and one class label an example, found the features "
            f"{', '.join(features)}; choose an image classification set."
        )
    identity = next((name for name in ("id", "file_name", "filename", "image/filename") if name in texts), None)
    files = {name: [folder / file for file in sorted(split.filenames)] for name, split in info.splits.items()}
    counts = {name: list(split.shard_lengths) for name, split in info.splits.items()}
    return _Layout(files, counts, image, label, identity, tuple(features[label].names))


def _choose(names: list[str], preferred: str) -> str | None:
    if preferred in names:
        return preferred
    return names[0] if len(names) == 1 else None


def _index(layout: _Layout, split: str) -> np.ndarray:
    """Return where the labelled examples of a split are, (N,) of `_POSITION`, in their final order."""

    def positions() -> Iterator[tuple[int, int, int, int, int]]:
        for number, (path, count) in enumerate(zip(layout.files[split], layout.counts[split], strict=True)):
            found = 0
            for offset, payload in _records(path):
                found += 1
                raw = _raw_image(layout, split, payload)
                if raw.label >= 0:  # ImageNet's test images have label -1
                    yield order_value(raw.key), number, offset, raw.label, 0
            if found != count:
                raise DataError(
                    f"{path}: expected {count} examples as dataset_info.json says, found {found}; delete "
                    f"{path.parent} and run again."
                )

    index = np.fromiter(positions(), _POSITION)
    if layout.identity is None:
        _count_copies(layout, split, index)
    return index[sorted_order(index["order"], where=str(layout.files[split][0].parent))]


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        yield from indexed_records(path)
    except DataError as error:
        what = "it damaged or cut short" if path.exists() else "none"
        raise DataError(f"{path}: expected a whole shard, found {what}; delete {path.parent} and run again.") from error


def _count_copies(layout: _Layout, split: str, index: np.ndarray) -> None:
    """Give images of one class with equal content a number each, which goes into their keys; changes `index`."""
    order = np.argsort(index["order"], kind="stable")
    values = index["order"][order]
    for place in np.flatnonzero(values[1:] == values[:-1]) + 1:
        row, before = order[place], order[place - 1]
        index["copy"][row] = index["copy"][before] + 1
    for row in np.flatnonzero(index["copy"]):
        (raw,) = _read(layout, split, index[row : row + 1])
        index["order"][row] = order_value(raw.key)


def _read(layout: _Layout, split: str, index: np.ndarray) -> Iterator[RawImage]:
    paths = layout.files[split]
    for _, number, offset, _, copy in index.tolist():
        yield _raw_image(layout, split, read_record(paths[number], offset), copy)


def _raw_image(layout: _Layout, split: str, payload: bytes, copy: int = 0) -> RawImage:
    example = decode_example(payload)
    label, content = example[layout.label], example[layout.image]
    if not isinstance(label, int) or not isinstance(content, bytes):
        raise DataError(f"{layout.files[split][0].parent}: expected one image and one label, found {label!r}.")
    if label >= len(layout.class_names):
        folder = layout.files[split][0].parent
        raise DataError(
            f"{folder}: expected a name of each class, found {len(layout.class_names)} and the label {label}; delete "
            f"{folder} and run again."
        )
    identity = example[layout.identity] if layout.identity else hashlib.sha256(content).hexdigest()
    text = identity.decode(errors="backslashreplace") if isinstance(identity, bytes) else str(identity)
    text += f"-{copy}" if copy else ""
    return RawImage(key_text(f"{split}/{layout.class_names[label]}/{text}"), label, content)
