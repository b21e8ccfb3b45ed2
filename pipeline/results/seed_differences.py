"""How many points a variant errs more or less than the baseline, seed by seed: kept results, for docs/results.md."""

import statistics
from collections.abc import Sequence

from alexnet_tf.errors import DataError
from pipeline.results.groups import as_in_the_file
from pipeline.results.kept import Result

_ERRORS = {
    "ten crops": "test/ten_crop/top1_error",
    "the centre crop": "test/center/top1_error",
    "the training images as augmented, last epoch": "train/last/train_top1_error",
}


def differences(groups: Sequence[Sequence[Result]], baseline: str) -> str:
    """Lay out each variant's errors less those of the baseline with the same seed, in points; below 0 it errs less.

    Args:
        groups: An experiment's results, as `grouped` has them; those with changes are left out.
        baseline: The variant to compare with.

    Raises:
        DataError: A variant and the baseline have no seed in common, or results of one do not belong together.
    """
    variants = sorted({group[0].variant for group in groups} - {baseline})
    header = ["variant", "baseline", "top-1 error of", "seeds", "difference by seed, points", "mean"]
    lines = [header, ["---"] * len(header)]
    for variant in variants:
        own, base = (_by_seed(groups, name) for name in (variant, baseline))
        if not (seeds := sorted(own.keys() & base.keys())):
            raise DataError(
                f"no result of {variant} has a seed of one of {baseline} with the parameters of the experiment's file, "
                "so there is no difference; run both with one seed"
            )
        for words, metric in _ERRORS.items():
            points = [100 * (own[seed].metrics[metric] - base[seed].metrics[metric]) for seed in seeds]
            each = ", ".join(_signed(value) for value in points)
            spread = f" ± {statistics.stdev(points):.2f}" if len(points) > 1 else ""
            mean = f"{_signed(statistics.mean(points))}{spread}"
            lines.append([f"`{variant}`", f"`{baseline}`", words, ", ".join(map(str, seeds)), each, mean])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _by_seed(groups: Sequence[Sequence[Result]], variant: str) -> dict[int, Result]:
    return {each.seed: each for each in as_in_the_file(groups, lambda result: result.variant == variant)}


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
