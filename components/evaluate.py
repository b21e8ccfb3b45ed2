"""Score a trained model on the test split.

Reads:
    records: the folder of `preprocess`. The split `test` is scored, and so are centre crops of `train`, from which the
        neighbours are.
    model: the folder of `train`.

Writes `report/`:
    metrics.json: `num_examples`; for `center` and `ten_crop` the `top1_error` and `top5_error` (fractions in
        [0, 1], each with `_low` and `_high`, a 95 % Wilson interval), the `mean_loss` in nats and the expected
        `calibration_error`. With five classes or fewer there is no top-5 error, here or in any other file.
        `ten_crop_less_center` has the `top1_difference`, the error of ten crops less that of the centre crop, image by
        image, where a tie counts as wrong; `_low` and `_high` of a 95 % bootstrap interval; and McNemar's `p_value`.
        `training_images` has the errors and the `mean_loss` of the centre crops of training images, evenly spread, as
        many as there are test images, and their `num_examples`.
        `conv1` has `colour_share_tower1` (and 2) of the kernels (figure 3), and `towers_apart_p_value`, how often
        a random division of the kernels separates the towers as far; `neighbours`, unless `neighbour_pool` is 0, which
        share of the six training images nearest to a test image is of its class (figure 4), in the last hidden layer
        (`same_class_last_hidden`) and by pixels (`same_class_pixels`), and `num_queries`, `num_candidates`.
    correct.npz: which images are right: `num`, `keys_sha256` (of the sorted keys, one a line), `source_digest` (of the
        raw images, from the records), and bits packed by `numpy.packbits` in the order of the sorted keys:
        `center_top1`, `center_top5`, `ten_crop_top1`, `ten_crop_top5`. An image counts as right only if every way to
        break ties makes it right.
    per_class.csv: errors of each class, the ten-crop top-1 error with its interval.
    confusion.csv: true class, predicted class, number of images (ten crops); pairs that occur.
    predictions.csv: one row an image in the order of the records.
    slices.csv: ten-crop errors by size and shape of the original image and by brightness (`alexnet_tf.metrics.slices`).
    calibration.csv: for each of 15 bins of the highest probability, the number of images, their mean probability and
        their accuracy.
    gallery.json: what the pictures show, in words: `unselected`, `best`, `worst`, `neighbours`, and `occlusion`, how
        the answers to the unselected change when a part of the image is hidden (`alexnet_tf.evaluation.occlusion`).
    gallery.png: the pictures of gallery.json without words, small: one row for each list, in alphabetical order, and
        one for each query of `neighbours`.
    top5_unselected.png, top5_best.png, top5_worst.png: figure 4, left: eight images each with their five most
        probable classes; which, in `alexnet_tf.evaluation.gallery`.
    neighbours.png: figure 4, right: five test images and the training images nearest in the last hidden layer;
        not written with `neighbour_pool` 0.
    conv1_kernels.png, confusion.png, calibration.png: figure 3 of the paper, the confusion matrix, the
        reliability diagram.

Guarantees:
    Both ways of looking use the same weights and the same ten forward passes; ten crops are averaged as
    probabilities. Each image counts once, whatever the batch size and the number of replicas. Ties count as
    in the 2012 code: a constant predictor is right on 1/K of the images, and on 5/K with five guesses.

Fails when:
    the records or the model are broken, the test split is empty, the model was trained on other classes or images of
    another size than those of the records, or its weights or outputs are not finite.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from alexnet_tf.errors import DataError
from components.interfaces import Runtime, StageParams

if TYPE_CHECKING:
    import numpy as np

    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.evaluation.evaluate import Evaluated
    from alexnet_tf.evaluation.neighbours import Neighbourhood
    from alexnet_tf.models.classifier import Classifier


_BOOTSTRAP_SAMPLES = 2000


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
        neighbour_pool: Training images, evenly spread, among which neighbours are looked for; each costs one
            view, so 1,000 cost as much as 100 test images. 0: none are looked for.
    """

    batch_size: Annotated[int, Field(ge=1)]
    neighbour_pool: Annotated[int, Field(ge=0)]


def run(inputs: Inputs, outputs: Outputs, params: Params, runtime: Runtime) -> str:
    """Score the test split and write the report."""
    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation import tables
    from alexnet_tf.evaluation.evaluate import evaluate, evaluate_training_images
    from alexnet_tf.models.classifier import read_classifier

    split = RecordDataset.open(inputs.records, "test")
    if split.num_examples == 0:
        raise DataError(f"{inputs.records}: the test split holds no image, so there is nothing to evaluate.")
    split.keys()  # what is wrong with them is better known before the scoring
    strategy = make_strategy(runtime.devices)
    with strategy.scope():
        classifier = read_classifier(inputs.model)
    classifier.require_trained_on(split)
    started = time.perf_counter()
    with runtime.progress.task("evaluate", total=split.num_examples, unit="images") as task:
        evaluated = evaluate(classifier, split, batch_size=params.batch_size, strategy=strategy, advance=task.advance)
    seconds = time.perf_counter() - started

    train = RecordDataset.open(inputs.records, "train")
    near = _neighbourhood(classifier, split, train, params, runtime) if params.neighbour_pool else None
    others = _figure_metrics(classifier, near) | {"ten_crop_less_center": _gain(evaluated)}
    num_images = min(train.num_examples, split.num_examples)
    with runtime.progress.task("evaluate training images", total=num_images, unit="images") as task:
        scored = evaluate_training_images(
            classifier,
            train,
            num_images=num_images,
            batch_size=params.batch_size,
            strategy=strategy,
            advance=task.advance,
        )
    others["training_images"] = {"num_examples": num_images} | scored.metrics()

    outputs.report.mkdir()
    metrics = tables.write(outputs.report, evaluated, split, others=others)
    _draw(outputs.report, evaluated, classifier, split, metrics)
    _write_gallery(outputs.report, evaluated, classifier, split, near)

    # The errors are in metrics.json, which the tracker reads.
    runtime.tracker.metrics({"cost/images_per_second": split.num_examples / seconds})
    runtime.tracker.tags({"devices": ", ".join(strategy.extended.worker_devices)})
    for path in sorted(outputs.report.iterdir()):
        runtime.tracker.artifact(path, folder="evaluation")
    return _found(metrics)


def _found(metrics: dict[str, Any]) -> str:
    from alexnet_tf.metrics.top_k import CONFIDENCE
    from alexnet_tf.wording import error_with_interval

    def error(view: str) -> str:
        return error_with_interval(metrics[view], "top1_error")

    return (
        f"top-1 error {error('ten_crop')} with ten crops, {error('center')} with the centre crop, of "
        f"{metrics['num_examples']:,} test images; {100 * CONFIDENCE:g} % intervals"
    )


def _neighbourhood(
    classifier: "Classifier", split: "RecordDataset", pool: "RecordDataset", params: Params, runtime: Runtime
) -> "Neighbourhood":
    from alexnet_tf.evaluation import gallery, neighbours

    num_candidates = min(params.neighbour_pool, pool.num_examples)
    with runtime.progress.task("look for neighbours", total=num_candidates, unit="images") as task:
        return neighbours.search(
            classifier,
            split,
            pool,
            shown=gallery.queries(split.labels),
            num_candidates=num_candidates,
            batch_size=params.batch_size,
            advance=task.advance,
        )


def _figure_metrics(classifier: "Classifier", near: "Neighbourhood | None") -> dict[str, Any]:
    from alexnet_tf.evaluation.towers import colour_shares, towers_apart_p_value

    kernels, towers = _conv1(classifier)
    shares = enumerate(colour_shares(kernels, towers), start=1)
    conv1 = {f"colour_share_tower{tower}": share for tower, share in shares}
    if towers > 1:
        conv1["towers_apart_p_value"] = towers_apart_p_value(kernels, towers)
    return {"conv1": conv1} | ({"neighbours": near.metrics} if near else {})


def _gain(evaluated: "Evaluated") -> dict[str, float]:
    from alexnet_tf.metrics.significance import paired_difference
    from alexnet_tf.metrics.top_k import CONFIDENCE

    right = {view: scored.correct(1) for view, scored in evaluated.predictions.items()}
    pair = paired_difference(
        baseline=right["center"], model=right["ten_crop"], confidence=CONFIDENCE, num_samples=_BOOTSTRAP_SAMPLES
    )
    name = "top1_difference"
    return {name: pair.difference, f"{name}_low": pair.low, f"{name}_high": pair.high, "p_value": pair.p_value}


def _conv1(classifier: "Classifier") -> "tuple[np.ndarray, int]":
    return classifier.model.get_layer("conv1").kernel.numpy(), getattr(classifier.model.spec, "towers", 1)


def _draw(folder: Path, evaluated: "Evaluated", classifier: "Classifier", split: "RecordDataset", metrics: Any) -> None:
    from alexnet_tf.evaluation.figures import confusion_matrix, kernel_grid, reliability_diagram
    from alexnet_tf.evaluation.tables import confusion
    from alexnet_tf.metrics.calibration import reliability
    from alexnet_tf.metrics.top_k import VIEW_NAMES, VIEWS

    names = classifier.class_names
    counts = confusion(evaluated.predictions["ten_crop"], split.labels, num_classes=len(names))
    (folder / "confusion.png").write_bytes(confusion_matrix(counts, names, title="Ten crops, test split"))
    (folder / "conv1_kernels.png").write_bytes(kernel_grid(*_conv1(classifier)))
    diagram = reliability_diagram(
        {VIEW_NAMES[view]: reliability(evaluated.predictions[view]) for view in VIEWS},
        {VIEW_NAMES[view]: metrics[view]["calibration_error"] for view in VIEWS},
    )
    (folder / "calibration.png").write_bytes(diagram)


def _write_gallery(
    folder: Path,
    evaluated: "Evaluated",
    classifier: "Classifier",
    split: "RecordDataset",
    near: "Neighbourhood | None",
) -> None:
    import numpy as np

    from alexnet_tf.evaluation import figures, gallery
    from alexnet_tf.evaluation.occlusion import occlusion

    names = {"labels": split.labels, "keys": split.keys(), "class_names": split.class_names}
    described: dict[str, Any] = {}
    rows: dict[str, list[np.ndarray]] = {}
    for kind, positions in gallery.choose(evaluated, split.labels).items():
        described[kind] = gallery.describe(evaluated, positions, **names)
        rows[kind] = [split.read(positions)]
        drawn = figures.top_five(rows[kind][0], described[kind])
        (folder / f"top5_{kind}.png").write_bytes(drawn)
    hidden = occlusion(classifier, rows["unselected"][0])
    described["occlusion"] = gallery.describe_occlusion(hidden, described["unselected"], class_names=split.class_names)
    rows["occlusion"] = [hidden.pictures]
    if near:
        asked = gallery.queries(split.labels)
        described["neighbours"] = gallery.describe_neighbours(
            near.shown, gallery.describe(evaluated, asked, **names), pool=near.pool
        )
        images = [near.pool.read(positions) for positions in near.shown.positions]
        drawn = figures.neighbours(split.read(asked), images, described["neighbours"])
        (folder / "neighbours.png").write_bytes(drawn)
        rows["neighbours"] = [np.stack([query, *found]) for query, found in zip(split.read(asked), images, strict=True)]
    sheet = figures.contact_sheet([row for kind in sorted(rows) for row in rows[kind]])
    (folder / "gallery.png").write_bytes(sheet)
    (folder / "gallery.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
