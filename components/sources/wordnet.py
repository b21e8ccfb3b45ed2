"""Words for the WordNet ids by which ImageNet's class folders are named."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

WORD_FILES = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt")
"""Kaggle's, Caffe's, Tiny ImageNet's: a WordNet id, white space, its words with commas between them."""

_LINE = re.compile(r"^(n\d{8})\s+(.+?)\s*$")
# Of Imagenette, which comes without such a file.
_WORDS = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def read_words(folders: Iterable[Path]) -> dict[str, str]:
    """Return WordNet id to first word, from the first of `WORD_FILES` that there is, else of Imagenette alone."""
    for folder in folders:
        for name in WORD_FILES:
            if (folder / name).is_file():
                return parse_words((folder / name).read_text(encoding="utf-8", errors="replace").splitlines())
    return _WORDS


def parse_words(lines: Iterable[str]) -> dict[str, str]:
    r"""Return WordNet id to the first of its words; lines of another form are passed over.

    Example:
        >>> parse_words(["n01440764 tench, Tinca tinca", "n02012849\tcrane"])
        {'n01440764': 'tench', 'n02012849': 'crane'}
    """
    found = (_LINE.match(line) for line in lines)
    return {line[1]: line[2].split(",")[0].strip() for line in found if line}


def class_names(folders: Sequence[str], words: dict[str, str]) -> tuple[str, ...]:
    """Return one name a class folder, all different: its word, or its own name where there is none.

    ImageNet has two cranes and two maillots; these also carry their ids.

    Example:
        >>> class_names(["n02012849", "n03126707", "x"], {"n02012849": "crane", "n03126707": "crane"})
        ('crane (n02012849)', 'crane (n03126707)', 'x')
    """
    names = [words.get(folder, folder) for folder in folders]
    shared = {name for name, count in Counter(names).items() if count > 1}
    return tuple(f"{name} ({folder})" if name in shared else name for name, folder in zip(names, folders, strict=True))
