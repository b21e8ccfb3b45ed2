"""How often a model errs on corrupted test images of CIFAR-10, against clean ones; by default that of the package.

    alexnet use cifar10 --source-folder FOLDER && dvc repro preprocess@native
    python -m benchmarks.corruptions                    # started again, it goes on where it was
    python -m benchmarks.corruptions --view ten_crop --only none --only "JPEG, quality 75"
    python -m benchmarks.corruptions --model models/jpeg

Prints a row for each corruption. Those of the whole test split of CIFAR-10 also go into
benchmarks/results/corruptions.csv, next to those of other models, views and machines, and docs/models.md is rendered;
rows of another model of the same name go. Every image is corrupted at its own 32 x 32 pixels, before the views are cut;
Pillow does it, and NumPy draws the noise. The model computes in float32, which every machine has. A difference is that
from the same images as they are, with a paired bootstrap interval.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from alexnet_tf.data.npy_file import save_npy
from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.errors import AlexNetError
from alexnet_tf.metrics.significance import paired_difference, wilson_interval
from alexnet_tf.metrics.top_k import CONFIDENCE, VIEWS
from benchmarks import pages, results
from benchmarks.machine import describe
from pipeline.commands.base import Command
from pipeline.environment.workspace import scratch_of
from pipeline.results.pretrained import LOSS, folder_of, names

if TYPE_CHECKING:
    import tensorflow as tf

    from alexnet_tf.models.classifier import Classifier

RECORDS = results.ROOT / "data" / "records" / "native"
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TEST_IMAGES = 10_000  # of CIFAR-10; rows of others or of fewer do not go onto the page
CLEAN = "none"
_FIGURES = ("error", "low", "high", "difference", "difference_low", "difference_high")
COLUMNS = ("model", "corruption", "view", "images", *_FIGURES, "model_hash")
_MODEL_FILES = ("model.json", "mean.npy", "weights.safetensors")
_BOOTSTRAP_SAMPLES = 2000
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def _jpeg(quality: int, subsampling: str = "4:2:0") -> Change:
    def change(image: Image.Image, _: np.random.Generator) -> Image.Image:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, subsampling=subsampling)
        return Image.open(stream).convert("RGB")

    return change


def _noise(stddev: float) -> Change:
    def change(image: Image.Image, generator: np.random.Generator) -> Image.Image:
        pixels = np.asarray(image) + generator.normal(0, stddev, (image.height, image.width, 3))
        return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))

    return change


def _pixelated(side: int) -> Change:
    def change(image: Image.Image, _: np.random.Generator) -> Image.Image:
        return image.resize((side, side), Image.Resampling.BOX).resize(image.size, Image.Resampling.NEAREST)

    return change


CHANGES: dict[str, Change] = {
    CLEAN: lambda image, _: image,
    "JPEG, quality 90": _jpeg(90),
    "JPEG, quality 75": _jpeg(75),
    "JPEG, quality 75, all colours kept (4:4:4)": _jpeg(75, "4:4:4"),
    "JPEG, quality 50": _jpeg(50),
    "JPEG, quality 25": _jpeg(25),
    "noise, σ 4 of 255": _noise(4),
    "noise, σ 8 of 255": _noise(8),
    "noise, σ 16 of 255": _noise(16),
    "Gaussian blur, σ 0.5 pixels": lambda image, _: image.filter(ImageFilter.GaussianBlur(0.5)),
    "Gaussian blur, σ 1 pixel": lambda image, _: image.filter(ImageFilter.GaussianBlur(1)),
    "pixelated, 24 x 24": _pixelated(24),
    "pixelated, 16 x 16": _pixelated(16),
    "brightness × 0.5": lambda image, _: ImageEnhance.Brightness(image).enhance(0.5),
    "brightness × 1.5": lambda image, _: ImageEnhance.Brightness(image).enhance(1.5),
    "contrast × 0.5": lambda image, _: ImageEnhance.Contrast(image).enhance(0.5),
    "contrast × 1.5": lambda image, _: ImageEnhance.Contrast(image).enhance(1.5),
    "no colour": lambda image, _: image.convert("L").convert("RGB"),
}


@dataclass
class Images:
    """Images in memory, for `evaluate`: pixels (N, S, S, 3) uint8, labels (N,) int32."""

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def num_examples(self) -> int:
        return len(self.pixels)

    def read(self, indices: np.ndarray) -> np.ndarray:
        return self.pixels[indices]


def corrupted(images: Images, change: Change) -> Images:
    """Change every image; the noise of image n depends on n alone."""
    pixels = [
        np.asarray(change(Image.fromarray(image), np.random.default_rng(n))) for n, image in enumerate(images.pixels)
    ]
    return Images(np.stack(pixels), images.labels)


def model_folder(model: str) -> Path:
    """Find a trained model by its folder or, if it is kept, by its name.

    Raises:
        click.BadParameter: It is neither.
    """
    if (Path(model) / "model.json").is_file():
        return Path(model).resolve()
    if model in (known := names(results.ROOT)):
        return folder_of(results.ROOT, model)
    raise click.BadParameter(
        f"expected the folder of a trained model, such as models/optimized, or a kept one ({', '.join(known)}), "
        f"got {model}",
        param_hint="--model",
    )


def in_float32(folder: Path, strategy: "tf.distribute.Strategy") -> "Classifier":
    """Read a model, whatever it was trained in."""
    from alexnet_tf.models.classifier import Classifier, read_classifier
    from alexnet_tf.models.networks import build
    from alexnet_tf.models.weights import assign_arrays, model_arrays

    with strategy.scope():
        read = read_classifier(folder)
        model = build(read.model.spec, crop_size=read.crop_size, num_classes=len(read.class_names))
    assign_arrays(model, model_arrays(read.model), source=str(folder))
    return Classifier(model, read.views, read.class_names, "float32")


def hash_of(*contents: bytes) -> str:
    """Return what tells contents apart, in 12 digits."""
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]


def right(classifier: "Classifier", images: Images, view: str, strategy: "tf.distribute.Strategy") -> np.ndarray:
    """Return which images the model names by their labels, (N,) bool."""
    from alexnet_tf.devices.inference import Inference
    from alexnet_tf.evaluation.evaluate import evaluate
    from alexnet_tf.metrics.top_k import join, score_center
    from alexnet_tf.models.views import center_logits

    if view == "ten_crop":
        found = evaluate(classifier, images, batch_size=250, strategy=strategy, advance=lambda _: None)
        return found.predictions[view].correct(1)

    model, views = classifier.model, classifier.views
    inference = Inference(lambda pixels: center_logits(model, views, pixels), strategy=strategy, batch_size=1000)
    logits = inference.logits(images)
    return join(score_center(logits, images.labels)).correct(1)


def scratch(model: Path, images: Images) -> Path:
    """Make the folder of what was measured before, which is that of these files, pixels, versions and this code."""
    files = (*(model / name for name in _MODEL_FILES), Path(__file__))
    about = hash_of(*(path.read_bytes() for path in files), images.pixels.tobytes(), "; ".join(describe()).encode())
    folder = scratch_of(results.ROOT) / "corruptions" / about
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def require_kept(folder: Path, error: float, view: str) -> None:
    """Stop if the clean images give another error than those on which a model was kept, rounding aside."""
    kept = json.loads((folder / LOSS).read_text())["test"][view]["top1_error_after"]
    if abs(error - kept) > 0.001:
        raise AlexNetError(
            f"clean images have an error of {error:.4f}, expected {kept:.4f}: these are not the records of "
            "experiments/cifar10.yaml; `alexnet use cifar10` and `dvc repro preprocess@native` make them"
        )


def row(model: Path, corruption: str, view: str, found: np.ndarray, clean: np.ndarray) -> dict[str, str]:
    """Return a row of the CSV, of which images are right and which are when they are clean, (N,) bool."""
    model_hash = hash_of(*((model / name).read_bytes() for name in _MODEL_FILES))
    error = 1 - float(found.mean())
    interval = wilson_interval(error, len(found), confidence=CONFIDENCE)
    paired = paired_difference(baseline=clean, model=found, confidence=CONFIDENCE, num_samples=_BOOTSTRAP_SAMPLES)
    values = (error, *interval, paired.difference, paired.low, paired.high)
    figures = (f"{value:.4f}" for value in values)
    return dict(zip(COLUMNS, (model.name, corruption, view, str(len(found)), *figures, model_hash), strict=True))


def keep(rows: Sequence[dict[str, str]]) -> None:
    """Write rows into the CSV: of a model, corruption and view the latest, in the order of the corruptions.

    Rows of a corruption that is not in `CHANGES` any more go, and those of another model of the name of a new one. One
    without a hash is taken for the same.
    """
    order, hashes = list(CHANGES), {each["model"]: each["model_hash"] for each in rows}
    known = [
        {name: each.get(name, "") for name in (*COLUMNS, "machine")}
        for each in results.load("corruptions")[1]
        if each["corruption"] in CHANGES
        and (not each.get("model_hash") or each["model_hash"] == hashes.get(each["model"], each["model_hash"]))
    ]
    new = [each | {"machine": "; ".join(describe())} for each in rows]
    whole = {(each["model"], order.index(each["corruption"]), each["view"]): each for each in (*known, *new)}
    results.write("corruptions", [each for _, each in sorted(whole.items(), key=lambda item: item[0])])


@click.command(cls=Command)
@click.option("--model", default="cifar10", show_default=True, help="A kept model, or the folder of a trained one.")
@click.option("--view", default="center", show_default=True, type=click.Choice(VIEWS))
@click.option("--only", "chosen", multiple=True, type=click.Choice(list(CHANGES)), help="A row; by default all.")
@click.option("--records", default=RECORDS, show_default="data/records/native", type=click.Path(path_type=Path))
@click.option(
    "--images", default=TEST_IMAGES, show_default=True, type=click.IntRange(1), help="The first of the test split."
)
def main(model: str, view: str, chosen: tuple[str, ...], records: Path, images: int) -> None:
    """Measure what is not measured yet, and print the rows."""
    from alexnet_tf.devices.strategy import make_strategy

    trained = model_folder(model)
    split = RecordDataset.open(records, "test")
    indices = np.arange(min(images, split.num_examples))
    original = Images(split.read(indices), split.labels[indices])
    strategy = make_strategy([])
    classifier = in_float32(trained, strategy)
    classifier.require_trained_on(split)
    folder = scratch(trained, original)
    found: dict[str, np.ndarray] = {}
    rows = []
    for name in dict.fromkeys((CLEAN, *(chosen or CHANGES))):
        path = folder / f"{view}-{hash_of(name.encode())}.npy"
        if not path.exists():
            save_npy(path, right(classifier, corrupted(original, CHANGES[name]), view, strategy))
        found[name] = np.load(path)
        if name == CLEAN and len(indices) == split.num_examples and (trained / LOSS).exists():
            require_kept(trained, 1 - float(found[name].mean()), view)
        rows.append(row(trained, name, view, found[name], found[CLEAN]))
        click.echo(" ".join(rows[-1].values()))
    if len(indices) == TEST_IMAGES and tuple(split.class_names) == CIFAR10:
        keep(rows)
        pages.main()


if __name__ == "__main__":
    main()
