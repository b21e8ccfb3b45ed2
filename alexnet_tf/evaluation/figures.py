"""Pictures of an evaluation: figure 4 of the paper, left and right, and the reliability diagram; PNG bytes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.figures import COLOURS, new_figure, png
from alexnet_tf.metrics.calibration import Bin

RIGHT, WRONG = "#c44e52", "#9aa5b8"  # the paper's red bar is the correct label's
_NAME_CHARACTERS = 24


def top_five(images: np.ndarray, described: Sequence[Mapping[str, Any]], *, columns: int = 4) -> bytes:
    """Draw images with bars of their most probable classes, as figure 4, left: the correct label's bar is red.

    Args:
        images: (N, S, S, 3) uint8, at least one.
        described: One entry an image, as `gallery.describe` gives it; without `label` no bar is red.
        columns: Images in a row.

    Returns:
        A PNG.
    """
    rows = -(-len(images) // columns)
    figure = new_figure(2.5 * columns, 3.3 * rows)
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[3, 1.7] * rows)
    for index, (image, entry) in enumerate(zip(images, described, strict=True)):
        row, column = divmod(index, columns)
        _show(figure.add_subplot(grid[2 * row, column]), image, entry.get("label") or entry["key"])
        bars = figure.add_subplot(grid[2 * row + 1, column])
        names = [guess["class"] for guess in entry["top"]]
        values = [guess["probability"] for guess in entry["top"]]
        colours = [RIGHT if name == entry.get("label") else WRONG for name in names]
        bars.barh(range(len(names)), values, color=colours, height=0.85)
        for place, name in enumerate(names):
            bars.text(0.02, place, shortened(name), va="center", fontsize=7.5, parse_math=False)
        bars.set(xlim=(0, 1), ylim=(4.6, -0.6))
        bars.set(xticks=[], yticks=[])
    return _in_256_colours(png(figure, dpi=80))


def neighbours(
    queries: np.ndarray, found: Sequence[np.ndarray], described: Sequence[Mapping[str, Any]], *, columns: int = 6
) -> bytes:
    """Draw test images and beside each its nearest training images, as figure 4, right.

    Args:
        queries: (Q, S, S, 3) uint8, at least one.
        found: For each query (n, S, S, 3) uint8, nearest first, n at most `columns`.
        described: One entry a query, as `gallery.describe_neighbours` gives it.
        columns: Places for neighbours.

    Returns:
        A PNG: the name of the class under each image, red where it is the query's.
    """
    figure = new_figure(1.3 * (columns + 1) + 0.3, 1.55 * len(queries))
    grid = figure.add_gridspec(len(queries), columns + 2, width_ratios=[1, 0.15, *[1] * columns])
    for row, (query, images, entry) in enumerate(zip(queries, found, described, strict=True)):
        _show(figure.add_subplot(grid[row, 0]), query, entry["label"], size=7.5)
        for column, (image, other) in enumerate(zip(images, entry["neighbours"], strict=True)):
            colour = RIGHT if other["label"] == entry["label"] else "black"
            _show(figure.add_subplot(grid[row, column + 2]), image, other["label"], size=7.5, colour=colour)
    return _in_256_colours(png(figure, dpi=80))


def reliability_diagram(bins: Mapping[str, Sequence[Bin]], errors: Mapping[str, float]) -> bytes:
    """Draw accuracy against confidence, a line for each way of looking; the diagonal is a calibrated model.

    Args:
        bins: Name -> bins.
        errors: Name -> expected calibration error, a fraction.

    Returns:
        A PNG, both axes in per cent.
    """
    figure = new_figure(5, 5)
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], color="#888888", linewidth=1, linestyle=":")
    for colour, (name, found) in zip(COLOURS, bins.items(), strict=False):
        x, y = [100 * each.confidence for each in found], [100 * each.accuracy for each in found]
        sizes = [each.num_examples for each in found]
        areas = 12 + 120 * np.array(sizes) / max(sizes)
        axes.plot(x, y, color=colour, linewidth=1)
        axes.scatter(x, y, s=areas, color=colour, label=f"{name}, off by {100 * errors[name]:.1f} points")
    axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="mean probability of the named class (%)", ylabel="right (%)")
    axes.set(title="Calibration; area: number of images")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="upper left")
    return png(figure)


def shortened(name: str) -> str:
    """Cut a class name to the width of a bar."""
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"


def _in_256_colours(picture: bytes) -> bytes:
    """Store photographs at a third of the bytes: a report with many of them must open on a phone."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _show(axes: Any, image: np.ndarray, title: str, *, size: float = 9, colour: str = "black") -> None:
    axes.imshow(image, interpolation="nearest" if len(image) > 96 else "bicubic")
    axes.set_xlabel(shortened(title), fontsize=size, color=colour, labelpad=2, parse_math=False)
    axes.set(xticks=[], yticks=[])
