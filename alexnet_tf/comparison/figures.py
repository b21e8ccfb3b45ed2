"""Pictures of a comparison, as PNG bytes that are the same for the same numbers."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from alexnet_tf.metrics.top_k import VIEW_NAMES, VIEWS
from alexnet_tf.plotting import COLOURS, new_figure, png


def learning_curves(curves: Mapping[str, Mapping[str, Sequence[float | None]]]) -> bytes:
    """Draw training and validation loss, and validation error, over epochs.

    Args:
        curves: Variant -> column of its history -> one value an epoch.

    Returns:
        A PNG: loss on the left (validation dashed), errors in per cent on the right.
    """
    figure = new_figure(11, 4)
    loss, error = figure.subplots(1, 2)
    for colour, (name, columns) in zip(cycle(COLOURS), curves.items(), strict=False):
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
    loss.set(xlabel="epoch", ylabel="loss (nats)", title="Loss (in training, of smoothed labels if there are)")
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
        confidence: Of the intervals; the title has it.

    Returns:
        A PNG, errors in per cent.
    """
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    groups = [
        (view, k)
        for k in ("top1_error", "top5_error")
        for view in VIEWS
        if all(k in views[view] for views in errors.values())
    ]
    width = 0.8 / len(errors)
    for position, (colour, (name, views)) in enumerate(zip(cycle(COLOURS), errors.items(), strict=False)):
        cells = [views[view][k] for view, k in groups]
        values = np.array([100 * cell["value"] for cell in cells])
        arms = np.array(
            [[100 * (c["value"] - c["low"]) for c in cells], [100 * (c["high"] - c["value"]) for c in cells]]
        )
        x = np.arange(len(groups)) + (position - (len(errors) - 1) / 2) * width
        axes.bar(x, values, width * 0.9, yerr=np.maximum(arms, 0), capsize=3, color=colour, label=name)
    words = {"top1_error": "top-1", "top5_error": "top-5"}
    axes.set_xticks(range(len(groups)), [f"{words[k]}\n{VIEW_NAMES[view]}" for view, k in groups])
    axes.set(ylabel="test error (%)", title=f"Test errors with {100 * confidence:g} % intervals", ylim=(0, None))
    axes.grid(axis="y", alpha=0.25)
    axes.legend(fontsize=8)
    return png(figure)
