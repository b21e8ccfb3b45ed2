"""Score a trained model on the test split.

Reads:
    records: the folder of `preprocess`, of which the split `test` is scored.
    model: the folder of `train`.

Writes `report/`:
    metrics.json: `num_examples`; for `center` and `ten_crop` the `top1_error` and `top5_error` (fractions in
        [0, 1], each with `_low` and `_high`, a 95 % Wilson interval) and the `mean_loss` in nats. With fewer
        than five classes there is no top-5 error, here or in any other file.
    correct.npz: which images are right: `num`, `keys_sha256` (of the sorted keys, one a line), and bits
        packed by `numpy.packbits` in the order of the sorted keys: `center_top1`, `center_top5`,
        `ten_crop_top1`, `ten_crop_top5`. An image counts as right if it is however ties are broken.
    per_class.csv: errors of each class, the ten-crop top-1 error with its interval.
    confusion.csv: true class, predicted class, number of images (ten crops); pairs that occur.
    predictions.csv: one row an image in the order of the records.
    conv1_kernels.png, confusion.png: figure 3 of the paper, and the confusion matrix.

Guarantees:
    Both ways of looking use the same weights and the same ten forward passes; ten crops are averaged as
    probabilities. Each image counts once, whatever the batch size and the number of replicas. Ties count as
    in the 2012 code: a constant predictor is right on 1/K of the images, and on 5/K with five guesses.

Fails when:
    the records or the model are broken, the test split is empty, the model has other classes than the
    records, or its outputs are not finite.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from components.interfaces import Runtime, StageParams


@dataclass(frozen=True)
class Inputs:
    """What the stage reads."""

    records: Path
    model: Path


@dataclass(frozen=True)
class Outputs:
    """What the stage writes."""

    report: Path


class Params(StageParams):
    """What changes the result.

    Attributes:
        batch_size: Global: images, of ten views each, that are on the devices at once.
    """

    batch_size: Annotated[int, Field(ge=1)]


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> None:
    """Score the test split and write the report."""
    from alexnet_tf import evaluation_report
    from alexnet_tf.bundle import load_bundle
    from alexnet_tf.distribution import make_strategy
    from alexnet_tf.errors import DataError
    from alexnet_tf.evaluation import evaluate
    from alexnet_tf.figures import confusion_matrix, kernel_grid
    from alexnet_tf.record_split import RecordSplit

    split = RecordSplit.open(inputs.records, "test")
    if split.num_examples == 0:
        raise DataError(f"{inputs.records}: the test split holds no image, so there is nothing to evaluate.")
    strategy = make_strategy(runtime.devices)
    with strategy.scope():
        bundle = load_bundle(inputs.model)
    class_names = list(bundle.class_names)
    if class_names != list(split.class_names):
        raise DataError(
            f"{inputs.model} knows {len(class_names)} classes ({class_names[0]} ...) but {inputs.records}"
            f" holds {len(split.class_names)} ({split.class_names[0]} ...): train the model on these records."
        )
    started = time.perf_counter()
    with runtime.progress.task("evaluate", total=split.num_examples, unit="images") as task:
        predictions = evaluate(bundle, split, batch_size=params.batch_size, strategy=strategy, advance=task.advance)
    seconds = time.perf_counter() - started

    outputs.report.mkdir()
    metrics = evaluation_report.write(outputs.report, predictions, split, class_names)
    counts = evaluation_report.confusion(predictions["ten_crop"], split.labels, num_classes=len(class_names))
    (outputs.report / "confusion.png").write_bytes(confusion_matrix(counts, class_names, title="Ten crops, test split"))
    kernels = bundle.model.get_layer("conv1").kernel.numpy()
    towers = getattr(bundle.model.spec, "towers", 1)
    (outputs.report / "conv1_kernels.png").write_bytes(kernel_grid(kernels, towers=towers))

    for view in evaluation_report.VIEWS:
        runtime.tracker.metrics(
            {
                f"test/{name}_{view}": value
                for name, value in metrics[view].items()
                if not name.endswith(("_low", "_high"))
            }
        )
    runtime.tracker.metrics({"cost/seconds": seconds, "cost/images_per_second": split.num_examples / seconds})
    runtime.tracker.tags({"devices": ", ".join(strategy.extended.worker_devices)})
    for path in sorted(outputs.report.iterdir()):
        runtime.tracker.artifact(path, folder="evaluation")
