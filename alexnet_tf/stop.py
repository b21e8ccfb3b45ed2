"""The wish that a long training ends early, passed from whoever has it to the loop that fulfils it."""

from dataclasses import dataclass


@dataclass
class Stop:
    """Asked for by a signal handler, a notebook's button or another thread; the library handles no signals itself.

    Attributes:
        asked: Set it, and the work saves and ends.
        heeded: Set by the work for as long as it looks at `asked` every few seconds. While it is not set, nothing would
            be lost by breaking the work off.
    """

    asked: bool = False
    heeded: bool = False
