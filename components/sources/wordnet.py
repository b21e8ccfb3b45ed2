"""Words for the WordNet ids by which ImageNet's class folders are named."""

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from alexnet_tf.errors import some

WORD_FILES = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt")
"""Kaggle's, Caffe's, Tiny ImageNet's: a WordNet id, white space, its words with commas between them."""

_ID = re.compile(r"n\d{8}")
_LINE = re.compile(r"^(n\d{8})\s+(.+?)\s*$")
_NUM_CLASSES = 1000


def read_words(folders: Iterable[Path]) -> dict[str, str]:
    """Return WordNet id to first word, from the first of `WORD_FILES` that there is, else nothing."""
    for folder in folders:
        for name in WORD_FILES:
            if (folder / name).is_file():
                return parse_words((folder / name).read_text(encoding="utf-8-sig", errors="replace").splitlines())
    return {}


@functools.cache
def imagenet_words() -> dict[str, str]:
    """Return WordNet id to first word of the 1,000 classes of ILSVRC-2012, from two lists in tensorflow-datasets.

    The tar files bring no words. One list has the ids, the other, of its set SI-Score, the words in the same order.
    """
    from tensorflow_datasets.datasets.siscore.labels import IMAGENET_LABELS_LIST  # half a second

    path = resources.files("tensorflow_datasets") / "datasets" / "imagenet2012" / "labels.txt"
    ids = path.read_text(encoding="utf-8").split()
    if len(ids) != _NUM_CLASSES or len(IMAGENET_LABELS_LIST) != _NUM_CLASSES:
        return {}
    # It alone tells the two cranes apart, as "crane (bird)"; the usual files do not.
    plain = (words.replace(" (bird)", "").replace(" (machine)", "") for words in IMAGENET_LABELS_LIST)
    return parse_words(f"{identity} {words}" for identity, words in zip(ids, plain, strict=True))


def parse_words(lines: Iterable[str]) -> dict[str, str]:
    r"""Return WordNet id to the first of its words; lines of another form are passed over.

    Example:
        >>> parse_words(["n01440764 tench, Tinca tinca", "n02012849\tcrane"])
        {'n01440764': 'tench', 'n02012849': 'crane'}
    """
    found = (_LINE.match(line) for line in lines)
    return {line[1]: line[2].split(",")[0].strip() for line in found if line}


def class_names(folders: Sequence[str], words: Mapping[str, str]) -> tuple[str, ...]:
    """Return one name a class folder, all different: its word, or its own name where there is none.

    ImageNet has two cranes and two maillots; these also carry their ids.

    Args:
        folders: WordNet ids, or any other names.
        words: WordNet id to word; ids of ILSVRC-2012 that are not in it get the words of `imagenet_words`.

    Example:
        >>> class_names(["n02012849", "n03126707", "x"], {"n02012849": "crane", "n03126707": "crane"})
        ('crane (n02012849)', 'crane (n03126707)', 'x')
    """
    if any(_ID.fullmatch(folder) and folder not in words for folder in folders):
        words = {**imagenet_words(), **words}
    names = [words.get(folder, folder) for folder in folders]
    shared = {name for name, count in Counter(names).items() if count > 1}
    return tuple(f"{name} ({folder})" if name in shared else name for name, folder in zip(names, folders, strict=True))


def without_words(names: Sequence[str], folder: Path) -> list[str]:
    """Return a note on the classes whose names are WordNet ids, if there are any: where a file of words belongs."""
    ids = [name for name in names if _ID.fullmatch(name)]
    if not ids:
        return []
    return [f"class {some(ids, 1)} has no word; put {WORD_FILES[0]}, {WORD_FILES[1]} or {WORD_FILES[2]} into {folder}"]
