"""A comparison for people: rows for the terminal, Markdown, and one HTML page that needs no network."""

import base64
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from alexnet_tf.comparison.report_figures import error_charts, learning_charts, pictures
from alexnet_tf.comparison.tables import (
    Costs,
    Rows,
    aligned,
    class_rows,
    cost_rows,
    error_rows,
    knob_rows,
    p_value,
    percent,
    points,
    rows,
    slice_rows,
)


def table(comparison: Mapping[str, Any], costs: Costs) -> str:
    """Write `rows` as plain text with aligned columns."""
    return "\n".join(aligned(rows(comparison, costs)))


def headline(comparison: Mapping[str, Any]) -> list[str]:
    """Say the result in one sentence for each variant but the baseline; of variants that were not tested, the error."""
    baseline = comparison["baseline"]
    base = comparison["errors"][baseline]["ten_crop"]["top1_error"]["value"]
    sentences = []
    for name, views in comparison["paired"].items():
        error = comparison["errors"][name]["ten_crop"]["top1_error"]["value"]
        pair = views["ten_crop"]["top1_error"]
        verdict = "fewer" if pair["difference"] < 0 else "more"
        sure = "" if pair["low"] > 0 or pair["high"] < 0 else ", which chance explains as well"
        sentences.append(
            f"{name} errs on {percent(error)} of the test images, {baseline} on {percent(base)}:"
            f" {abs(100 * pair['difference']):.1f} points {verdict}"
            f" ({_confidence(comparison)} interval {points(pair['low'])} to {points(pair['high'])},"
            f" McNemar p {p_value(pair['p_value'], equals='= ')}){sure}."
        )
    told = {baseline, *comparison["paired"]} if sentences else set()
    for name in comparison["variants"]:
        if name not in told:
            error = comparison["errors"][name]["ten_crop"]["top1_error"]["value"]
            sentences.append(f"{name} errs on {percent(error)} of the test images.")
    return sentences


def markdown(comparison: Mapping[str, Any]) -> str:
    """Write the comparison as Markdown tables, without costs."""
    blocks = ["# Comparison", *headline(comparison), _about(comparison)]
    blocks += ["## Test errors", _markdown_table(error_rows(comparison))]
    blocks += ["## By size, shape and brightness", _markdown_table(slice_rows(comparison))]
    blocks += ["## What differs", _markdown_table(knob_rows(comparison))]
    return "\n\n".join(blocks) + "\n"


def render(comparison: Mapping[str, Any], costs: Costs, figures: Mapping[str, bytes]) -> str:
    """Write the comparison as one HTML page: no script, no network, light and dark, any width.

    Args:
        comparison: As `alexnet_tf.comparison.compare.compare` returns it, or read from comparison.json.
        costs: Variant -> number, keys as in `COSTS`; what is missing is shown as not measured.
        figures: File name -> PNG, of which the evaluations' pictures, NAME_VARIANT.png, are shown.

    Returns:
        The page.
    """
    page = Template((files("alexnet_tf.comparison") / "report_page.html").read_text(encoding="utf-8"))
    knobs = knob_rows(comparison)
    return page.substitute(
        title=escape(" and ".join(comparison["variants"])),
        headline="".join(f"<p>{escape(sentence)}</p>" for sentence in headline(comparison)),
        about=escape(_about(comparison)),
        error_charts=error_charts(comparison),
        error_table=html_table(error_rows(comparison), caption=f"Test errors with {_confidence(comparison)} intervals"),
        learning_charts=learning_charts(comparison),
        cost_table=html_table(cost_rows(comparison, costs), caption="What each variant cost"),
        class_table=html_table(class_rows(comparison), caption="Top-1 error by class, ten crops"),
        num_knobs=len(knobs) - 1,
        knob_table=html_table(knobs, caption="Parameters that differ", monospace=True),
        slice_table=html_table(slice_rows(comparison), caption="Top-1 error of images alike, ten crops"),
        pictures=pictures(comparison, {k: base64.b64encode(v).decode() for k, v in figures.items()}),
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


def _confidence(comparison: Mapping[str, Any]) -> str:
    return f"{100 * comparison['confidence']:g} %"


def _about(comparison: Mapping[str, Any]) -> str:
    return (
        f"{comparison['num_examples']:,} test images, the same for every variant. Errors count ties in parts,"
        " as the code of 2012 did; ten crops are averaged as probabilities (§4.1). Intervals of errors are"
        f" Wilson's, those of differences come from {comparison['bootstrap_samples']:,} paired bootstrap"
        f" samples, both at {_confidence(comparison)}."
    )


def _markdown_table(lines: Rows) -> str:
    written = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([written[0], "|" + " --- |" * len(lines[0]), *written[1:]])
