"""An empty matplotlib figure, and its PNG: the same bytes for the same numbers.

matplotlib is imported where it draws, and without `pyplot`, which would keep state and look for a display.
"""

import functools
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMED_CLASSES = 40  # beyond, names on the axes of a confusion matrix cannot be read
COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")


def new_figure(width_inches: float, height_inches: float, *, arranged: bool = True) -> "Figure":
    """Return an empty figure; with `arranged` its parts find room by themselves."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), layout="constrained" if arranged else None)


def legible(text: str) -> str:
    """Write what matplotlib's own font lacks as code points, such as U+82B1, where it would draw empty boxes."""
    known = _letters()
    return "".join(letter if ord(letter) in known else f"U+{ord(letter):04X}" for letter in text)


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def png(figure: "Figure", *, dpi: int = 110) -> bytes:
    """Return a figure as PNG bytes."""
    buffer = io.BytesIO()
    # Without the library's version in the file, only what is drawn decides the bytes.
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
