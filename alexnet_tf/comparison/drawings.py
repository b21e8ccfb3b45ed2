"""Confusion and calibration of a variant, drawn from the tables of its evaluation with all words as text."""

import csv
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from alexnet_tf.comparison.charts import Point, Points, scatter_chart
from alexnet_tf.metrics.top_k import VIEW_NAMES
from alexnet_tf.wording import points

_DASHED = "center"


def confusion_table(table: str, classes: Sequence[str]) -> str:
    """Draw a confusion matrix as an HTML table, each cell as strong as its share of the row.

    Args:
        table: confusion.csv of the evaluation: true class, named class, number of images.
        classes: In the order of rows and columns.
    """
    counts = {(row["label"], row["predicted"]): int(row["num_examples"]) for row in csv.DictReader(table.splitlines())}
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in classes)
    body = ""
    for label in classes:
        total = sum(counts.get((label, name), 0) for name in classes)
        body += f'<tr><th scope="row">{escape(label)}</th>'
        for name in classes:
            count = counts.get((label, name), 0)
            right = ' class="right"' if name == label else ""
            body += f'<td{right} style="--p:{100 * count / total:.0f}%">{count}</td>' if count else "<td></td>"
        body += "</tr>"
    return (
        '<div class="scroll" tabindex="0"><table class="confusion"><caption>rows: true class, columns: answer</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def calibration_chart(table: str, errors: Mapping[str, Mapping[str, Any]], *, series: int, label: str) -> str:
    """Draw how often an answer is right over the probability that it has, with a legend.

    Args:
        table: calibration.csv of the evaluation: bins of each view.
        errors: View -> errors, of which `calibration_error` is in the legend.
        series: Number of the variant's colour.
        label: What the chart shows, for readers who do not see it.
    """
    found: dict[str, list[Point]] = {view: [] for view in VIEW_NAMES}
    for row in csv.DictReader(table.splitlines()):
        share, accuracy = 100 * float(row["mean_probability"]), 100 * float(row["accuracy"])
        found[row["view"]].append(Point(share, accuracy, int(row["num_examples"])))
    legend = ""
    for view, name in VIEW_NAMES.items():
        style = "dashed, hollow" if view == _DASHED else "solid, filled"
        off = errors[view].get("calibration_error")
        told = "" if off is None else f", off by {points(off).removeprefix('+')} points"
        legend += f"<li>{style}: {name}{told}</li>"
    groups = [Points(found[view], series, dashed=view == _DASHED) for view in VIEW_NAMES]
    chart = scatter_chart(groups, label=label, x_title="mean probability, %", y_title="right, %")
    legend += "<li>area: number of images; dotted: calibrated</li>"
    return f'<ul class="legend">{legend}</ul><div class="square">{chart}</div>'
