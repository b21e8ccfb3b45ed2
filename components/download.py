"""Bring any source of images into one form.

Reads: nothing of the pipeline. The source `sample` is generated; the others are in `runtime.source_folder`,
and a tensorflow-datasets set (Tiny ImageNet too) that is not there is fetched.

Writes, readable by `tfds.builder_from_directory(dataset)`:
    dataset/dataset-{split}.tfrecord-00000-of-00002   Examples of image (the file's bytes as they came),
                                                      label and key
    dataset/dataset_info.json, features.json, label.labels.txt   tensorflow-datasets' own
    dataset/manifest.json   source, class_names, splits: {split: {num_examples, shards: [{file,
                            num_examples, bytes, sha256}]}}, unreadable: [{split, key, reason}], ignored:
                            {num_files, first: [{reason, num_files, files}]}

Guarantees: the splits train, validation and test, none empty, ordered by a hash of the key. A split that the
source has not is held out of its training split by content, so that copies of an image are never in two of
them and later additions move no image; of a class whose images would all be held out, one content stays. One
image in memory at a time. No image is dropped or changed, not even a broken one: a file that cannot be read is
there without content, and `unreadable` says why. What is in the source's folder and is not used is counted in
`ignored`, with the reason and the first few names.

Fails when: the source is not there (the message says what to fetch and where to put it), or a split ends up
empty.
"""

import contextlib
import hashlib
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, PositiveInt

from alexnet_tf.data.tfrecord import encode_example
from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import write_json
from components.interfaces import SPLITS, Runtime, Seed, StageParams
from components.sources.files import Ignored
from components.sources.image_folder import image_folder_source
from components.sources.imagenet2012 import imagenet2012_source
from components.sources.sample import sample_source
from components.sources.shards import SplitWriter
from components.sources.source import Source
from components.sources.subset import subset
from components.sources.tfds import tfds_source
from components.sources.tiny_imagenet import tiny_imagenet_source

_LISTED = 20
_NEVER = 1e-12  # so small a probability that all images of a class are held out


@dataclass(frozen=True)
class Inputs:
    """Nothing: this stage comes first."""


@dataclass(frozen=True)
class Outputs:
    """The folder `dataset` of the module's docstring."""

    dataset: Path


class SampleParams(StageParams):
    """What the generated sample is.

    Attributes:
        seed: Another one gives other images.
    """

    seed: Seed
    train_images_per_class: int = Field(ge=1)
    validation_images_per_class: int = Field(ge=1)
    test_images_per_class: int = Field(ge=1)


class SubsetParams(StageParams):
    """A part of the source; null keeps all.

    Attributes:
        classes: Names of the classes to keep, or how many of the first.
        images_per_class: Of each split; a larger number only adds images.
    """

    classes: PositiveInt | tuple[str, ...] | None
    images_per_class: PositiveInt | None


class Params(StageParams):
    """What decides which images there are and in which split they are.

    Attributes:
        source: `sample`, `image_folder`, `imagenet2012`, `tiny_imagenet` or `tfds:NAME[/CONFIG]`.
        validation_share: Of the training split, held out for each split that the source has not.
        subset: Which part of the source is taken.
        sample: Used by the source `sample` alone.
    """

    source: str = Field(pattern=r"^(sample|image_folder|imagenet2012|tiny_imagenet|tfds:[\w-]+(/[\w.-]+)?)$")
    validation_share: float = Field(gt=0, lt=0.5)
    subset: SubsetParams
    sample: SampleParams


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Carry out the stage; see the module's docstring."""
    source = subset(_open(params, runtime), **dict(params.subset))
    held_out = {split: params.validation_share for split in SPLITS if split not in source.labels}
    kept = _kept_in_train(source, held_out)
    outputs.dataset.mkdir()
    with contextlib.ExitStack() as stack:
        writers = {split: stack.enter_context(SplitWriter(outputs.dataset, split)) for split in SPLITS}
        unreadable = []
        for split, labels in source.labels.items():
            with runtime.progress.task(f"download {split}", total=len(labels), unit="images") as task:
                for raw in source.read(split, np.arange(len(labels))):
                    # What cannot be read has no content to tell its split by, and its like would all go to one.
                    held = split == "train" and not raw.problem
                    target = _target(hashlib.sha256(raw.content).digest(), held_out, kept) if held else split
                    if raw.problem:
                        unreadable.append({"split": target, "key": raw.key, "reason": raw.problem})
                    example = encode_example({"image": raw.content, "label": raw.label, "key": raw.key})
                    writers[target].write(example)
                    task.advance()
        shards = {split: [vars(shard) for shard in writer.close()] for split, writer in writers.items()}
    splits = {
        split: {"num_examples": sum(shard["num_examples"] for shard in listed), "shards": listed}
        for split, listed in shards.items()
    }
    _check_sizes(splits, params)
    _write_tfds_metadata(outputs.dataset, source.class_names, splits)
    manifest = {
        "source": params.source,
        "class_names": list(source.class_names),
        "splits": splits,
        "unreadable": unreadable,
        "ignored": _ignored(source.ignored),
    }
    write_json(outputs.dataset / "manifest.json", manifest)
    counts = {f"images/{split}": float(splits[split]["num_examples"]) for split in SPLITS}
    runtime.tracker.metrics({**counts, "images/unreadable": float(len(unreadable))})
    return _found(manifest, source.notes)


def _ignored(found: Sequence[Ignored]) -> dict[str, Any]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in sorted(found):
        by_reason.setdefault(reason, []).append(name)
    first = [
        {"reason": reason, "num_files": len(names), "files": names[:_LISTED]}
        for reason, names in sorted(by_reason.items())
    ]
    return {"num_files": len(found), "first": first}


def _found(manifest: Mapping[str, Any], notes: Sequence[str]) -> str:
    sizes = {split: manifest["splits"][split]["num_examples"] for split in SPLITS}
    listed = ", ".join(f"{split} {size:,}" for split, size in sizes.items())
    text = f"{sum(sizes.values()):,} images in {len(manifest['class_names']):,} classes: {listed}"
    if manifest["unreadable"]:
        text += f"; {len(manifest['unreadable']):,} files cannot be read"
    if kinds := [_kind(**kind) for kind in manifest["ignored"]["first"]]:
        text += f"; not used: {', '.join(kinds)}"
    return "; ".join([text, *notes])


def _kind(reason: str, num_files: int, files: Sequence[str]) -> str:
    return f"{num_files:,} {reason} ({'the first: ' * (num_files > 1)}{files[0]})"


def _open(params: Params, runtime: Runtime) -> Source:
    if params.source == "sample":
        sizes = params.sample
        counts = {
            "train": sizes.train_images_per_class,
            "validation": sizes.validation_images_per_class,
            "test": sizes.test_images_per_class,
        }
        return sample_source(counts, seed=params.sample.seed)
    if params.source == "image_folder":
        return image_folder_source(runtime.source_folder)
    if params.source == "imagenet2012":
        return imagenet2012_source(runtime.source_folder)
    if params.source == "tiny_imagenet":
        return tiny_imagenet_source(runtime.source_folder)
    return tfds_source(params.source.removeprefix("tfds:"), runtime.source_folder)


def _kept_in_train(source: Source, held_out: Mapping[str, float]) -> frozenset[bytes]:
    """Return the digests of images that stay in the training split, lest a class of few images have none there.

    Only classes so small that all their images may be held out are read for it.
    """
    share, labels = sum(held_out.values()), source.labels.get("train", np.empty(0, np.int64))
    if not share or not len(labels):
        return frozenset()
    few = np.bincount(labels) <= math.log(_NEVER) / math.log(share)
    last: dict[int, bytes] = {}
    has_some = set()
    for raw in source.read("train", np.flatnonzero(few[labels])):
        if raw.problem:
            continue
        digest = hashlib.sha256(raw.content).digest()
        last[raw.label] = max(digest, last.get(raw.label, b""))
        if _target(digest, held_out) == "train":
            has_some.add(raw.label)
    return frozenset(digest for label, digest in last.items() if label not in has_some)


def _target(digest: bytes, held_out: Mapping[str, float], kept: Set[bytes] = frozenset()) -> str:
    """Return the split of a training image, by a hash of its content."""
    if digest in kept:
        return "train"
    place = int.from_bytes(digest[:8], "big") / 2**64
    for split, share in held_out.items():
        if place < share:
            return split
        place -= share
    return "train"


def _check_sizes(splits: Mapping[str, dict], params: Params) -> None:
    empty = [split for split in SPLITS if not splits[split]["num_examples"]]
    if empty:
        raise DataError(
            f"download: expected images in every split, found none in {' and '.join(empty)}; give the source "
            f"{params.source} more images or raise download.validation_share ({params.validation_share})."
        )


def _write_tfds_metadata(folder: Path, class_names: tuple[str, ...], splits: Mapping[str, dict]) -> None:
    import tensorflow_datasets as tfds  # half a second, without TensorFlow

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=list(class_names)),
            "key": tfds.features.Text(),
        }
    )
    template = tfds.core.ShardedFileTemplate(
        dataset_name="dataset",
        data_dir=folder,  # pyright: ignore[reportArgumentType]  any path will do
        filetype_suffix="tfrecord",
    )
    infos = [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=[shard["num_examples"] for shard in content["shards"]],
            num_bytes=sum(shard["bytes"] for shard in content["shards"]),
            filename_template=template.replace(split=split),
        )
        for split, content in splits.items()
    ]
    tfds.folder_dataset.write_metadata(data_dir=folder, features=features, split_infos=infos, check_data=False)
