"""Which class an image of ImageNet's flat validation folder belongs to."""

import csv
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

from alexnet_tf.errors import DataError

SOLUTION = "LOC_val_solution.csv"
ANNOTATIONS = "Annotations/CLS-LOC/val"


def validation_ids(files: Sequence[str], *, folders: Iterable[Path]) -> list[str]:
    """Return the WordNet id of each validation image.

    Args:
        files: Names such as `ILSVRC2012_val_00000001.JPEG`.
        folders: Where Kaggle's `LOC_val_solution.csv`, else the XML files of `Annotations/CLS-LOC/val/`, are
            looked for; without either the list of tensorflow-datasets counts, which has all 50,000.

    Raises:
        DataError: When an image is in none of them.
    """
    folders = list(folders)
    sort = "sort the images into class folders, val/n01751748/ and so on"
    way_out = f"put Kaggle's {SOLUTION} into {folders[0]}, or {sort}"
    stems = [file.rpartition("/")[2].partition(".")[0] for file in files]
    for place in folders:
        if (place / SOLUTION).is_file():
            found = _solution(place / SOLUTION)
            return _looked_up(stems, found, str(place / SOLUTION), f"fetch it again from Kaggle, or {sort}")
    for place in (folder / part / ANNOTATIONS for folder in folders for part in ("", "ILSVRC")):
        if place.is_dir():
            return [_annotated(place / f"{stem}.xml", way_out) for stem in stems]
    return _looked_up(stems, _listed(), "tensorflow-datasets' list of validation labels", way_out)


def _looked_up(stems: Sequence[str], known: dict[str, str], where: str, way_out: str) -> list[str]:
    unknown = [stem for stem in stems if stem not in known]
    if unknown:
        raise DataError(
            f"{where}: expected the class of every validation image, found none of {unknown[0]} "
            f"({len(unknown)} in all); {way_out}."
        )
    return [known[stem] for stem in stems]


def _solution(path: Path) -> dict[str, str]:
    """Read `ILSVRC2012_val_00048981,n03995372 85 1 499 272 …` lines: the first word is the class."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = list(csv.DictReader(file))
    try:
        return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
    except (KeyError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path}: expected the columns ImageId and PredictionString with a WordNet id first, found others "
            f"({error!r}); fetch it again from Kaggle, or remove it."
        ) from error


def _annotated(path: Path, way_out: str) -> str:
    try:
        name = ElementTree.parse(path).findtext("object/name")
    except (OSError, ElementTree.ParseError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path}: expected the annotation of a validation image ({reason}); {way_out}.") from error
    if not name:
        raise DataError(f"{path}: expected object/name with a WordNet id, found none; {way_out}.")
    return name


def _listed() -> dict[str, str]:
    package = resources.files("tensorflow_datasets") / "datasets" / "imagenet2012"
    ids = (package / "validation_labels.txt").read_text(encoding="utf-8").split()
    return {f"ILSVRC2012_val_{number:08d}": name for number, name in enumerate(ids, start=1)}
