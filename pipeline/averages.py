"""Averages the predictions of kept results that differ in their seed (§6: five and seven networks).

    python -m pipeline.averages results/cifar10/optimized-seed*.json

Scores ten crops of the test split by each result's model and by the mean of their probabilities, and keeps the errors
in results/EXPERIMENT/averages/VARIANT.json. Models and records come from DVC's cache, by the hashes that the results
name, so this wants the machine that trained them.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from alexnet_tf.errors import AlexNetError, ConfigError, DataError
from pipeline.certificate import this_machine
from pipeline.commands.base import Command
from pipeline.dvc_cache import link
from pipeline.result_groups import grouped
from pipeline.results import FOLDER, Result, read_result
from pipeline.workspace import Workspace, find_workspace

AVERAGES = "averages"
_ERRORS = ("top1_error", "top5_error")


def keep(workspace: Workspace, results: Sequence[Result]) -> Path:
    """Score the results' models each and together, and write the errors; return the file.

    Raises:
        ConfigError: They are fewer than two, or differ in more than their seed.
        DataError: Two are of the same seed.
        AlexNetError: DVC's cache lacks a model or the records.
    """
    group = _one_group(results)
    first = group[0]
    place = workspace.scratch / AVERAGES
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as name:
        records = _brought(workspace, first, f"data/records/{first.row['params']['images']}", Path(name))
        models = [_brought(workspace, each, f"models/{each.variant}", Path(name) / str(each.seed)) for each in group]
        scored = _scored(models, records, batch_size=int(first.row["params"]["evaluation.batch_size"]))
    content = {"results": [each.path for each in group], "machine": this_machine(workspace.root)} | scored
    path = workspace.root / FOLDER / first.experiment / AVERAGES / f"{first.variant}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.partial")
    written.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(written, path)
    return path


def _one_group(results: Sequence[Result]) -> list[Result]:
    groups = grouped(results)
    data = {(each.experiment, _hash(each, "data/dataset")) for each in results}
    if len(groups) == len(data) == 1 and len(results) > 1:
        return groups[0]
    found = f"{len(results)} of {len(groups)} sets of parameters and {len(data)} of data"
    raise ConfigError(f"RESULT: expected two results or more that differ in nothing but their seed, found {found}")


def _hash(result: Result, path: str) -> str:
    """What DVC calls an output of a result's run; "" for none."""
    return next(
        (each["outs"][name] for each in result.row["standing"] if (name := f"dvc.out.{path}") in each["outs"]), ""
    )


def _brought(workspace: Workspace, result: Result, path: str, folder: Path) -> Path:
    if not link(workspace, _hash(result, path), folder / path):
        raise AlexNetError(
            f"{path} of {result.path} is not in DVC's cache here, where it would be after: {result.command}"
        )
    return folder / path


def _scored(models: Sequence[Path], records: Path, *, batch_size: int) -> dict[str, Any]:
    from alexnet_tf.bundle import load_bundle
    from alexnet_tf.distribution import make_strategy
    from alexnet_tf.ensemble import evaluate_together
    from alexnet_tf.record_split import RecordSplit
    from pipeline.progress import progress_for

    split = RecordSplit.open(records, "test")
    strategy = make_strategy([])
    with strategy.scope():
        bundles = [load_bundle(model) for model in models]
    with progress_for().task("score", total=split.num_examples, unit="images") as task:
        each, together = evaluate_together(
            bundles, split, batch_size=batch_size, strategy=strategy, advance=task.advance
        )
    return {
        "each": [predictions.metrics() for predictions in each],
        "together": together.metrics(),
        "num_examples": split.num_examples,
    }


def averages_table(root: Path, experiment: str) -> str:
    """Lay out the averages of an experiment's results, the networks one by one and all together, and the commands.

    Raises:
        AlexNetError: There is none.
        DataError: A file is none, or is of results that are not kept.
    """
    folder = root / FOLDER / experiment / AVERAGES
    if not (paths := sorted(folder.glob("*.json"))):
        raise AlexNetError(f"{folder} holds no averages; `python -m pipeline.averages RESULT...` makes them")
    lines = ["| variant | seeds | precision | networks | test, ten crops | test top-5, ten crops |", "| --- " * 6 + "|"]
    commands = []
    for path in paths:
        content = _read(path)
        results = [read_result(root / name) for name in content["results"]]
        named = f"| `{results[0].variant}` | {', '.join(str(each.seed) for each in results)} | {results[0].precision} |"
        one_by_one = " | ".join(_mean(content["each"], name) for name in _ERRORS)
        together = " | ".join(_with_interval(content["together"], name) for name in _ERRORS)
        lines += [f"{named} one, the mean | {one_by_one} |", f"{named} {len(results)} together | {together} |"]
        commands.append(" \\\n  ".join(["python -m pipeline.averages", *content["results"]]))
    return "\n".join([*lines, "", "```bash", *commands, "```"])


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _ = content["results"], content["each"], content["together"]["top1_error"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected what `python -m pipeline.averages` wrote, found another file ({type(error).__name__}); "
            "take it out"
        ) from error
    return content


def _mean(each: Sequence[Mapping[str, float]], name: str) -> str:
    values = [100 * metrics[name] for metrics in each if name in metrics]
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} %" if values else ""


def _with_interval(metrics: Mapping[str, float], name: str) -> str:
    if name not in metrics:
        return ""
    value, low, high = (100 * metrics[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.2f} % ({low:.2f} to {high:.2f})"


@click.command(cls=Command, help=__doc__)
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(results: tuple[Path, ...]) -> None:
    """Average, and print the table."""
    workspace = find_workspace()
    path = keep(workspace, [read_result(each) for each in results])
    click.echo(f"wrote {path.relative_to(workspace.root)}")
    click.echo(averages_table(workspace.root, path.parent.parent.name))


if __name__ == "__main__":
    main()
