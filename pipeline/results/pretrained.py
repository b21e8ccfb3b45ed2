"""Keeps a trained model in results/pretrained/NAME, so that `alexnet predict --pretrained NAME` needs no training.

    alexnet results publish optimized cifar10

The model is that of models/VARIANT, compressed (`alexnet_tf.evaluation.compression`). Before it takes its place, both
are scored on the test split; loss.json beside the model says what compression cost.
"""

import json
import shutil
import tempfile
from pathlib import Path

from alexnet_tf.errors import AlexNetError, ConfigError
from alexnet_tf.nearest import nearest
from alexnet_tf.packaged_models import model_names, packaged_models
from alexnet_tf.whole_file import write_json

FOLDER = "results/pretrained"
LOSS = "loss.json"
_MAX_BYTES = 10_000_000


def names(root: Path) -> list[str]:
    """Name the models that are kept and those that come with the package, sorted."""
    return sorted({name for folder in _folders(root) for name in model_names(folder)})


def folder_of(root: Path, name: str) -> Path:
    """Find a model that is kept or comes with the package; a kept one hides one of the same name.

    Raises:
        ConfigError: There is none of that name.
    """
    known = names(root)
    if name not in known:
        raise ConfigError(
            f"--pretrained {name}: expected a model that is published or comes with the package "
            f"({', '.join(known) or 'there is none'}){nearest(name, known)}"
        )
    return next(folder / name for folder in _folders(root) if name in model_names(folder))


def _folders(root: Path) -> tuple[Path, Path]:
    return root / FOLDER, packaged_models()


def sentence(root: Path, name: str) -> str:
    """Say what compressing a model cost, as its loss.json has it.

    Raises:
        ConfigError: There is none of that name.
    """
    said = json.loads((folder_of(root, name) / LOSS).read_text(encoding="utf-8"))
    views, ten_crop = said["test"].values(), said["test"]["ten_crop"]
    size, before = said["bytes_after"] / 1e6, said["bytes_before"] / 1e6
    changed = max(view["classes_changed"] for view in views)
    difference = max(view["largest_probability_difference"] for view in views)
    images = f"On {said['num_examples']:,} test images"
    if changed == 0 == difference:
        loss = (
            f"{images}, no predicted class and no probability of the true class changes, and the ten-crop top-1 "
            f"error stays {100 * ten_crop['top1_error_after']:.2f} %."
        )
    else:
        loss = (
            f"{images}, {changed} predicted classes change, the probability of the true class changes by at most "
            f"{difference:.2g}, and the ten-crop top-1 error is {100 * ten_crop['top1_error_after']:.2f} % instead of "
            f"{100 * ten_crop['top1_error_before']:.2f} %."
        )
    return f"{size:.1f} MB instead of {before:.1f} MB. {loss}"


def keep(root: Path, model: Path, records: Path, target: Path) -> dict:
    """Compress a model, score it before and after, and put it in place.

    Args:
        root: The repository, for names in messages.
        model: As the stage train wrote it.
        records: With the test split.
        target: Replaced as a whole.

    Returns:
        What loss.json says.

    Raises:
        AlexNetError: It is larger than a model in Git may be.
    """
    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.compression import compressed, compression_cost
    from alexnet_tf.evaluation.evaluate import evaluate
    from alexnet_tf.models.classifier import read_classifier, write_classifier
    from alexnet_tf.models.weights import assign_arrays, model_arrays
    from pipeline.environment.progress import progress_for

    split = RecordDataset.open(records, "test")
    strategy = make_strategy([])
    with strategy.scope():
        classifier = read_classifier(model)
    classifier.require_trained_on(split)
    arrays = compressed(model_arrays(classifier.model))
    # Told before an hour of scoring.
    if (least := sum(array.nbytes for array in arrays.values()) // 2) > _MAX_BYTES:
        raise AlexNetError(
            f"{model.relative_to(root)} has {least:,} bytes of weights at best, and a model in Git at most "
            f"{_MAX_BYTES:,}; keep a smaller variant"
        )
    with progress_for().task("score twice", total=2 * split.num_examples, unit="images") as task:
        before = evaluate(classifier, split, batch_size=256, strategy=strategy, advance=task.advance)
        assign_arrays(classifier.model, arrays, source="compression")
        after = evaluate(classifier, split, batch_size=256, strategy=strategy, advance=task.advance)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        made = Path(place) / target.name
        write_classifier(made, classifier, halved=True)
        size = sum(path.stat().st_size for path in made.iterdir())
        if size > _MAX_BYTES:
            raise AlexNetError(
                f"{model.relative_to(root)} takes {size:,} bytes compressed, and a model in Git at most "
                f"{_MAX_BYTES:,}; keep a smaller variant"
            )
        said = {
            "test": compression_cost(before, after),
            "num_examples": split.num_examples,
            "bytes_before": sum(path.stat().st_size for path in model.iterdir()),
            "bytes_after": size,
        }
        write_json(made / LOSS, said)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return said
