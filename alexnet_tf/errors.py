"""The errors that are meant for a person: one sentence with what, where, expected, found and the way out."""

from collections.abc import Sequence


class AlexNetError(Exception):
    """Something that the user can mend; the command line prints its text alone and exits with 1.

    Example:
        >>> import alexnet_tf as an
        >>> try:
        ...     an.load_pretrained("nowhere")
        ... except an.AlexNetError as error:
        ...     print(str(error).partition(";")[0])
        nowhere is not a folder
    """


class ConfigError(AlexNetError):
    """A parameter that is unknown, missing or out of range; nothing was started, exit code 2.

    Example:
        >>> import alexnet_tf as an
        >>> try:
        ...     an.AlexNet(profile="orignal")
        ... except an.ConfigError as error:
        ...     print(error)
        profile: expected one of original, paper, caffe, got 'orignal'; did you mean original?
    """


class DataError(AlexNetError):
    """Data that are missing, broken, or other than their manifest says.

    Example:
        >>> import tempfile
        >>> import alexnet_tf as an
        >>> try:
        ...     an.load_pretrained(tempfile.mkdtemp())
        ... except an.DataError as error:
        ...     print(str(error).partition(": ")[2])
        expected the folder of a model, as the stage train writes it, found no model.json
    """


class TrainingError(AlexNetError):
    """A training that cannot go on: a loss or weight that is not finite, or a loss that has stayed that of guessing."""


class Stopped(AlexNetError):
    """A training that ended early because it was asked to; its text says where it goes on."""


def how_to_install(extra: str) -> str:
    """Say how an extra of this package is installed; no package index has the package."""
    return f"in a clone `pip install -c constraints.txt -e '.[{extra}]'`, else `pip install 'WHEEL[{extra}]'`"


def some(names: Sequence[str], at_most: int = 3) -> str:
    """Name the first of many and say how many more there are.

    Example:
        >>> some(["cat", "dog", "frog"], 2)
        'cat, dog and 1 more'
    """
    more = f" and {len(names) - at_most:,} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more
