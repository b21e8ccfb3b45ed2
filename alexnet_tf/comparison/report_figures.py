"""The charts and pictures of the report's page, as HTML figures."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from alexnet_tf.comparison.charts import Bar, Line, bar_chart, line_chart
from alexnet_tf.comparison.tables import percent

NUM_COLOURS = 6  # as many as the page's style sheet defines


def error_charts(comparison: Mapping[str, Any]) -> str:
    """Draw one chart for each kind of error: a bar a variant and view, with intervals."""
    words = {"ten_crop": "ten crops", "center": "centre crop"}
    charts = []
    for error, title in (("top1_error", "Top-1 error"), ("top5_error", "Top-5 error")):
        bars = [
            Bar(
                f"{name}, {words[view]}",
                100 * cell["value"],
                100 * cell["low"],
                100 * cell["high"],
                index % NUM_COLOURS,
            )
            for index, name in enumerate(comparison["variants"])
            for view in words
            if (cell := comparison["errors"][name][view].get(error))
        ]
        if bars:
            chart = bar_chart(bars, label=f"{title} of each variant: the table has the numbers", x_title="%")
            charts.append(_figure(chart, f"{title} on the test split; whiskers are intervals."))
    return "".join(charts)


def learning_charts(comparison: Mapping[str, Any]) -> str:
    """Draw loss and top-1 error over epochs, training solid, validation dashed, with a legend."""
    legend = "".join(
        f'<li><span class="key s{index % NUM_COLOURS}"></span>{escape(name)}</li>'
        for index, name in enumerate(comparison["variants"])
    )
    loss = _curves(comparison, "loss", 1.0, "Loss over epochs", "nats")
    error = _curves(comparison, "top1_error", 100.0, "Top-1 error over epochs", "%")
    return (
        f'<ul class="legend">{legend}<li>solid: training, as augmented</li><li>dashed: validation</li></ul>'
        f'<div class="pair">{_figure(loss, "Loss.")}{_figure(error, "Top-1 error.")}</div>'
    )


def _curves(comparison: Mapping[str, Any], quantity: str, factor: float, label: str, unit: str) -> str:
    lines = []
    for index, name in enumerate(comparison["variants"]):
        columns = comparison["curves"][name]
        for split, words in (("train", "training"), ("validation", "validation")):
            values = columns.get(f"{split}_{quantity}", [])
            lines.append(
                Line(
                    x=columns.get("epoch", [])[: len(values)],
                    y=[None if value is None else factor * value for value in values],
                    series=index % NUM_COLOURS,
                    dashed=split == "validation",
                    name=f"{name}, {words}",
                )
            )
    return line_chart(lines, label=label, x_title="epoch", y_title=unit)


_PICTURES = {
    "top5_unselected": (
        "Figure 4, left: eight test images as they come, and what {} says of them; the bar of the true class is red.",
        "Eight test images and the classes that {} names",
    ),
    "top5_best": ("Of each class the test image that {} is surest of.", "The surest answers of {}, one a class"),
    "top5_worst": (
        "The images on which {} is most wrong; some may be mislabelled or show several things.",
        "The eight worst answers of {}",
    ),
    "neighbours": (
        "Figure 4, right: five test images and the training images nearest to them in the last hidden layer of {}.",
        "Five test images and their nearest training images, by {}",
    ),
    "conv1_kernels": (
        "Figure 3: first-layer kernels of {}, each stretched to its full range; two towers are a gap apart.",
        "Grid of the first-layer kernels of {}",
    ),
    "confusion": ("Confusion of {}, ten crops.", "Confusion matrix of {}"),
    "calibration": ("How often {} is right when it says so.", "Reliability diagram of {}"),
}


def pictures(comparison: Mapping[str, Any], encoded: Mapping[str, str]) -> str:
    """Show what the evaluations drew, each picture with words for readers who do not see it.

    Args:
        comparison: As `alexnet_tf.comparison.compare.compare` returns it.
        encoded: File name -> PNG in base 64; what is not there is left out.
    """
    figures = []
    for kind, (caption, alternative) in _PICTURES.items():
        for name in comparison["variants"]:
            data = encoded.get(f"{kind}_{name}.png")
            if data:
                said = _in_words(comparison["gallery"].get(name, {}).get(kind.removeprefix("top5_"), []))
                words = escape(f"{alternative.format(name)}{': ' if said else ''}{said}")
                image = f'<img alt="{words}" loading="lazy" src="data:image/png;base64,{data}">'
                figures.append(_figure(image, caption.format(name)))
    return "".join(figures) or "<p>No pictures were made.</p>"


def _in_words(shown: Sequence[Mapping[str, Any]]) -> str:
    """Say what a picture of images shows: the true class, then the guess or the neighbours' classes."""
    sentences = []
    for each in shown:
        if "top" in each:
            best = each["top"][0]
            sentences.append(f"{each['label']}, called {best['class']} with {percent(best['probability'])}")
        else:
            sentences.append(f"{each['label']}, near {', '.join(other['label'] for other in each['neighbours'])}")
    return "; ".join(sentences)


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"
