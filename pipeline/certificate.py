"""What `alexnet verify` finds: outputs that were claimed beside outputs that came out, and where."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.lock import dvc_md5
from pipeline.provenance import provenance_tags
from pipeline.standing import numbers

Verdict = Literal["same bytes", "same numbers", "other bytes", "other numbers"]


@dataclass(frozen=True)
class Comparison:
    """One output: what was claimed, what came out.

    Attributes:
        stage: Address of the run.
        path: The output, in the repository.
        claimed: DVC's hash of it in the committed dvc.lock, or in the kept result.
        reproduced: DVC's hash of what the rerun wrote.
        verdict: `same bytes`; `same numbers` where its metrics.json agrees within the tolerance; `other numbers` where
            it does not; `other bytes` where there are no numbers to compare.
        numbers: Metric -> (claimed, reproduced), of those that differ most first; empty where the bytes are the same.
    """

    stage: str
    path: str
    claimed: str
    reproduced: str
    verdict: Verdict
    numbers: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Certificate:
    """What was claimed, what was reproduced, and where.

    Attributes:
        claim: The file that claims it, dvc.lock or a kept result.
        commit: The commit whose files were rerun.
        left_out: Whether the tree has changes that are not committed and were not rerun.
        tolerance: How far numbers may lie apart, relative to the larger of 1 and the claimed number.
        outputs: One comparison an output.
        machine: Versions and machine of the rerun.
        claimed_on: The same of the run that is claimed, where that is known.
    """

    claim: str
    commit: str
    left_out: bool
    tolerance: float
    outputs: tuple[Comparison, ...]
    machine: Mapping[str, str]
    claimed_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Literal["reproduced", "reproduced within tolerance", "not reproduced"]:
        """All bytes the same; or all numbers near and there are some; or neither."""
        verdicts = {each.verdict for each in self.outputs}
        if verdicts == {"same bytes"}:
            return "reproduced"
        if "other numbers" in verdicts or "same numbers" not in verdicts:
            return "not reproduced"
        return "reproduced within tolerance"

    def as_json(self) -> str:
        """The certificate as JSON."""
        return json.dumps(asdict(self) | {"verdict": self.verdict}, indent=1)


def compared(
    stage: str,
    folder: Path,
    path: str,
    claimed: str,
    *,
    before: Callable[[], Mapping[str, float] | None],
    tolerance: float,
) -> Comparison:
    """Compare one output with what is claimed of it.

    Args:
        stage: Address of the run.
        folder: Where it was rerun.
        path: The output below it.
        claimed: DVC's hash.
        before: Returns the numbers of the claimed metrics.json, None where they are not known; asked if bytes differ.
        tolerance: How far numbers may lie apart, relative to the larger of 1 and the claimed number.
    """
    reproduced = dvc_md5(folder / path) or "nothing"
    if reproduced == claimed:
        return Comparison(stage, path, claimed, reproduced, "same bytes", {})
    metrics = folder / path / "metrics.json"
    old = before() if metrics.is_file() else None
    if old is None:
        return Comparison(stage, path, claimed, reproduced, "other bytes", {})
    new = numbers(json.loads(metrics.read_text(encoding="utf-8")))
    pairs = {name: (old.get(name, float("nan")), new.get(name, float("nan"))) for name in {**old, **new}}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    near = all(abs(after - first) <= tolerance * max(1.0, abs(first)) for first, after in differing.values())
    ordered = dict(sorted(differing.items(), key=lambda each: -_distance(*each[1])))
    return Comparison(stage, path, claimed, reproduced, "same numbers" if near else "other numbers", ordered)


def _distance(old: float, new: float) -> float:
    distance = abs(new - old) / max(1.0, abs(old))
    return float("inf") if distance != distance else distance


def machine(tags: Mapping[str, str]) -> dict[str, str]:
    """Pick what names versions and machine."""
    return {name: word for name, word in tags.items() if name.startswith(("host.", "version.", "env."))}


def this_machine(root: Path) -> dict[str, str]:
    """Name versions and machine of this process."""
    return machine(provenance_tags(root))
