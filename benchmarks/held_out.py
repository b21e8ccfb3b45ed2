"""The errors of trained models on the held-out images, to choose by: with the centre crop and with ten crops.

    dvc exp run -S download.validation_share=0.1 -S variants.optimized.KEY=VALUE train@optimized
    python -m benchmarks.held_out models/optimized
    python -m benchmarks.held_out models/optimized /tmp/models/before    # and the difference, image by image

A training reports the centre crop alone. With ten crops, which is what counts in the end, an advantage may be gone
(docs/log.md, 2026-11-29). The test images are not looked at. The records have to be those that the models were trained
on: with a smaller download.validation_share, some of these images were trained on, and nothing here notices.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.errors import DataError
from alexnet_tf.metrics.significance import paired_difference, wilson_interval
from alexnet_tf.metrics.top_k import CONFIDENCE, VIEW_NAMES
from alexnet_tf.wording import percent_with_interval, points_with_interval
from benchmarks.results import ROOT
from pipeline.commands.base import Command

_BOOTSTRAP_SAMPLES = 2000


@click.command(cls=Command)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--records",
    default=ROOT / "data/records/native",
    show_default="data/records/native",
    type=click.Path(path_type=Path),
    help="Folder of `preprocess`.",
)
@click.option("--batch-size", default=250, show_default=True, type=click.IntRange(1), help="Images at once.")
def main(models: tuple[Path, ...], records: Path, batch_size: int) -> None:
    """Score MODELS, folders such as models/optimized, on the held-out images; the first is compared with the others."""
    for line in lines(models, records, batch_size):
        click.echo(line)


def lines(models: Sequence[Path], records: Path, batch_size: int) -> Iterator[str]:
    """Yield a line for each model and view.

    Raises:
        DataError: A folder holds no model, or one of other classes or image sizes, or no image is held out.
    """
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.evaluate import evaluate
    from alexnet_tf.models.classifier import read_classifier
    from pipeline.environment.progress import progress_for

    split = RecordDataset.open(records, "validation")
    if split.num_examples == 0:
        raise DataError(f"{records}: no image is held out; set download.validation_share and run `dvc repro` again")
    strategy, first = make_strategy(), {}
    for folder in models:
        with strategy.scope():
            classifier = read_classifier(folder)
        classifier.require_trained_on(split)
        with progress_for().task(str(folder), total=split.num_examples, unit="images") as task:
            found = evaluate(classifier, split, batch_size=batch_size, strategy=strategy, advance=task.advance)
        for view, scored in found.predictions.items():
            error, right = scored.error(1), scored.correct(1)
            low, high = wilson_interval(error, split.num_examples, confidence=CONFIDENCE)
            shown = percent_with_interval(error, low, high, digits=2)
            line = f"{folder}, {VIEW_NAMES[view]}: {shown} of {len(right):,}"
            if view in first:
                pair = paired_difference(
                    baseline=first[view], model=right, confidence=CONFIDENCE, num_samples=_BOOTSTRAP_SAMPLES
                )
                apart = points_with_interval(pair.difference, pair.low, pair.high, digits=2)
                line += f"; {apart} points from {models[0]}"
            first.setdefault(view, right)
            yield line


if __name__ == "__main__":
    main()
