"""Averages of several networks' predictions, as they are kept in results/EXPERIMENT/averages, and their table.

`python -m pipeline.results.ensembles RESULT...` makes them.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alexnet_tf.errors import AlexNetError, DataError
from pipeline.results.groups import grouped, shown_difference
from pipeline.results.kept import FOLDER, load, read_result

AVERAGES = "averages"


class Errors(BaseModel):
    """Errors of ten crops on the test split, fractions in [0, 1], each with its 95 % Wilson interval.

    Attributes:
        mean_loss: Nats.
        top1_error: With `top1_error_low` and `top1_error_high`.
        top5_error: Likewise; None with fewer than five classes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean_loss: float
    top1_error: float
    top1_error_low: float
    top1_error_high: float
    top5_error: float | None = None
    top5_error_low: float | None = None
    top5_error_high: float | None = None


class Averages(BaseModel):
    """What the networks of several results say, each alone and all together.

    Attributes:
        results: Paths of the results in the repository, by seed.
        each: The errors of each.
        together: Those of the mean of their probabilities.
        num_examples: Images of the test split.
        machine: Versions and machine of the scoring.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        raise AlexNetError(f"{folder} holds no averages; `python -m pipeline.results.ensembles RESULT...` makes them")
    header = ["variant", "changed", "seeds", "precision", "networks", "test, ten crops", "test top-5, ten crops"]
    lines = [f"| {' | '.join(header)} |", "| --- " * len(header) + "|"]
    kept = [_read(path) for path in paths]
    groups = grouped(load(folder.parent))
    commands = []
    for averages in kept:
        results = [read_result(root / name) for name in averages.results]
        seeds = ", ".join(str(each.seed) for each in results)
        named = f"| `{results[0].variant}` | {shown_difference(results, groups)} | {seeds} | {results[0].precision} |"
        one_by_one = " | ".join(_mean(averages.each, name) for name in ("top1_error", "top5_error"))
        together = " | ".join(_with_interval(averages.together, name) for name in ("top1_error", "top5_error"))
        lines += [f"{named} one, the mean | {one_by_one} |", f"{named} {len(results)} together | {together} |"]
        commands.append(" \\\n  ".join(["python -m pipeline.results.ensembles", *averages.results]))
    return "\n".join([*lines, "", "```bash", *commands, "```"])


def _read(path: Path) -> Averages:
    try:
        return Averages.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise DataError(
            f"{path}: expected what `python -m pipeline.results.ensembles` wrote, found another file ({type(error).__name__}); "
            "take it out"
        ) from error


def _mean(each: Sequence[Errors], name: str) -> str:
    values = [100 * value for errors in each if (value := getattr(errors, name)) is not None]
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} %" if len(values) > 1 else ""


def _with_interval(errors: Errors, name: str) -> str:
    ends = [getattr(errors, f"{name}{end}") for end in ("", "_low", "_high")]
    return "" if None in ends else "{:.2f} % ({:.2f} to {:.2f})".format(*(100 * value for value in ends))
