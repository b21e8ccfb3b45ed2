"""The ladder of ablations: what comes out of the rungs of docs/ablations.yaml, beside what the paper says.

A rung is a run of the variant `full` of experiments/ablations_cifar10.yaml with `changes`, beside that without changes
and of the same seed. The table and the figure of docs/ablations.md come from here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import DataError
from alexnet_tf.plotting import COLOURS, new_figure, png
from alexnet_tf.text_tables import markdown_table
from pipeline.results import lost_trainings
from pipeline.results.course import Pair, course_table, quarters
from pipeline.results.kept import FOLDER, PATTERN, TRAINING_ERROR, Result, load
from pipeline.results.lost_trainings import WHOLE
from pipeline.results.rungs import Claim, Measure, Rung, read_rungs
from pipeline.results.seeds_and_images import Difference, over_seeds, over_seeds_and_images

EXPERIMENT = "ablations_cifar10"
FIGURE = "docs/img/ablations.png"
LEAST_SEEDS = 3
_MEASURES: dict[Measure, str] = {
    "test": "test error, ten crops",
    "training": "training error, centre crop",
    "early": "training error, first quarter",
    "gap": "test less training error, centre crop",
}
_IN_FIGURE: dict[Measure, str] = {
    "test": "",
    "training": ": training error",
    "early": ": early training error",
    "gap": ": gap of test and training error",
}


@dataclass(frozen=True)
class RungOutcome:
    """One line of the table.

    Attributes:
        name: Of the change, in docs/ablations.yaml.
        rung: The change.
        measure: Of which error.
        claim: The paper's, if it is of this error.
        seeds: With which the change and the whole network were run.
        lost: With which the changed network did not train.
        difference: Error with the change minus error without; None where it was not run.
    """

    name: str
    rung: Rung
    measure: Measure
    claim: Claim | None
    seeds: tuple[int, ...]
    lost: tuple[int, ...]
    difference: Difference | None

    @property
    def is_settled(self) -> bool:
        """Whether the difference is of so many seeds that its interval holds, and of all that were tried."""
        return len(self.seeds) >= LEAST_SEEDS and not self.lost

    @property
    def verdict(self) -> str:
        """Whether the claim is confirmed, in a few words; "" where nothing is claimed of this error."""
        if self.lost:
            return f"did not train with {_named_seeds(self.lost)}"
        if self.difference is None:
            return "not run"
        if self.claim is None:
            return ""
        if not self.is_settled or self.difference.low is None or self.difference.high is None:
            return f"{len(self.seeds)} of {LEAST_SEEDS} seeds"
        if self.difference.low > 0:
            return "confirmed"
        return "contrary" if self.difference.high < 0 else "not seen"

    @property
    def told(self) -> str:
        """The verdict with what it is of: a verdict is about the sign alone, and the points say the rest."""
        if self.difference is None or self.lost:
            return self.verdict
        return f"{self.difference.points} points of {_MEASURES[self.measure]} ({self.verdict})"


def kept_runs(root: Path) -> list[Result]:
    """Read all results of the ladder, none where none is kept."""
    folder = root / FOLDER / EXPERIMENT
    return load(folder) if any(folder.glob(PATTERN)) else []


def runs_of(results: Sequence[Result], changes: Mapping[str, Any]) -> dict[int, Result]:
    """Return by seed the results whose parameters are those of the experiment but for `changes` and the seed.

    Of a seed on several processors it is the latest.

    Raises:
        DataError: They differ in other parameters, or two have one seed and processor.
    """
    found: dict[int, Result] = {}
    for each in sorted(results, key=lambda each: each.time):
        if {**each.changes, "seed": 0} != {**changes, "seed": 0}:
            continue
        if each.seed in found and found[each.seed].processor == each.processor:
            raise DataError(
                f"{found[each.seed].path} and {each.path} have the same change, seed and processor; remove one of them"
            )
        found[each.seed] = each
    for one, other in pairwise(found.values()):
        if differing := _differing(one, other):
            raise DataError(
                f"{one.path} and {other.path} have the same change, but different {', '.join(sorted(differing))}, so "
                "they cannot be compared; remove the older one"
            )
    return found


def outcomes(root: Path) -> list[RungOutcome]:
    """Compare every rung that was run with the whole network, seed by seed.

    Raises:
        DataError: Results of one rung do not belong together, or differ from the whole network in more than the
            change.
    """
    lost = lost_trainings.read(root)
    lines = []
    for name, rung, pairs in _compared_rungs(root):
        measures: list[Measure] = ["test"]
        if rung.claim and rung.claim.measure != "test":
            measures.insert(0, rung.claim.measure)
        seeds = tuple(one.seed for one, _ in pairs)
        came_to_nothing = tuple(each.seed for each in lost if each.rung == name)
        for measure in measures:
            claim = rung.claim if rung.claim and rung.claim.measure == measure else None
            difference = _difference(pairs, measure) if pairs else None
            lines.append(RungOutcome(name, rung, measure, claim, seeds, came_to_nothing, difference))
    return lines


def _compared_rungs(root: Path) -> Iterator[tuple[str, Rung, list[Pair]]]:
    results = kept_runs(root)
    whole = runs_of(results, {})
    for name, rung in read_rungs(root).items():
        own = runs_of(results, rung.overrides())
        pairs = [(own[seed], whole[seed]) for seed in sorted(own.keys() & whole.keys())]
        for one, other in pairs:
            _require_one_change(one, other, rung)
        yield name, rung, pairs


def _differing(one: Result, other: Result) -> set[str]:
    names = one.params.keys() | other.params.keys()
    return {name for name in names - {"seed"} if one.params.get(name) != other.params.get(name)}


def _require_one_change(one: Result, other: Result, rung: Rung) -> None:
    differing = _differing(one, other) - rung.changes.keys()
    differing |= {name for name in ("precision", "processor") if getattr(one, name) != getattr(other, name)}
    if differing:
        raise DataError(
            f"{one.path} and {other.path} differ in {', '.join(sorted(differing))}, expected the change alone; run "
            "both with the same parameters on one kind of machine"
        )


def _difference(pairs: Sequence[Pair], measure: Measure) -> Difference:
    if measure != "test":
        return over_seeds(np.array([_error(one, measure) - _error(other, measure) for one, other in pairs]))
    right = [(one.right(), other.right()) for one, other in pairs]
    if any(len(_named(pairs, name)) > 1 for name in ("keys_sha256", "source_digest")):
        raise DataError(f"{pairs[0][0].path} and others are of different test images; keep runs of one data set")
    return over_seeds_and_images(np.array([1.0 * other - 1.0 * one for one, other in right]))


def _named(pairs: Sequence[Pair], name: str) -> set[str]:
    return {named for pair in pairs for each in pair if (named := (each.correct or {}).get(name))}


def _error(result: Result, measure: Measure) -> float:
    if measure == "early":
        return quarters(result.by_epoch(TRAINING_ERROR))[0]
    learnt = result.metrics["test/training_images/top1_error"]
    return learnt if measure == "training" else result.metrics["test/center/top1_error"] - learnt


def ablations_table(root: Path) -> str:
    """Lay the rungs out, one line for each error; then the figure, if any was run, and what the scale can say."""
    lines: list[Sequence[object]] = [
        ("change", "the paper", "claim", "points there", "error", "points here (95 % interval)", "seeds", "verdict")
    ]
    shown = outcomes(root)
    for each in shown:
        claim = each.claim
        cells = (claim.place, claim.text, _paper(claim)) if claim else ("",) * 3
        seeds = ", ".join(map(str, each.seeds))
        points = each.difference.points if each.difference else ""
        lines.append((each.rung.words, *cells, _MEASURES[each.measure], points, seeds, each.verdict))
    picture = ["", "None of these changes has been run yet."]
    if any(each.difference for each in shown):
        picture = ["", f"![{_alt_text(shown)}]({FIGURE.removeprefix('docs/')})"]
    if lost := [each.seed for each in lost_trainings.read(root) if each.rung == WHOLE]:
        picture += ["", f"The whole network did not train with {_named_seeds(lost)}."]
    notes = [f"- {rung.words[0].upper()}{rung.words[1:]}: {rung.scale}" for rung in read_rungs(root).values()]
    return "\n".join([markdown_table(lines), *picture, "", *notes])


def course_of_ablations(root: Path) -> str:
    """Lay out how the difference of the training error moves in the course of the training, a line a change."""
    lost = lost_trainings.read(root)
    rows = []
    for name, rung, pairs in _compared_rungs(root):
        seeds = ", ".join(str(one.seed) for one, _ in pairs)
        if without := [each.seed for each in lost if each.rung == name]:
            seeds += f"; did not train with {_named_seeds(without)}"
        rows.append(((rung.words, seeds), TRAINING_ERROR, pairs))
    return course_table(("change", "seeds"), rows)


def _named_seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def _paper(claim: Claim) -> str:
    if claim.paper is None:
        return ""
    return f"> {claim.paper:g}" if claim.more else f"{claim.paper:+.1f}"


def _alt_text(shown: Sequence[RungOutcome]) -> str:
    drawn = [each for each in shown if each.difference]
    words = ["differences in points, a line a change"]
    if any(each.difference and each.difference.low is not None for each in drawn):
        words.append("with 95 % intervals where there are two seeds or more")
    if not all(each.is_settled for each in drawn):
        words.append(f"hollow where fewer than {LEAST_SEEDS} seeds were run or one did not train")
    if any(each.claim and each.claim.paper is not None for each in drawn):
        words.append("the paper's as diamonds, or as a triangle where it says more than that")
    return "; ".join(words)


def plot(root: Path) -> bytes | None:
    """Draw the differences with their intervals, and the paper's; None where nothing was run."""
    shown = [(each, each.difference) for each in reversed(outcomes(root)) if each.difference]
    if not shown:
        return None
    figure = new_figure(7, 0.8 + 0.32 * len(shown))
    axes = figure.add_subplot()
    for place, (each, difference) in enumerate(shown):
        if difference.low is not None and difference.high is not None:
            axes.plot([100 * difference.low, 100 * difference.high], [place, place], color=COLOURS[0])
        fill = COLOURS[0] if each.is_settled else "white"
        axes.plot(100 * difference.mean, place, "o", markerfacecolor=fill, color=COLOURS[0])
        if each.claim and each.claim.paper is not None:
            axes.plot(
                each.claim.paper, place, ">" if each.claim.more else "D", markerfacecolor="none", color=COLOURS[1]
            )
    axes.axvline(0, color="0.6", linewidth=1)
    names = [f"{each.rung.words}{_IN_FIGURE[each.measure]}" for each, _ in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    told = "error above that of the whole network, points\n(hollow: no verdict; diamonds and triangles: the paper)"
    axes.set_xlabel(told, fontsize=8)
    axes.grid(axis="x", alpha=0.25)
    return png(figure)
