"""The tables of a comparison as rows of text: errors, costs, parameters, classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from alexnet_tf.metrics.top_k import VIEW_NAMES
from alexnet_tf.wording import p_value, percent, percent_with_interval, points_with_interval

Rows = list[list[str]]
Costs = Mapping[str, Mapping[str, float]]

NOT_MEASURED = "not measured here"
# What a run cost, in the order shown. Whoever measured it brings the values, which differ at every run.
COSTS = {
    "seconds_per_epoch": ("seconds per epoch", "{:.1f}"),
    "training_seconds": ("training, seconds", "{:.0f}"),
    "training_images_per_second": ("training, images per second", "{:.0f}"),
    "evaluation_images_per_second": ("ten-crop evaluation, images per second", "{:.1f}"),
    "peak_memory_mib": ("peak memory in training, MiB", "{:.0f}"),
}
_ERRORS = {(view, f"top{k}_error"): f"top-{k} error, {words}" for view, words in VIEW_NAMES.items() for k in (1, 5)}


def error_rows(comparison: Mapping[str, Any]) -> Rows:
    """List the test errors with intervals, then the differences from the baseline; header first."""
    names = comparison["variants"]
    rows = [["", *names]]
    for (view, error), label in _ERRORS.items():
        cells = [comparison["errors"][name][view].get(error) for name in names]
        if all(cells):
            rows.append([label, *(percent_with_interval(c["value"], c["low"], c["high"]) for c in cells)])
    offs = [comparison["errors"][name]["ten_crop"].get("calibration_error") for name in names]
    if None not in offs:
        rows.append(["calibration error, ten crops", *(percent(off) for off in offs)])
    return rows + _difference_rows(comparison) if comparison["paired"] else rows


def _difference_rows(comparison: Mapping[str, Any]) -> Rows:
    """List the paired tests: the difference of each variant from the one that it is compared with, and its p value."""
    paired, against = comparison["paired"], comparison["against"]
    compared = {against[name] for name in paired}
    common = len(compared) == 1
    differences = [f"difference{f' from {compared.pop()}' if common else ''}, points"]
    p_values = ["McNemar p"]
    for name in comparison["variants"]:
        if name in paired:
            pair = paired[name]["ten_crop"]["top1_error"]
            difference = points_with_interval(pair["difference"], pair["low"], pair["high"])
            differences.append(difference if common else f"{difference} from {against[name]}")
            p_values.append(p_value(pair["p_value"]))
        else:
            word = "baseline" if name == comparison["baseline"] else "not tested"
            differences.append(word)
            p_values.append(word)
    return [differences, p_values]


def cost_rows(comparison: Mapping[str, Any], costs: Costs) -> Rows:
    """List what each variant cost; a number that nobody measured says so."""
    names = comparison["variants"]
    return [["", *names]] + [
        [label, *(shown.format(costs[n][key]) if key in costs.get(n, {}) else NOT_MEASURED for n in names)]
        for key, (label, shown) in COSTS.items()
    ]


def parameter_rows(comparison: Mapping[str, Any]) -> Rows:
    """List the parameters that differ, header first; a variant without the parameter has a dash."""
    names = comparison["variants"]
    return [["parameter", *names]] + [
        [each["key"], *(_value(each["values"][name]) if name in each["values"] else "–" for name in names)]
        for each in comparison["knobs"]
    ]


def rows(comparison: Mapping[str, Any], costs: Costs) -> Rows:
    """List errors, differences and costs for a terminal's table, header first, one column a variant."""
    return error_rows(comparison) + cost_rows(comparison, costs)[1:]


def slice_rows(comparison: Mapping[str, Any]) -> Rows:
    """List the top-1 errors by size, shape and brightness, header first; a cell has the number of images."""
    names = comparison["variants"]
    lines = [["images", *names]]
    for each in comparison["slices"]:
        high = "and more" if each["high"] is None else f"to {each['high']:g}"
        cells = (each["errors"].get(name) for name in names)
        shown = (f"{percent(cell['value'])} of {cell['num_examples']:,}" if cell else "–" for cell in cells)
        lines.append([f"{each['quantity']}: {each['low']:g} {high}", *shown])
    return lines


_SHOWN_CLASSES = 40


def class_rows(comparison: Mapping[str, Any]) -> Rows:
    """List the classes' errors, header first; of many classes the 40 that `class_caption` names."""
    names = comparison["variants"]

    def rank(entry: Mapping[str, Any]) -> float:
        errors = [error for error in entry["errors"].values() if error is not None]
        return max(errors, default=0) - (min(errors, default=0) if len(names) > 1 else 0)

    entries = comparison["per_class"]
    if len(entries) > _SHOWN_CLASSES:
        entries = sorted(entries, key=lambda entry: (-rank(entry), entry["class"]))[:_SHOWN_CLASSES]
    return [["class", "images", *names]] + [
        [entry["class"], str(entry["num_examples"]), *(percent(entry["errors"][name]) for name in names)]
        for entry in entries
    ]


def class_caption(comparison: Mapping[str, Any]) -> str:
    """Say which classes `class_rows` lists."""
    classes, caption = len(comparison["per_class"]), "Top-1 error by class, ten crops"
    if classes <= _SHOWN_CLASSES:
        return caption
    which = "on which the variants differ most" if len(comparison["variants"]) > 1 else "with the highest error"
    return f"{caption}: the {_SHOWN_CLASSES} of {classes:,} classes {which}; per_class.csv has all"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
