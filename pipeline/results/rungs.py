"""The rungs of the ladder of ablations, as docs/ablations.yaml has them: a change, and what the paper says of it."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from alexnet_tf.errors import AlexNetError, DataError
from pipeline.environment.yaml_file import parse

FILE = "docs/ablations.yaml"
OWN = "variants.full."
Measure = Literal["test", "training", "early", "gap"]
_STRICT = ConfigDict(frozen=True, extra="forbid")


class Claim(BaseModel):
    """What the paper says of a part of its network: without the part an error is higher.

    Attributes:
        place: The section.
        text: The claim in a few words.
        paper: By how many points, where the paper says so.
        more: Whether it says "by more than" that.
        measure: Which error.
    """

    model_config = _STRICT

    place: str
    text: str
    paper: float | None
    more: bool = False
    measure: Measure


class Rung(BaseModel):
    """One change of the network or its training.

    Attributes:
        words: The change in a few words.
        changes: Keys below `variants.full` -> values.
        claim: What the paper says; None where it does not compare.
        scale: What a run of this size can and cannot say.
    """

    model_config = _STRICT

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
    try:
        content = parse((root / FILE).read_text(encoding="utf-8"), FILE)
        return TypeAdapter(dict[str, Rung]).validate_python(content)
    except OSError as error:
        raise AlexNetError(f"{FILE}: cannot be read ({error.strerror}); it is part of the repository") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{FILE}: {'.'.join(map(str, first['loc']))}: {first['msg']}; correct it there") from error
