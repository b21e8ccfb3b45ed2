"""The rungs of the ladder of ablations, as docs/ablations.yaml has them: a change, and what the paper says of it."""

from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from pipeline.environment.checked_file import FileModel, read_as

FILE = "docs/ablations.yaml"
OWN = "variants.full."
Measure = Literal["test", "training", "early", "gap"]


class Claim(FileModel):
    """What the paper says of a part of its network: without the part an error is higher.

    Attributes:
        place: The section.
        text: The claim in a few words.
        paper: By how many points, where the paper says so.
        more: Whether it says "by more than" that.
        measure: Which error.
    """

    place: str
    text: str
    paper: float | None
    more: bool = False
    measure: Measure


class Rung(FileModel):
    """One change of the network or its training.

    Attributes:
        words: The change in a few words.
        changes: Keys below `variants.full` -> values.
        claim: What the paper says; None where it does not compare.
        scale: What a run of this size can and cannot say.
    """

    words: str
    changes: dict[str, Any]
    claim: Claim | None = None
    scale: str

    def overrides(self) -> dict[str, Any]:
        """Return the changes by whole keys of params.yaml."""
        return {f"{OWN}{key}": value for key, value in self.changes.items()}


def read_rungs(root: Path) -> dict[str, Rung]:
    """Read docs/ablations.yaml: name -> rung.

    Raises:
        AlexNetError: It is missing or no YAML.
        DataError: It holds something other than rungs.
    """
    return read_as(TypeAdapter(dict[str, Rung]), root, FILE)
