"""Pictures of an evaluation: figures 3 and 4 of the paper, confusion, reliability; equal PNG bytes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.metrics.calibration import Bin
from alexnet_tf.plotting import COLOURS, MOST_NAMED_CLASSES, legible, new_figure, png

RIGHT, WRONG = "#c44e52", "#9aa5b8"  # the paper's red bar is the correct label's
_NAME_CHARACTERS = 24
SHEET_PX = 96


def top_five(images: np.ndarray, described: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw images with bars of their most probable classes, as figure 4, left: the correct label's bar is red.

    Args:
        images: (N, S, S, 3) uint8, at least one.
        described: One entry an image, as `gallery.describe` gives it; without `label` no bar is red.

    Returns:
        A PNG.
    """
    width, height, side = 2.5, 3.3, 1.9  # of an image with its bars, and of the image, in inches
    whole = width - 0.3  # a bar's, at a probability of 1
    columns = 4
    rows = -(-len(images) // columns)
    figure, axes = _canvas(width * columns, height * rows)
    bars: list[tuple[float, float, float, str]] = []
    for index, (image, entry) in enumerate(zip(images, described, strict=True)):
        left, top = width * (index % columns) + 0.15, height * (index // columns) + 0.1
        label = entry.get("label")
        _show(axes, image, left + (whole - side) / 2, top, side, label or entry["key"])
        for place, guess in enumerate(entry["top"]):
            y = top + side + 0.32 + 0.18 * place
            bars.append((left, y, whole * guess["probability"], RIGHT if guess["class"] == label else WRONG))
            axes.text(left + 0.05, y, shortened(guess["class"]), va="center", fontsize=7.5, parse_math=False)
    lefts, ys, lengths, colours = zip(*bars, strict=True)
    axes.barh(ys, whole, left=lefts, height=0.15, color="#eef0f4")
    axes.barh(ys, lengths, left=lefts, height=0.15, color=colours)
    return _in_256_colours(png(figure, dpi=80))


def neighbours(queries: np.ndarray, found: Sequence[np.ndarray], described: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw test images and beside each its nearest training images, as figure 4, right.

    Args:
        queries: (Q, S, S, 3) uint8, at least one.
        found: For each query (n, S, S, 3) uint8, nearest first.
        described: One entry a query, as `gallery.describe_neighbours` gives it.

    Returns:
        A PNG: the name of the class under each image, red where it is the query's.
    """
    width, height, side = 1.3, 1.55, 1.2  # of an image with its class, and of the image, in inches
    figure, axes = _canvas(width * (1 + max(map(len, found))) + 0.3, height * len(queries))
    for row, (query, images, entry) in enumerate(zip(queries, found, described, strict=True)):
        top = height * row + 0.05
        _show(axes, query, 0.05, top, side, entry["label"], size=7.5)
        for column, (image, other) in enumerate(zip(images, entry["neighbours"], strict=True), start=1):
            colour = RIGHT if other["label"] == entry["label"] else "black"
            _show(axes, image, width * column + 0.25, top, side, other["label"], size=7.5, colour=colour)
    return _in_256_colours(png(figure, dpi=80))


def contact_sheet(rows: Sequence[np.ndarray]) -> bytes:
    """Put images side by side without words, each at most 96 pixels wide, for pages that write the words themselves.

    Args:
        rows: Of each row its images (n, S, S, 3) uint8; S may differ between rows, the first row's is for all.

    Returns:
        A PNG, white where a row is shorter than others.
    """
    side = min(SHEET_PX, rows[0].shape[1])
    sheet = Image.new("RGB", (side * max(map(len, rows)), side * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            small = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
            sheet.paste(small, (x * side, y * side))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def reliability_diagram(bins: Mapping[str, Sequence[Bin]], errors: Mapping[str, float]) -> bytes:
    """Draw accuracy against confidence, a line for each way of looking; the diagonal is a calibrated model.

    Args:
        bins: Name -> bins.
        errors: Name -> expected calibration error, a fraction.

    Returns:
        A PNG, both axes in per cent.
    """
    figure = new_figure(4, 4)
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
    """Cut a class name to the width of a bar, as it can be drawn."""
    name = legible(name)
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"


def _in_256_colours(picture: bytes) -> bytes:
    """Store photographs at a third of the bytes: a report with many of them must open on a phone."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _canvas(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and its one pair of axes, in inches from the upper left: a pair a picture would take seconds."""
    figure = new_figure(width, height, arranged=False)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    return figure, axes


def _show(
    axes: Any,
    image: np.ndarray,
    left: float,
    top: float,
    side: float,
    title: str,
    *,
    size: float = 9,
    colour: str = "black",
) -> None:
    smooth = "nearest" if len(image) > 96 else "bicubic"
    axes.imshow(image, extent=(left, left + side, top + side, top), interpolation=smooth, aspect="auto")
    name = shortened(title)
    axes.text(
        left + side / 2, top + side + 0.04, name, ha="center", va="top", size=size, color=colour, parse_math=False
    )


def kernel_grid(kernels: np.ndarray, towers: int) -> bytes:
    """Draw first-layer kernels as in figure 3 of the paper: rows of one tower, a gap, rows of the other.

    Each kernel is stretched to its own full range, so that its pattern shows whatever its strength.

    Args:
        kernels: (h, w, 3, F) float, tower after tower along the last axis; F is divisible by `towers`.
        towers: Number of towers.

    Returns:
        A PNG, kernels enlarged without smoothing, some 800 pixels wide.
    """
    height, width, _, num_kernels = kernels.shape
    columns = min(16, num_kernels // towers)
    low, high = kernels.min(axis=(0, 1, 2)), kernels.max(axis=(0, 1, 2))
    unit = (kernels - low) / np.where(high > low, high - low, 1)
    pixels = np.round(255 * np.moveaxis(unit, -1, 0)).astype(np.uint8)
    bands = []
    for tower in np.split(pixels, towers):
        rows = -(-len(tower) // columns)
        band = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, 3), 255, np.uint8)
        for index, kernel in enumerate(tower):
            y, x = (index // columns) * (height + 1) + 1, (index % columns) * (width + 1) + 1
            band[y : y + height, x : x + width] = kernel
        bands.append(np.pad(band, ((0, 2), (0, 0), (0, 0)), constant_values=255))
    picture = Image.fromarray(np.concatenate(bands)[:-2])
    scale = max(1, 800 // picture.width)
    enlarged = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    enlarged.save(buffer, format="PNG")
    return buffer.getvalue()


def confusion_matrix(counts: np.ndarray, class_names: Sequence[str], *, title: str) -> bytes:
    """Draw how often images of a class (rows) are taken for another (columns), as shares of the row.

    Args:
        counts: (K, K) int, row = true class.
        class_names: K names; written on the axes for up to 40 classes.
        title: Above the figure.

    Returns:
        A PNG.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = len(class_names) <= MOST_NAMED_CLASSES
    side = max(3.6, 0.26 * len(class_names) + 1.4) if named else 8.0  # small, so that a phone shows the words
    figure = new_figure(side + 1, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    if named:
        names = [shortened(name) for name in class_names]
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", parse_math=False)
        axes.set_yticks(range(len(names)), names, parse_math=False)
    if len(class_names) <= 12:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                shade = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=8)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046)
    return png(figure)
