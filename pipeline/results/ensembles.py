"""Averages the predictions of kept results that differ in their seed (§6: five and seven networks).

    alexnet results average results/cifar10/optimized-seed1-….json results/cifar10/optimized-seed2-….json

Scores ten crops of the test split by each result's model and by the mean of their probabilities, and keeps the errors
in results/EXPERIMENT/averages. Models and records come from DVC's cache, by the hashes that the results name, so this
needs the machine that trained them.
"""

import hashlib
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, TypeAdapter

from alexnet_tf.errors import AlexNetError, ConfigError
from alexnet_tf.text_tables import markdown_table
from alexnet_tf.wording import percent_with_interval
from pipeline.environment.checked_file import FileModel, read_as
from pipeline.environment.provenance import this_machine
from pipeline.environment.workspace import Workspace
from pipeline.results.groups import GROUP_COLUMNS, group_cells, grouped
from pipeline.results.kept import FOLDER, Result, load, read_result
from pipeline.results.seeds_and_images import shown_error
from pipeline.stages.dvc_cache import link
from pipeline.stages.outputs import write_text
from pipeline.stages.table import DATASET, MODELS, RECORDS

if TYPE_CHECKING:
    from alexnet_tf.metrics.top_k import Predictions

AVERAGES = "averages"
_CLAIMED = "test/ten_crop/top1_error"


def keep(workspace: Workspace, results: Sequence[Result]) -> Path:
    """Score the results' models each and together, and write the errors; return the file.

    Raises:
        ConfigError: They are fewer than two, or differ in more than their seed.
        DataError: Two are of the same seed, or a model or the records are damaged.
        TrainingError: A model's outputs are not finite.
        AlexNetError: DVC's cache lacks a model or the records, or a model errs otherwise than its result says.
    """
    group = _one_group(results)
    first = group[0]
    place = workspace.scratch / AVERAGES
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as name:
        records = _brought(workspace, first, RECORDS.format(images=first.row["params"]["images"]), Path(name))
        models = [_brought(workspace, each, f"{MODELS}/{each.variant}", Path(name) / str(each.seed)) for each in group]
        each, together = _scored(models, records, batch_size=int(first.params["evaluation.batch_size"]))
    for result, predictions in zip(group, each, strict=True):
        claimed, found = result.metrics[_CLAIMED], predictions.error(1)
        if not math.isclose(claimed, found, abs_tol=1e-9):
            raise AlexNetError(
                f"{result.path} claims a ten-crop error of {claimed}, found {found} here; average on the kind of "
                f"machine that it ran on, {result.processor}"
            )
    averages = Averages(
        results=[result.path for result in group],
        each=[Errors(**predictions.metrics()) for predictions in each],
        together=Errors(**together.metrics()),
        num_examples=len(together.classes),
        machine=this_machine(workspace.root),
    )
    states = "".join(result.row["state"] for result in group)
    name = f"{first.variant}-{hashlib.sha256(states.encode()).hexdigest()[:8]}.json"
    path = workspace.root / FOLDER / first.experiment / AVERAGES / name
    write_text(path, averages.model_dump_json(indent=1, exclude_none=True) + "\n")
    return path


def _one_group(results: Sequence[Result]) -> list[Result]:
    groups = grouped(results)
    data = {(each.experiment, each.outs.get(DATASET, "")) for each in results}
    if len(groups) == len(data) == 1 and len(results) > 1:
        return groups[0]
    raise ConfigError(
        "RESULT: expected at least two results that differ only in their seed, found "
        f"{len(results)} with {len(groups)} sets of parameters, precision or repeated seeds and {len(data)} data sets; "
        "leave the others out"
    )


def _brought(workspace: Workspace, result: Result, path: str, folder: Path) -> Path:
    if not link(workspace, result.outs.get(path, ""), folder / path):
        raise AlexNetError(
            f"{path} of {result.path} is not in DVC's cache here; to make it on the same kind of machine "
            f"({result.processor}), run the following and return to this commit: {result.command}"
        )
    return folder / path


def _scored(models: Sequence[Path], records: Path, *, batch_size: int) -> "tuple[list[Predictions], Predictions]":
    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.ensemble import evaluate_together
    from alexnet_tf.models.classifier import read_classifier
    from pipeline.environment.progress import progress_for

    split = RecordDataset.open(records, "test")
    strategy = make_strategy([])
    with strategy.scope():
        classifiers = [read_classifier(model) for model in models]
    with progress_for().task("score", total=split.num_examples, unit="images") as task:
        return evaluate_together(classifiers, split, batch_size=batch_size, strategy=strategy, advance=task.advance)


class Errors(FileModel):
    """Errors of ten crops on the test split, fractions in [0, 1], each with its 95 % Wilson interval.

    Attributes:
        mean_loss: Nats.
        top1_error: With `top1_error_low` and `top1_error_high`.
        top5_error: Likewise; None with five classes or fewer.
    """

    mean_loss: float
    top1_error: float
    top1_error_low: float
    top1_error_high: float
    top5_error: float | None = None
    top5_error_low: float | None = None
    top5_error_high: float | None = None


class Averages(FileModel):
    """What the networks of several results say, each alone and all together.

    Attributes:
        results: Paths of the results in the repository, by seed.
        each: The errors of each.
        together: Those of the mean of their probabilities.
        num_examples: Images of the test split.
        machine: Versions and machine of the scoring.
    """

    results: Annotated[list[str], Field(min_length=2)]
    each: Annotated[list[Errors], Field(min_length=2)]
    together: Errors
    num_examples: int
    machine: dict[str, str]


def averages_table(root: Path, experiment: str) -> str:
    """Lay out the averages of an experiment's results, the networks one by one and all together, and the commands.

    Raises:
        AlexNetError: There is none.
        DataError: A file is none, or is of results that are not kept.
    """
    folder = root / FOLDER / experiment / AVERAGES
    if not (paths := sorted(folder.glob("*.json"))):
        raise AlexNetError(f"{folder} holds no averages; run `alexnet results average RESULT...`")
    header = [*GROUP_COLUMNS, "networks", "test, ten crops", "test top-5, ten crops"]
    lines: list[list[str]] = [header]
    kept = [read_as(TypeAdapter(Averages), root, path.relative_to(root).as_posix()) for path in paths]
    groups = grouped(load(folder.parent))
    commands = []
    for averages in kept:
        results = [read_result(root / name) for name in averages.results]
        named = group_cells(results, groups)
        one_by_one = [_mean(averages.each, name) for name in ("top1_error", "top5_error")]
        together = [_with_interval(averages.together, name) for name in ("top1_error", "top5_error")]
        lines += [[*named, "one (mean)", *one_by_one], [*named, f"{len(results)} averaged", *together]]
        commands.append(" \\\n  ".join(["alexnet results average", *averages.results]))
    return "\n".join([markdown_table(lines), "", "```bash", *commands, "```"])


def _mean(each: Sequence[Errors], name: str) -> str:
    values = [value for errors in each if (value := getattr(errors, name)) is not None]
    return shown_error(values) if len(values) > 1 else ""


def _with_interval(errors: Errors, name: str) -> str:
    share, low, high = (getattr(errors, f"{name}{end}") for end in ("", "_low", "_high"))
    return "" if share is None else percent_with_interval(share, low, high, digits=2)
