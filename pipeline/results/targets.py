"""Targets and results: results/targets.yaml against the kept results, for the pages of docs/."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from alexnet_tf.errors import DataError
from alexnet_tf.metrics.top_k import VIEW_NAMES
from alexnet_tf.text_tables import markdown_table
from pipeline.environment.checked_file import FileModel, read_as
from pipeline.results.groups import grouped, metric_of_all, shown_difference
from pipeline.results.kept import FOLDER, Result, load
from pipeline.results.seeds_and_images import shown_error

FILE = "targets.yaml"
Quantity = Literal["ten-crop error", "seconds per epoch", "CPU-minutes of training"]

_METRICS: dict[Quantity, tuple[str, float, str]] = {
    "ten-crop error": ("test/ten_crop/top1_error", 100.0, "{:.2f} %"),
    "seconds per epoch": ("cost/seconds_per_epoch", 1.0, "{:.0f}"),
    "CPU-minutes of training": ("cost/cpu_seconds", 1 / 60, "{:.1f}"),
}


class Target(FileModel):
    """One figure that a variant should reach.

    Attributes:
        variant: Whose.
        quantity: Which figure, lower being better.
        at_most: An error in percent, else seconds or minutes.
        anchor: What others reached, "" where none is known.
        seeds: How many runs it should be the mean (an error) or median (a cost) of.
        reason: Why it is missed, as far as that was measured; shown unless it is met.
        next: What to try next; like `reason`.
    """

    variant: str
    quantity: Quantity
    at_most: float
    anchor: str = ""
    seeds: Annotated[int, Field(ge=1)] = 1
    reason: str
    next: str


_TARGETS = TypeAdapter(dict[str, list[Target]])


def read_targets(root: Path) -> dict[str, list[Target]]:
    """Read results/targets.yaml: experiment -> its targets.

    Raises:
        AlexNetError: It is missing or not YAML.
        DataError: It holds something other than targets.
    """
    return read_as(_TARGETS, root, f"{FOLDER}/{FILE}")


def targets_table(root: Path, experiment: str) -> str:
    """Lay out the targets of an experiment, one line each, with the best configuration that was run, and notes below.

    Of several configurations, those with more seeds come first, up to as many as the target needs, then the lower
    validation error. The first target of a variant chooses for its others, except that seconds per epoch are of the
    runs with the shortest epochs among those whose epochs are the same work.

    Raises:
        DataError: A result or the file of targets is broken, or it has none for the experiment.
        AlexNetError: There is no result, or no file of targets.
    """
    if not (targets := read_targets(root).get(experiment)):
        raise DataError(f"{FOLDER}/{FILE} has no targets for {experiment}, but a page needs a table of them")
    groups = grouped(load(root / FOLDER / experiment))
    header = ["variant", "quantity", "target", "result", "verdict"]
    lines, notes = [header], []
    chosen: dict[str, Sequence[Result]] = {}
    for target in targets:
        if target.variant not in chosen:
            chosen[target.variant] = _best(target, groups)
        group = chosen[target.variant]
        if target.quantity == "seconds per epoch":
            group = _fastest(group, target, groups)
        _, _, shown = _METRICS[target.quantity]
        wanted = f"at most {shown.format(target.at_most)}" + (f", {target.seeds} seeds" if target.seeds > 1 else "")
        found, verdict = _reached(target, group, groups)
        lines.append([f"`{target.variant}`", target.quantity, wanted, found, verdict])
        if remarks := _remarks(target, group, verdict):
            notes.append(f"- `{target.variant}`, {target.quantity}: {' '.join(remarks)}")
    return "\n".join([markdown_table(lines), *[""] * bool(notes), *notes])


def summary_table(root: Path, experiment: str) -> str:
    """Lay out, one line a variant, the result of its best configuration: the runs that the first target chooses.

    Raises:
        DataError: As of `targets_table`.
        AlexNetError: As of `targets_table`.
    """
    groups = grouped(load(root / FOLDER / experiment))
    errors_by_view = [f"test error, {name}" for name in VIEW_NAMES.values()]
    header = ["variant", *errors_by_view, "seeds", "epochs", "minutes", "precision"]
    lines = [header]
    firsts = {target.variant: target for target in reversed(read_targets(root).get(experiment, []))}
    machines: dict[str, list[str]] = {}
    for variant in sorted(firsts):
        if group := _best(firsts[variant], groups):
            for machine in sorted({each.machine for each in group}):
                machines.setdefault(machine, []).append(f"`{variant}`")
            errors = [shown_error([each.metrics[f"test/{view}/top1_error"] for each in group]) for view in VIEW_NAMES]
            minutes = statistics.median(each.metrics["cost/train_seconds"] for each in group) / 60
            epochs = group[0].params["training.epochs"]
            lines.append([f"`{variant}`", *errors, str(len(group)), epochs, f"{minutes:.1f}", group[0].precision])
    where = "; ".join(f"{' and '.join(variants)} on {machine}" for machine, variants in machines.items())
    return f"{markdown_table(lines)}\n\nMinutes are for one training: {where}."


def _best(target: Target, groups: Sequence[Sequence[Result]]) -> Sequence[Result]:
    """Choose the configuration with the most seeds, up to the target's; of equals that with less validation error."""

    def rank(group: Sequence[Result]) -> tuple[int, float]:
        error = statistics.mean(each.metrics["train/last/validation_top1_error"] for each in group)
        return -min(len(group), target.seeds), error

    return min((group for _, group in _measured(target, groups)), key=rank, default=[])


def _fastest(group: Sequence[Result], target: Target, groups: Sequence[Sequence[Result]]) -> Sequence[Result]:
    """Choose the runs with the shortest epoch of those whose epoch is the same work as that of `group`."""
    same = [each for each in _measured(target, groups) if _epoch_work(each[1]) == _epoch_work(group)]
    return min(same, key=lambda each: each[0], default=(0.0, []))[1]


# What the time of an epoch does not depend on. The precision is named beside it.
_NOT_WORK = (
    *("seed", "validate.", "preprocess.max_", "evaluation.", "gate.", "export.", "compare.", "training.epochs"),
    *("training.schedule.", "training.optimizer.learning_rate", "training.label_smoothing", "training.keep"),
    "training.precision",
)


def _epoch_work(group: Sequence[Result]) -> dict[str, str]:
    return {name: value for each in group[:1] for name, value in each.params.items() if not name.startswith(_NOT_WORK)}


def _measured(target: Target, groups: Sequence[Sequence[Result]]) -> list[tuple[float, Sequence[Result]]]:
    values = [(_value(target, group), group) for group in groups if group[0].variant == target.variant]
    return [(value, group) for value, group in values if value is not None]


def _value(target: Target, group: Sequence[Result]) -> float | None:
    metric, scale, _ = _METRICS[target.quantity]
    values = metric_of_all(group, metric)
    middle = statistics.mean if target.quantity == "ten-crop error" else statistics.median
    return scale * middle(values) if values else None


def _reached(target: Target, group: Sequence[Result], groups: Sequence[Sequence[Result]]) -> tuple[str, str]:
    if (value := _value(target, group)) is None:
        return "", "not run"
    seeds = f"{len(group)} seed{'s' if len(group) > 1 else ''}"
    run = [shown_difference(group, groups), group[0].precision, seeds]
    if value > target.at_most + 1e-9:
        verdict = "missed"
    else:
        verdict = "met" if len(group) >= target.seeds else f"met with {len(group)} of {target.seeds} seeds"
    _, _, shown = _METRICS[target.quantity]
    return f"{shown.format(value)} ({', '.join(part for part in run if part)})", verdict


def _remarks(target: Target, group: Sequence[Result], verdict: str) -> list[str]:
    remarks = [f"Others reached {target.anchor}."] if target.anchor else []
    if group and target.quantity != "ten-crop error":  # a cost says little without its machine
        remarks.append(f"Processor: {'; '.join(sorted({each.processor for each in group}))}.")
    return remarks if verdict == "met" else [*remarks, f"{target.reason} Next: {target.next}"]
