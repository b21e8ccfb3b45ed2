"""What `alexnet verify` finds: outputs that were claimed beside outputs that came out, and where."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.environment.dotted import numbers
from pipeline.stages.dvc_lock import dvc_md5

_METRICS = "metrics.json"
Metrics = Literal["same", "within tolerance", "differs", "not found"]
Verdict = Literal["reproduced", "same results, different bytes", "within tolerance", "not reproduced"]
# Which epoch was best, and how likely chance is, follow from the errors, and jump where these move by their rounding.
_FOLLOWING = ("epoch", "step", "p_value")
# The worst decides; a run whose claimed numbers are not known is not called reproduced.
_VERDICTS: dict[Metrics, Verdict] = {
    "differs": "not reproduced",
    "not found": "not reproduced",
    "within tolerance": "within tolerance",
    "same": "same results, different bytes",
}


@dataclass(frozen=True)
class Comparison:
    """One output: what was claimed, what came out.

    Attributes:
        stage: Address of the run.
        path: The output, in the repository.
        claimed: DVC's hash of it in the committed dvc.lock, or in the kept result.
        reproduced: DVC's hash of what the rerun wrote.
        metrics: How the numbers of its metrics.json compare; `not found` where those that were claimed are not known,
            None where the output has none that count.
        numbers: Metric -> (claimed, reproduced), of those that differ, the most first.
    """

    stage: str
    path: str
    claimed: str
    reproduced: str
    metrics: Metrics | None
    numbers: Mapping[str, tuple[float, float]]

    @property
    def same_bytes(self) -> bool:
        """Whether the output is equal byte by byte."""
        return self.claimed == self.reproduced


def judged(outputs: Sequence[Comparison]) -> Verdict:
    """Put the comparisons of several outputs together: all bytes are the same, or the numbers decide.

    Where bytes differ and no output has numbers, nothing says that the results are the same: `not reproduced`.
    """
    if _all_same(outputs):
        return "reproduced"
    found = {each.metrics for each in outputs}
    for metrics, verdict in _VERDICTS.items():
        if metrics in found:
            return verdict
    return "not reproduced"


def _all_same(outputs: Sequence[Comparison]) -> bool:
    return all(each.same_bytes for each in outputs)


@dataclass(frozen=True)
class Certificate:
    """What was claimed, what was reproduced, and where.

    Attributes:
        claim: The file that claims it, dvc.lock or a kept result.
        commit: The commit whose files were rerun.
        left_out: Whether the tree has changes that are not committed and were not rerun; None where Git cannot tell.
        tolerance: How far numbers may differ, relative to the larger of 1 and the claimed number.
        outputs: One comparison an output.
        machine: Versions and machine of the rerun.
        claimed_on: The same of the run that is claimed, where that is known.
    """

    claim: str
    commit: str
    left_out: bool | None
    tolerance: float
    outputs: tuple[Comparison, ...]
    machine: Mapping[str, str]
    claimed_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Of all outputs together."""
        return judged(self.outputs)

    @property
    def stages(self) -> dict[str, Verdict | Literal["different bytes"]]:
        """Address -> verdict; `different bytes` for a stage without numbers, which leaves the results to the others."""
        found: dict[str, list[Comparison]] = {}
        for each in self.outputs:
            found.setdefault(each.stage, []).append(each)
        return {
            stage: judged(outputs) if any(each.metrics for each in outputs) or _all_same(outputs) else "different bytes"
            for stage, outputs in found.items()
        }

    def as_json(self) -> str:
        """The certificate as JSON."""
        return json.dumps(asdict(self) | {"stages": self.stages, "verdict": self.verdict}, indent=1)


def compared(
    stage: str,
    folder: Path,
    path: str,
    claimed: str,
    *,
    before: Callable[[], Mapping[str, float] | None] | None,
    tolerance: float,
) -> Comparison:
    """Compare one output with what is claimed of it.

    Args:
        stage: Address of the run.
        folder: Where it was rerun.
        path: The output below it.
        claimed: DVC's hash.
        before: Returns the claimed numbers of its metrics.json, None where they are not known; asked if bytes differ.
            None of an output without numbers that count.
        tolerance: How far numbers may differ, relative to the larger of 1 and the claimed number.
    """
    reproduced = dvc_md5(folder / path) or "nothing"
    if before is None or reproduced == claimed:
        return Comparison(stage, path, claimed, reproduced, "same" if before else None, {})
    old, new = before(), _written_numbers(folder / path)
    if old is None:
        return Comparison(stage, path, claimed, reproduced, "not found", {})
    pairs = {name: (old.get(name, math.nan), new.get(name, math.nan)) for name in {**old, **new}}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    near = all(
        abs(after - first) <= tolerance * max(1.0, abs(first)) or (name.endswith(_FOLLOWING) and not math.isnan(after))
        for name, (first, after) in differing.items()
    )
    ordered = dict(sorted(differing.items(), key=lambda each: -_distance(*each[1])))
    found: Metrics = "same" if not differing else "within tolerance" if near else "differs"
    return Comparison(stage, path, claimed, reproduced, found, ordered)


def _written_numbers(path: Path) -> dict[str, float]:
    """Read the numbers of an output that is a metrics.json, or a folder with one; none where it was not written."""
    metrics = path if path.name == _METRICS else path / _METRICS
    return numbers(json.loads(metrics.read_text(encoding="utf-8"))) if metrics.is_file() else {}


def _distance(old: float, new: float) -> float:
    distance = abs(new - old) / max(1.0, abs(old))
    return math.inf if math.isnan(distance) else distance
