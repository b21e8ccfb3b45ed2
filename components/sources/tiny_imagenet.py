"""Tiny ImageNet as a set of tensorflow-datasets: 200 classes, 64 × 64 pixels, 100,000 + 10,000 images with boxes.

Importing this module makes `tfds.builder("tiny_imagenet")` known. The zip is read in place and never unpacked.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.checksums import UrlInfo
from tensorflow_datasets.core.utils import Size

from alexnet_tf.errors import DataError
from components.sources.wordnet import class_names, parse_words

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
ROOT = "tiny-imagenet-200"


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
            filename=f"{ROOT}.zip",
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
        path = str(dl_manager.download(URL))
        with _opened(path) as archive:
            ids = sorted(_lines(archive, "wnids.txt", path))
            names = class_names(ids, parse_words(_lines(archive, "words.txt", path)))
        features: Any = self.info.features
        features["label"].names = list(names)
        by_id = dict(zip(ids, names, strict=True))
        return {"train": self._train(path, by_id), "validation": self._validation(path, by_id)}

    def _generate_examples(self, **kwargs: Any) -> Iterator[Any]:
        raise NotImplementedError("The splits are generators already.")

    def _train(self, path: str, names: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
        with _opened(path) as archive:
            for identity, name in names.items():
                for line in _lines(archive, f"train/{identity}/{identity}_boxes.txt", path):
                    file, *box = line.split("\t")
                    yield file, _example(archive, f"train/{identity}/images/{file}", file, name, box, path)

    def _validation(self, path: str, names: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
        with _opened(path) as archive:
            for line in _lines(archive, "val/val_annotations.txt", path):
                file, identity, *box = line.split("\t")
                if identity not in names:
                    raise DataError(f"{path}: expected only the classes of wnids.txt, found {identity!r} for {file}.")
                yield file, _example(archive, f"val/images/{file}", file, names[identity], box, path)


@contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    """Open the archive, refusing one that is cut short or whose names climb out of its folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise DataError(f"{path}: expected names within {ROOT}/, found {name!r}; fetch {URL} again.")
            yield archive
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: expected a whole zip file ({error}); fetch {URL} again.") from error


def _read(archive: zipfile.ZipFile, name: str, path: str) -> bytes:
    try:
        return archive.read(f"{ROOT}/{name}")
    except KeyError as error:
        raise DataError(f"{path}: expected it to hold {ROOT}/{name}; fetch {URL} again.") from error


def _lines(archive: zipfile.ZipFile, name: str, path: str) -> list[str]:
    return _read(archive, name, path).decode("utf-8").splitlines()


def _example(archive: zipfile.ZipFile, name: str, file: str, label: str, box: list[str], path: str) -> dict[str, Any]:
    """Return one example; `box` holds left, top, right and bottom in pixels, the last ones included."""
    try:
        left, top, right, bottom = (int(number) for number in box[:4])
    except ValueError as error:
        raise DataError(f"{path}: expected four numbers for the box of {file}, found {box}.") from error
    side = 64
    bbox = tfds.features.BBox(
        ymin=min(top, bottom) / side,
        xmin=min(left, right) / side,
        ymax=min(max(top, bottom) + 1, side) / side,
        xmax=min(max(left, right) + 1, side) / side,
    )
    return {"image": _read(archive, name, path), "label": label, "id": file, "bbox": bbox}
