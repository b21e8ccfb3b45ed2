"""Tiny ImageNet as a set of tensorflow-datasets: 200 classes, 64 × 64 pixels, 100,000 + 10,000 images with boxes.

Importing this module makes `tfds.builder("tiny_imagenet")` known. The zip is read in place and never unpacked.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.checksums import UrlInfo
from tensorflow_datasets.core.utils import Size

from alexnet_tf.errors import DataError
from components.sources.tiny_imagenet import NAME, URL, Content, Entry, Tree, open_tree, read_content


class TinyImagenet(tfds.core.GeneratorBasedBuilder):
    """The builder; the archive's own test images have no labels and are left out.

    Features: `image` (JPEG as it came, 64 × 64), `label`, `id` (`n01443537_0.JPEG`, `val_0.JPEG`), and `bbox`,
    the object's box as shares of the image's sides. Splits: train, validation.
    """

    VERSION = tfds.core.Version("1.0.0")
    url_infos = {  # noqa: RUF012  tensorflow-datasets reads it from the class
        URL: UrlInfo(
            size=Size(248_100_043),
            checksum="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            filename=f"{NAME}.zip",
        )
    }

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Tiny ImageNet: 200 classes of ImageNet at 64 x 64 pixels, with boxes.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                    "label": tfds.features.ClassLabel(),
                    "id": tfds.features.Text(),
                    "bbox": tfds.features.BBoxFeature(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://cs231n.stanford.edu/reports/2015/pdfs/yle_project.pdf",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        tree = open_tree(Path(str(dl_manager.download(URL))))
        content = read_content(tree)
        features: Any = self.info.features
        features["label"].names = list(content.names.values())
        return {
            "train": _examples(tree, content, content.train),
            "validation": _examples(tree, content, content.validation),
        }

    def _generate_examples(self, **kwargs: Any) -> Iterator[Any]:
        raise NotImplementedError("The splits are generators already.")


def _examples(tree: Tree, content: Content, entries: Sequence[Entry]) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in entries:
        image, problem = tree.read(entry.name)
        if problem:
            raise DataError(f"{tree.where}: {entry.name} is {problem}; fetch {URL} again.")
        label, bbox = content.names[entry.identity], _bbox(entry, tree.where)
        yield entry.file, {"image": image, "label": label, "id": entry.file, "bbox": bbox}


def _bbox(entry: Entry, where: str) -> tfds.features.BBox:
    """Turn left, top, right and bottom in pixels, the last ones included, into shares."""
    try:
        left, top, right, bottom = map(int, entry.box)
    except ValueError as error:
        found = list(entry.box)
        raise DataError(
            f"{where}: expected four numbers for the box of {entry.file}, found {found}; fetch {URL} again."
        ) from error
    side = 64
    return tfds.features.BBox(
        ymin=min(top, bottom) / side,
        xmin=min(left, right) / side,
        ymax=min(max(top, bottom) + 1, side) / side,
        xmax=min(max(left, right) + 1, side) / side,
    )
