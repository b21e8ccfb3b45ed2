"""Pictures of a model and of a comparison, as PNG bytes that are the same for the same numbers.

matplotlib is imported where it draws, and without `pyplot`, which would keep state and look for a display.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")
_MOST_NAMED_CLASSES = 40  # beyond, names on the axes of a confusion matrix cannot be read


def kernel_grid(kernels: np.ndarray, towers: int) -> bytes:
    """Draw first-layer kernels as in figure 3 of the paper: rows of one tower, a gap, rows of the other.

    Each kernel is stretched to its own full range, so that its pattern shows whatever its strength.

    Args:
        kernels: (h, w, 3, F) float, tower after tower along the last axis; F is divisible by `towers`.
        towers: Number of towers.

    Returns:
        A PNG, kernels enlarged without smoothing, some 800 pixels wide.
    """
    from PIL import Image

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


def colour_shares(kernels: np.ndarray, towers: int) -> list[float]:
    """Say how colourful the first-layer kernels of each tower are; in §6.1 one tower's are colour-agnostic.

    Of a kernel's energy the share that is not grey, meaned over the tower's kernels, all of which count alike:

        1 - Σ (r + g + b)² / 3 / Σ (r² + g² + b²)

    summed over its pixels. 0 where a kernel weighs the three channels alike and sees brightness alone, 1 where its
    weights cancel over the channels of every pixel and it sees colour alone; weights drawn at random have 2/3. A
    kernel of zeros counts as 0.

    Args:
        kernels: (h, w, 3, F) float, as for `kernel_grid`.
        towers: Number of towers.

    Returns:
        One share a tower, in [0, 1].
    """
    values = kernels.astype(np.float64)
    grey, energy = (values.sum(axis=2) ** 2 / 3).sum(axis=(0, 1)), (values**2).sum(axis=(0, 1, 2))
    colour = np.divide(energy - grey, energy, out=np.zeros_like(energy), where=energy != 0)
    return [float(tower.mean()) for tower in np.split(np.maximum(colour, 0), towers)]


def confusion_matrix(counts: np.ndarray, class_names: Sequence[str], *, title: str) -> bytes:
    """Draw how often images of a class (rows) are taken for another (columns), as shares of the row.

    Args:
        counts: (K, K) int, row = true class.
        class_names: K names; written on the axes for up to 40 classes.
        title: Stands above.

    Returns:
        A PNG.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = len(class_names) <= _MOST_NAMED_CLASSES
    side = max(5.0, 0.32 * len(class_names) + 2) if named else 8.0
    figure = new_figure(side + 1, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    if named:
        axes.set_xticks(range(len(class_names)), class_names, rotation=60, ha="right", parse_math=False)
        axes.set_yticks(range(len(class_names)), class_names, parse_math=False)
    if len(class_names) <= 12:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                shade = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=8)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046)
    return png(figure)


def learning_curves(curves: Mapping[str, Mapping[str, Sequence[float | None]]]) -> bytes:
    """Draw training and validation loss, and validation error, over epochs.

    Args:
        curves: Variant -> column of its history -> one value an epoch.

    Returns:
        A PNG: loss on the left (validation dashed), errors in per cent on the right.
    """
    figure = new_figure(11, 4)
    loss, error = figure.subplots(1, 2)
    for colour, (name, columns) in zip(_cycle(len(curves)), curves.items(), strict=True):
        for axes, column, style, factor in (
            (loss, "train_loss", "-", 1),
            (loss, "validation_loss", "--", 1),
            (error, "train_top1_error", "-", 100),
            (error, "validation_top1_error", "--", 100),
        ):
            values = [np.nan if v is None else v * factor for v in columns.get(column, [])]
            split = "validation" if column.startswith("validation") else "training"
            if values:
                axes.plot(columns["epoch"], values, style, color=colour, label=f"{name}, {split}")
    loss.set(xlabel="epoch", ylabel="loss (nats)", title="Loss")
    error.set(xlabel="epoch", ylabel="top-1 error (%)", title="Top-1 error")
    for axes in (loss, error):
        axes.grid(alpha=0.25)
        if axes.lines:
            axes.legend(fontsize=8)
    return png(figure)


def error_bars(errors: Mapping[str, Mapping[str, Any]], *, confidence: float) -> bytes:
    """Draw the test errors of the variants with their intervals.

    Args:
        errors: Variant -> `center`, `ten_crop` -> `top1_error`, perhaps `top5_error` -> value, low, high.
        confidence: Of the intervals; stands in the title.

    Returns:
        A PNG, errors in per cent.
    """
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    groups = [(view, k) for k in ("top1_error", "top5_error") for view in ("center", "ten_crop")]
    groups = [(view, k) for view, k in groups if all(k in e[view] for e in errors.values())]
    width = 0.8 / max(1, len(errors))
    for position, (colour, (name, views)) in enumerate(zip(_cycle(len(errors)), errors.items(), strict=True)):
        cells = [views[view][k] for view, k in groups]
        values = np.array([100 * cell["value"] for cell in cells])
        arms = np.array(
            [[100 * (c["value"] - c["low"]) for c in cells], [100 * (c["high"] - c["value"]) for c in cells]]
        )
        x = np.arange(len(groups)) + (position - (len(errors) - 1) / 2) * width
        axes.bar(x, values, width * 0.9, yerr=np.maximum(arms, 0), capsize=3, color=colour, label=name)
    words = {"center": "centre crop", "ten_crop": "ten crops", "top1_error": "top-1", "top5_error": "top-5"}
    axes.set_xticks(range(len(groups)), [f"{words[k]}\n{words[view]}" for view, k in groups])
    axes.set(ylabel="test error (%)", title=f"Test errors with {100 * confidence:g} % intervals", ylim=(0, None))
    axes.grid(axis="y", alpha=0.25)
    axes.legend(fontsize=8)
    return png(figure)


def _cycle(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def new_figure(width_inches: float, height_inches: float) -> "Figure":
    """Return an empty figure whose parts find room by themselves."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def png(figure: "Figure", *, dpi: int = 110) -> bytes:
    """Return a figure as PNG bytes."""
    buffer = io.BytesIO()
    # Without the library's version in the file, only what is drawn decides the bytes.
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
