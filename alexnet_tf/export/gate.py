"""Whether a model is good enough to be exported: rules that hold whole intervals, not lucky values, to their bounds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from alexnet_tf.metrics.correctness import Correctness, named_images, same_images
from alexnet_tf.metrics.significance import paired_difference, wilson_interval

ERROR, BITS = "ten_crop.top1_error", "ten_crop_top1"


@dataclass(frozen=True)
class Rule:
    """One rule and what became of it.

    Attributes:
        name: The parameter below `gate` that sets the bound.
        metric: What is judged.
        value: What was measured; None where nothing could be.
        low: Low end of its interval.
        high: High end; the rule passes when this is at most the bound.
        bound: From the parameters.
        verdict: `skipped` rules are no obstacle.
        reason: Of a skipped rule.
    """

    name: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    bound: float
    verdict: Literal["pass", "fail", "skipped"]
    reason: str = ""

    def sentence(self) -> str:
        """Say what a rule that was judged allows, and what it found."""
        return (
            f"{self.metric} is {self.value:.4f} and may be up to {self.high:.4f},"
            f" where at most {self.bound:.4f} is allowed (gate.{self.name})"
        )


def judge(
    metrics: Mapping[str, Any],
    found: Correctness,
    champion: Correctness | None,
    *,
    max_top1_error: float,
    champion_margin: float,
    confidence: float,
    bootstrap_samples: int,
) -> list[Rule]:
    """Hold an evaluation against its bounds.

    Args:
        metrics: Of the evaluation, as metrics.json holds them.
        found: What the model got right.
        champion: What the present champion got right; None without one.
        max_top1_error: Highest ten-crop top-1 error, a fraction.
        champion_margin: How much higher than the champion's it may be, a fraction; on the same images.
        confidence: Of both intervals, whose high ends are judged.
        bootstrap_samples: Behind the interval of the difference.

    Returns:
        Both rules. Without a champion, or with one that was tested on other images, the second is skipped.
    """
    error = metrics["ten_crop"]["top1_error"]
    low, high = wilson_interval(error, metrics["num_examples"], confidence=confidence)
    verdict = "pass" if high <= max_top1_error else "fail"
    absolute = Rule("max_top1_error", ERROR, error, low, high, max_top1_error, verdict)
    metric = f"{ERROR} minus the champion's"
    reason = ""
    if champion is None:
        reason = "there is no champion yet"
    elif not same_images(champion, found):
        reason = f"the champion was tested on different images ({named_images(champion)}, here {named_images(found)})"
    if champion is None or reason:
        return [absolute, Rule("champion_margin", metric, None, None, None, champion_margin, "skipped", reason)]
    pair = paired_difference(
        baseline=champion.right[BITS], model=found.right[BITS], confidence=confidence, num_samples=bootstrap_samples
    )
    verdict = "pass" if pair.high <= champion_margin else "fail"
    against = Rule("champion_margin", metric, pair.difference, pair.low, pair.high, champion_margin, verdict)
    return [absolute, against]


def blessing(rules: list[Rule], *, confidence: float) -> dict[str, Any]:
    """Put the verdict together, plain values for JSON: blessed is what no rule fails."""
    return {
        "blessed": all(rule.verdict != "fail" for rule in rules),
        "confidence": confidence,
        "rules": [{key: value for key, value in asdict(rule).items() if value != ""} for rule in rules],
    }
