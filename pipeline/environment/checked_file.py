"""Files of this repository whose content is that of a pydantic type."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from alexnet_tf.errors import AlexNetError, DataError
from pipeline.environment.yaml_file import parse

T = TypeVar("T")


class FileModel(BaseModel):
    """A part of such a file: it does not change, and a key that it does not have is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_as(kind: TypeAdapter[T], root: Path, name: str) -> T:
    """Read a file of the repository: JSON where its name says so, else YAML.

    Args:
        kind: What it holds.
        root: Folder of the repository.
        name: Its path there.

    Raises:
        AlexNetError: It is missing or not YAML.
        DataError: It holds something else.
    """
    try:
        content = (root / name).read_bytes()
        if name.endswith(".json"):
            return kind.validate_json(content)
        return kind.validate_python(parse(content.decode(), name))
    except OSError as error:
        raise AlexNetError(
            f"{name}: cannot be read ({error.strerror}); it is part of the repository: `git restore {name}`"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{name}: {place}{': ' * bool(place)}{first['msg']}; correct it there") from error
