"""Trainings of the ladder of ablations that came to nothing: the loss stayed that of guessing, or diverged.

Such a run has no result, and run again it ends in the same way, so a file in Git tells of it:

results/ablations_cifar10/did_not_train.json   a list with one entry for each change and seed
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from pipeline.environment.checked_file import FileModel, read_as
from pipeline.results.kept import FOLDER
from pipeline.stages.outputs import write_text

WHOLE = "whole network"
FILE = f"{FOLDER}/ablations_cifar10/did_not_train.json"
# What alexnet_tf.training.guards says of such a training, as a command shows it; DVC passes no exit code on.
_SENTENCE = re.compile(r"^error: (.*: (?:nothing was learnt|training diverged); .*)$", re.MULTILINE)


class LostTraining(FileModel):
    """A training that came to nothing.

    Attributes:
        rung: A name of docs/ablations.yaml, or WHOLE.
        seed: Its seed.
        error: The sentence with which it stopped.
        processor: Where it ran.
        commit: Of the code.
    """

    rung: str
    seed: int
    error: str
    processor: str
    commit: str


def sentence(told: str) -> str:
    """Find in what a run wrote to standard error why its training came to nothing; "" where it failed otherwise."""
    found = _SENTENCE.search(told)
    return found[1] if found else ""


def read(root: Path) -> list[LostTraining]:
    """Read the file; where there is none, none came to nothing.

    Raises:
        DataError: It holds something else.
    """
    return read_as(TypeAdapter(list[LostTraining]), root, FILE) if (root / FILE).exists() else []


def add(root: Path, lost: LostTraining) -> None:
    """Write one more into the file."""
    known: Sequence[LostTraining] = sorted([*read(root), lost], key=lambda each: (each.rung, each.seed))
    write_text(root / FILE, json.dumps([each.model_dump() for each in known], indent=1, ensure_ascii=False) + "\n")
