"""The ladder of ablations: what docs/ablations.yaml changes in one network, what the paper says of it, what came out.

A rung is a run of the variant `full` of experiments/ablations_cifar10.yaml with `changes`, beside that without changes
and of the same seed. The table and the figure of docs/ablations.md come from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from alexnet_tf.errors import AlexNetError, DataError
from alexnet_tf.plotting import COLOURS, new_figure, png
from alexnet_tf.text_tables import markdown_table
from pipeline.environment.yaml_file import parse
from pipeline.results.figure1 import training_errors
from pipeline.results.groups import grouped
from pipeline.results.kept import FOLDER, Result, load
from pipeline.results.seeds_and_images import Difference, over_seeds, over_seeds_and_images

EXPERIMENT = "ablations_cifar10"
FILE = "docs/ablations.yaml"
FIGURE = "docs/img/ablations.png"
OWN = "variants.full."
Measure = Literal["test", "training", "early"]
_MEASURES: dict[Measure, str] = {
    "test": "test error, ten crops",
    "training": "training error, last epoch",
    "early": "training error, first quarter",
}
_STRICT = ConfigDict(frozen=True, extra="forbid")


class Claim(BaseModel):
    """What the paper says of a part of its network: without the part an error is higher.

    Attributes:
        place: The section.
        text: The claim in a few words.
        paper: By how many points, where the paper says so.
        measure: Which error.
    """

    model_config = _STRICT

    place: str
    text: str
    paper: float | None
    measure: Measure


class Rung(BaseModel):
    """One change of the network or its training.

    Attributes:
        words: The change in a few words.
        changes: Keys below `variants.full` -> values.
        claim: What the paper says; None where it does not compare.
        scale: What a run of this size can and cannot say.
    """

    model_config = _STRICT

    words: str
    changes: dict[str, Any]
    claim: Claim | None = None
    scale: str

    def overrides(self) -> dict[str, Any]:
        """Return the changes by whole keys of params.yaml."""
        return {f"{OWN}{key}": value for key, value in self.changes.items()}


@dataclass(frozen=True)
class RungOutcome:
    """One line of the table.

    Attributes:
        rung: The change.
        measure: Of which error.
        claim: The paper's, if it is of this error.
        seeds: With which the change and the whole network were run.
        difference: Error with the change minus error without; None where it was not run.
    """

    rung: Rung
    measure: Measure
    claim: Claim | None
    seeds: tuple[int, ...]
    difference: Difference | None

    @property
    def verdict(self) -> str:
        """Whether the claim is confirmed, in a word or two; "" where nothing is claimed of this error."""
        if self.difference is None:
            return "not run"
        if self.claim is None:
            return ""
        if self.difference.low is None or self.difference.high is None:
            return "one seed"
        if self.difference.low > 0:
            return "confirmed"
        return "contrary" if self.difference.high < 0 else "not seen"


def read_rungs(root: Path) -> dict[str, Rung]:
    """Read docs/ablations.yaml: name -> rung.

    Raises:
        AlexNetError: It is missing or no YAML.
        DataError: It holds something other than rungs.
    """
    try:
        content = parse((root / FILE).read_text(encoding="utf-8"), FILE)
        return TypeAdapter(dict[str, Rung]).validate_python(content)
    except OSError as error:
        raise AlexNetError(f"{FILE}: cannot be read ({error.strerror}); it is part of the repository") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{FILE}: {'.'.join(map(str, first['loc']))}: {first['msg']}; correct it there") from error


def runs_of(results: Sequence[Result], changes: Mapping[str, Any]) -> dict[int, Result]:
    """Return by seed the results whose parameters are those of the experiment but for `changes` and the seed."""
    groups = grouped([each for each in results if {**each.changes, "seed": 0} == {**changes, "seed": 0}])
    if len(groups) > 1:
        raise DataError(
            f"{groups[0][0].path} and {groups[1][0].path} are of the same change but differ in parameters or "
            "precision, so they cannot be compared; remove the older ones"
        )
    return {each.seed: each for group in groups for each in group}


def outcomes(root: Path) -> list[RungOutcome]:
    """Compare every rung that was run with the whole network, seed by seed.

    Raises:
        DataError: Results of one rung do not belong together, or differ from the whole network in more than the
            change.
    """
    folder = root / FOLDER / EXPERIMENT
    results = load(folder) if folder.is_dir() else []
    whole = runs_of(results, {})
    lines = []
    for rung in read_rungs(root).values():
        own = runs_of(results, rung.overrides())
        pairs = [(own[seed], whole[seed]) for seed in sorted(own.keys() & whole.keys())]
        for one, other in pairs:
            _require_one_change(one, other, rung)
        measures: list[Measure] = ["test"]
        if rung.claim and rung.claim.measure != "test":
            measures.insert(0, rung.claim.measure)
        for measure in measures:
            claim = rung.claim if rung.claim and rung.claim.measure == measure else None
            seeds = tuple(one.seed for one, _ in pairs)
            lines.append(RungOutcome(rung, measure, claim, seeds, _difference(pairs, measure) if pairs else None))
    return lines


def _require_one_change(one: Result, other: Result, rung: Rung) -> None:
    differing = {
        name
        for name in one.row["params"].keys() | other.row["params"].keys()
        if one.row["params"].get(name) != other.row["params"].get(name)
    }
    differing -= rung.changes.keys()
    if one.precision != other.precision or differing:
        raise DataError(
            f"{one.path} and {other.path} differ in {', '.join(sorted(differing)) or 'precision'}, expected the change "
            "alone; run both from one commit on one kind of machine"
        )


def _difference(pairs: Sequence[tuple[Result, Result]], measure: Measure) -> Difference:
    if measure != "test":
        return over_seeds(np.array([_training(one, measure) - _training(other, measure) for one, other in pairs]))
    differences = np.array([1.0 * other.right() - 1.0 * one.right() for one, other in pairs])
    if len({(each.correct or {})["keys_sha256"] for pair in pairs for each in pair}) > 1:
        raise DataError(f"{pairs[0][0].path} and others are of different test images; keep runs of one data set")
    return over_seeds_and_images(differences)


def _training(result: Result, measure: Measure) -> float:
    errors = training_errors(result)
    return errors[-1] if measure == "training" else float(np.mean(errors[: max(1, len(errors) // 4)]))


def ablations_table(root: Path) -> str:
    """Lay the rungs out, one line for each error; then the figure, if any was run, and what the scale can say."""
    lines: list[Sequence[object]] = [
        ("change", "the paper", "claim", "points there", "error", "points here (95 % interval)", "seeds", "verdict")
    ]
    shown = outcomes(root)
    for each in shown:
        claim = each.claim
        cells = (claim.place, claim.text, "" if claim.paper is None else f"{claim.paper:+.1f}") if claim else ("",) * 3
        seeds = ", ".join(map(str, each.seeds))
        lines.append((each.rung.words, *cells, _MEASURES[each.measure], _points(each.difference), seeds, each.verdict))
    picture = ["", "None of these runs is kept yet."]
    if any(each.difference for each in shown):
        words = "differences in points with 95 % intervals, a line a change, and the paper's as diamonds"
        picture = ["", f"![{words}]({FIGURE.removeprefix('docs/')})"]
    notes = [f"- {rung.words[0].upper()}{rung.words[1:]}: {rung.scale}" for rung in read_rungs(root).values()]
    return "\n".join([markdown_table(lines), *picture, "", *notes])


def _points(difference: Difference | None) -> str:
    if difference is None:
        return ""
    mean, low, high = (
        None if value is None else f"{100 * value:+.2f}".replace("-", "−")
        for value in (difference.mean, difference.low, difference.high)
    )
    return f"{mean}" if low is None else f"{mean} ({low} to {high})"


def plot(root: Path) -> bytes | None:
    """Draw the differences with their intervals, and the paper's; None where nothing was run."""
    shown = [(each, each.difference) for each in reversed(outcomes(root)) if each.difference]
    if not shown:
        return None
    figure = new_figure(7, 0.6 + 0.32 * len(shown))
    axes = figure.add_subplot()
    for place, (each, difference) in enumerate(shown):
        if difference.low is not None and difference.high is not None:
            axes.plot([100 * difference.low, 100 * difference.high], [place, place], color=COLOURS[0])
        axes.plot(100 * difference.mean, place, "o", color=COLOURS[0])
        if each.claim and each.claim.paper is not None:
            axes.plot(each.claim.paper, place, "D", markerfacecolor="none", color=COLOURS[1])
    axes.axvline(0, color="0.6", linewidth=1)
    kinds = {"test": "", "training": ": last training error", "early": ": early training error"}
    names = [f"{each.rung.words}{kinds[each.measure]}" for each, _ in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.set_xlabel("error above that of the whole network, points (diamonds: the paper)", fontsize=8)
    axes.grid(axis="x", alpha=0.25)
    return png(figure)
