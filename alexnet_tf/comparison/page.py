"""A comparison for people: rows for the terminal, Markdown, and one HTML page that needs no network."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from alexnet_tf.comparison.charts import NUM_COLOURS, Bar, Line, bar_chart, line_chart
from alexnet_tf.comparison.gallery import pictures
from alexnet_tf.comparison.tables import (
    Costs,
    Rows,
    class_caption,
    class_rows,
    cost_rows,
    error_rows,
    parameter_rows,
    rows,
    slice_rows,
)
from alexnet_tf.metrics.top_k import VIEW_NAMES
from alexnet_tf.text_tables import aligned, markdown_table
from alexnet_tf.wording import listed, p_value, percent, points


def table(comparison: Mapping[str, Any], costs: Costs) -> str:
    """Write `rows` as plain text with aligned columns."""
    return "\n".join(aligned(rows(comparison, costs)))


def sentences(comparison: Mapping[str, Any]) -> list[str]:
    """Say in one sentence for each variant how it differs from its baseline; of one in no paired test, its error."""
    told = []
    for name, views in comparison["paired"].items():
        baseline = comparison["against"][name]
        base, error = (comparison["errors"][each]["ten_crop"]["top1_error"]["value"] for each in (baseline, name))
        pair = views["ten_crop"]["top1_error"]
        if pair["only_baseline_correct"] == pair["only_model_correct"] == 0:
            told.append(f"{name} is right on the same images as {baseline}: a top-1 error of {percent(error)}.")
            continue
        sure = "" if pair["p_value"] < 1 - comparison["confidence"] else "; chance alone could explain this"
        told.append(
            f"{name} has a top-1 error of {percent(error)}, {baseline} {percent(base)}:"
            f" {_in_points(pair['difference'])}"
            f" ({_confidence(comparison)} interval {points(pair['low'])} to {points(pair['high'])},"
            f" McNemar p {p_value(pair['p_value'], equals='= ')}){sure}."
        )
    compared = {*comparison["paired"], *(comparison["against"][name] for name in comparison["paired"])}
    for name in comparison["variants"]:
        if name not in compared:
            error = comparison["errors"][name]["ten_crop"]["top1_error"]["value"]
            told.append(f"{name} has a top-1 error of {percent(error)}.")
    return told


def markdown(comparison: Mapping[str, Any]) -> str:
    """Write the comparison as Markdown tables, without costs."""
    blocks = ["# Comparison", *sentences(comparison), _about(comparison)]
    blocks += ["## Test errors", markdown_table(error_rows(comparison))]
    blocks += ["## By size, shape and brightness", markdown_table(slice_rows(comparison))]
    blocks += ["## Parameters that differ", markdown_table(parameter_rows(comparison))]
    return "\n\n".join(blocks) + "\n"


def render(
    comparison: Mapping[str, Any],
    costs: Costs,
    figures: Mapping[str, bytes],
    origin: Mapping[str, str],
) -> str:
    """Write the comparison as one HTML page: no script, no network, light and dark, any width.

    Args:
        comparison: As `alexnet_tf.comparison.compare.compare` returns it, or read from comparison.json.
        costs: Variant -> number, keys as in `COSTS`; what is missing is shown as not measured.
        figures: File name -> content, of which the evaluations' pictures, NAME_VARIANT.png, are shown; with
            confusion_VARIANT.csv and calibration_VARIANT.csv these two are drawn from the tables, with words as text.
        origin: Where and of what the page was made, such as `commit` -> its words; in this order.

    Returns:
        The page.
    """
    page = Template((files("alexnet_tf.comparison") / "report_page.html").read_text(encoding="utf-8"))
    parameters = parameter_rows(comparison)
    return page.substitute(
        title=escape(listed(comparison["variants"])),
        headline="".join(f"<p>{escape(sentence)}</p>" for sentence in sentences(comparison)),
        about=escape(_about(comparison)),
        origin="".join(f"<div><dt>{escape(name)}</dt><dd>{escape(words)}</dd></div>" for name, words in origin.items()),
        error_charts=error_charts(comparison),
        error_table=html_table(error_rows(comparison), caption=f"Test errors with {_confidence(comparison)} intervals"),
        learning_charts=learning_charts(comparison),
        cost_table=html_table(cost_rows(comparison, costs), caption="Cost of each variant"),
        class_table=html_table(class_rows(comparison), caption=class_caption(comparison)),
        num_parameters=len(parameters) - 1,
        parameter_table=html_table(parameters, caption="Parameters that differ", monospace=True),
        slice_table=html_table(slice_rows(comparison), caption="Top-1 error by image property, ten crops"),
        pictures=pictures(comparison, figures),
    )


def html_table(lines: Rows, *, caption: str, monospace: bool = False) -> str:
    """Write rows, header first, as a table that scrolls where it is too wide for the page."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in lines[0])
    body = "".join(
        f'<tr><th scope="row">{_breakable(line[0]) if monospace else escape(line[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in line[1:])
        + "</tr>"
        for line in lines[1:]
    )
    style = ' class="mono"' if monospace else ""
    return (
        f'<div class="scroll" tabindex="0"><table{style}><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _breakable(key: str) -> str:
    """Let a dotted key break after its dots and underscores, on a narrow page."""
    return escape(key).replace(".", ".<wbr>").replace("_", "_<wbr>")


def _in_points(difference: float) -> str:
    if difference == 0:
        return "the same"
    size = abs(100 * difference)
    amount = f"{size:.1f}" if size >= 0.05 else "less than 0.1"
    return f"{amount} percentage points {'lower' if difference < 0 else 'higher'}"


def _confidence(comparison: Mapping[str, Any]) -> str:
    return f"{100 * comparison['confidence']:g} %"


def _about(comparison: Mapping[str, Any]) -> str:
    return (
        f"{comparison['num_examples']:,} test images, the same for every variant. Ties count fractionally, as in the"
        " 2012 code; the probabilities of ten crops are averaged (§4.1). Intervals are Wilson intervals for errors and"
        f" {comparison['bootstrap_samples']:,} paired bootstrap samples for differences, both at"
        f" {_confidence(comparison)}."
    )


def error_charts(comparison: Mapping[str, Any]) -> str:
    """Draw one chart for each kind of error: a bar a variant and view, with intervals."""
    charts = []
    for error, title in (("top1_error", "Top-1 error"), ("top5_error", "Top-5 error")):
        bars = [
            Bar(
                f"{name}, {words}",
                100 * cell["value"],
                100 * cell["low"],
                100 * cell["high"],
                index % NUM_COLOURS,
            )
            for index, name in enumerate(comparison["variants"])
            for view, words in VIEW_NAMES.items()
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
    smoothed = "Loss. With label smoothing, the training loss is that of the smoothed labels."
    return (
        f'<ul class="legend">{legend}<li>solid: training images (augmented)</li><li>dashed: validation</li></ul>'
        f'<div class="pair">{_figure(loss, smoothed)}{_figure(error, "Top-1 error.")}</div>'
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


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"
