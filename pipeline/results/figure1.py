"""Figure 1 of the paper from kept results: `alexnet results figure1 relu_tanh --plot figure1.png`.

How many epochs each network takes to 25 % training error, and how many times sooner ReLU is there than tanh. The
training error of an epoch is the mean over its batches, each before its update, as the history has it: the error in the
middle of the epoch, to first order. Between two epochs the curve is a straight line.
"""

import re
import statistics
from collections.abc import Sequence
from typing import Any

from alexnet_tf.errors import DataError
from alexnet_tf.plotting import COLOURS, new_figure, png
from alexnet_tf.text_tables import markdown_table
from pipeline.results.groups import as_in_the_file, shown_difference
from pipeline.results.kept import TRAINING_ERROR, Result

_TARGET = 0.25  # §3.1
_TARGET_ERROR = f"{100 * _TARGET:.0f} % training error"
_PAPER_TIMES = 6  # figure 1: "six times faster"
NETWORKS = {"relu": "ReLU", "tanh": "tanh"}


def epochs_to(errors: Sequence[float]) -> float | None:
    """Return after how many epochs a curve of training errors is at 25 %, None where it never is.

    Args:
        errors: One mean an epoch, fractions; that of epoch n is at n - 1/2.
    """
    for index, error in enumerate(errors):
        if error <= _TARGET:
            above = errors[index - 1] if index else error
            return index + 0.5 - ((_TARGET - error) / (above - error) if above > error else 0.0)
    return None


def epochs_table(groups: Sequence[Sequence[Result]]) -> str:
    """Lay groups of results out, one line each, and under them how many times sooner ReLU is at the target.

    The ratio is that of the runs as the experiment's file has them, seed by seed; other rows are searches for a rate.

    Raises:
        DataError: Runs of one network are of two versions of the experiment, or are no pair of networks.
    """
    reached = f"epochs to {_TARGET_ERROR}"
    header = ["network", "changed", "precision", "learning rate", "seeds", reached, "epochs run"]
    lines = [header]
    for group in groups:
        first = group[0].params
        epochs_each = ", ".join(_shown(each) for each in group)
        seeds = ", ".join(str(each.seed) for each in group)
        rate, epochs = first["training.optimizer.learning_rate"], first["training.epochs"]
        network, changed = NETWORKS[_activation(group[0])], shown_difference(group, groups)
        lines.append([network, changed, group[0].precision, rate, seeds, epochs_each, epochs])
    return f"{markdown_table(lines)}\n\n{ratio(groups)}"


def epochs_by_run(groups: Sequence[Sequence[Result]]) -> list[dict[str, Any]]:
    """Return what the table has, one entry a run; `epochs_to_target` is None where the run did not get there."""
    return [
        {
            "result": each.path,
            "network": _activation(each),
            "changes": dict(each.changes),
            "seed": each.seed,
            "precision": each.precision,
            "epochs": len(each.by_epoch(TRAINING_ERROR)),
            "epochs_to_target": epochs_to(each.by_epoch(TRAINING_ERROR)),
        }
        for group in groups
        for each in group
    ]


def ratio(groups: Sequence[Sequence[Result]]) -> str:
    """Say in a sentence how many times sooner ReLU is at the target than tanh, of the seeds that both have."""
    relu, tanh = ({each.seed: each for each in _as_in_the_file(groups, name)} for name in NETWORKS)
    seeds = sorted(relu.keys() & tanh.keys())
    times, bounds = [], []
    for seed in seeds:
        sooner, later = epochs_to(relu[seed].by_epoch(TRAINING_ERROR)), epochs_to(tanh[seed].by_epoch(TRAINING_ERROR))
        if sooner is None:
            return f"ReLU did not reach {_TARGET_ERROR} with seed {seed}, so there is no ratio."
        if later is None:
            bounds.append((len(tanh[seed].by_epoch(TRAINING_ERROR)) - 0.5) / sooner)  # where the last mean is
        else:
            times.append(later / sooner)
    paper = f"the paper reports {_PAPER_TIMES}"
    if not seeds:
        return "No seed was run with both networks as in the experiment's file, so there is no ratio."
    if bounds:
        return (
            f"tanh did not reach {_TARGET_ERROR} in {len(bounds)} of {len(seeds)} runs: ReLU reached it more than "
            f"{min(bounds + times):.2f} times sooner; {paper}."
        )
    spread = f" ± {statistics.stdev(times):.2f}" if len(times) > 1 else ""
    each = ", ".join(f"{value:.2f}" for value in times)
    return (
        f"ReLU reaches {_TARGET_ERROR} {statistics.mean(times):.2f}{spread} times sooner than tanh "
        f"({'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}: {each}); {paper}."
    )


def plot(groups: Sequence[Sequence[Result]]) -> bytes:
    """Draw the training error of every run that is as the experiment's file has it, as a PNG."""
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    for colour, style, (name, words) in zip(COLOURS, ("-", "--"), NETWORKS.items(), strict=False):
        for position, result in enumerate(_as_in_the_file(groups, name)):
            errors = result.by_epoch(TRAINING_ERROR)
            label = words if position == 0 else None
            middles = [index + 0.5 for index in range(len(errors))]
            axes.plot(middles, [100 * error for error in errors], style, color=colour, label=label)
    axes.axhline(100 * _TARGET, color="0.6", linewidth=1)
    axes.set(xlabel="epochs", ylabel="training error (%)", title=re.sub(r" \(.*?\)", "", ratio(groups)), ylim=(0, None))
    axes.title.set_fontsize(9)
    axes.grid(alpha=0.25)
    axes.legend()
    return png(figure)


def _as_in_the_file(groups: Sequence[Sequence[Result]], activation: str) -> Sequence[Result]:
    return as_in_the_file(groups, lambda result: _activation(result) == activation)


def _activation(result: Result) -> str:
    activation = result.params.get("network.activation")
    if activation not in NETWORKS:
        raise DataError(
            f"{result.path}: expected a network of relu or tanh, found {activation}; figure 1 has only these"
        )
    return activation


def _shown(result: Result) -> str:
    errors = result.by_epoch(TRAINING_ERROR)
    epochs = epochs_to(errors)
    return f"not reached ({100 * min(errors):.1f} %)" if epochs is None else f"{epochs:.1f}"
