"""The known name that comes closest to one that is not known."""

import difflib
from collections.abc import Iterable


def nearest(name: object, known: Iterable[object]) -> str:
    """Return the end of a sentence that suggests the closest known name, or nothing.

    Example:
        >>> nearest("orignal", ["original", "paper"])
        '; did you mean original?'
    """
    close = difflib.get_close_matches(str(name), [str(each) for each in known], n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""
