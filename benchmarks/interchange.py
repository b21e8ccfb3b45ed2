"""What each exported format gives in each runtime that may read it, against the trained network's own logits.

    python -m pip install -c constraints.txt --group runtimes
    python -m benchmarks.interchange                    # after `dvc repro`; two minutes on two cores

Exports every variant of the active params.yaml in every format, asks each runtime in a process of its own, which may
crash or hang without ending the others, writes benchmarks/results/interchange.csv and renders docs/models.md.
"""

import os
import subprocess
import sys
import tempfile
from importlib import metadata
from itertools import chain
from pathlib import Path

import click
import numpy as np

import alexnet_tf  # noqa: F401 - before TensorFlow, so that it has oneDNN
from alexnet_tf.errors import AlexNetError
from benchmarks import pages, results
from pipeline.commands.base import Command

PACKAGES = {"litert": "ai-edge-litert", "opencv": "opencv-python-headless"}
FORMATS = {  # file -> the runtimes that may read it
    "saved_model": ("tensorflow", "openvino"),
    "model.keras": ("tensorflow",),
    "model.tflite": ("tensorflow", "litert", "openvino", "opencv"),
    "model.onnx": ("onnxruntime", "openvino", "opencv"),
}
COLUMNS = ("variant", "format", "runtime", "version", "images", "outcome", "difference", "largest_logit", "reason")


def versions() -> dict[str, str]:
    """Return the version of every runtime.

    Raises:
        AlexNetError: One is not installed.
    """
    found, missing = {}, []
    for runtime in dict.fromkeys(chain.from_iterable(FORMATS.values())):
        try:
            found[runtime] = metadata.version(PACKAGES.get(runtime, runtime))
        except metadata.PackageNotFoundError:
            missing.append(PACKAGES.get(runtime, runtime))
    if missing:
        raise AlexNetError(
            f"{', '.join(missing)}: not installed; `python -m pip install -c constraints.txt --group runtimes`"
        )
    return found


def export(model: Path, records: Path, images: int, target: Path) -> np.ndarray:
    """Write every format of a model and images in every form; return the network's logits (N, K).

    Args:
        model: Of the stage train.
        records: With the test split, of which the first images are taken.
        images: How many, if the split has them and `agreement.answers` takes so many.
        target: Where the files go.
    """
    import tensorflow as tf

    from alexnet_tf.data.record_dataset import RecordDataset
    from alexnet_tf.export import agreement, onnx_graph, saved_model, tflite
    from alexnet_tf.export.keras_file import save_keras
    from alexnet_tf.models.classifier import read_classifier

    classifier = read_classifier(model)
    split = RecordDataset.open(records, "test")
    stored = split.read(np.arange(min(images, split.num_examples, agreement.MAX_IMAGES)))

    class Chosen:
        num_examples = len(stored)

        def read(self, indices: np.ndarray) -> np.ndarray:
            return stored[indices]

    crops, logits = map(np.concatenate, zip(*agreement.answers(classifier, Chosen()), strict=True))
    np.save(target / "stored.npy", stored)
    np.save(target / "crops.npy", crops)
    np.save(target / "centred.npy", classifier.views.centred(tf.constant(crops)).numpy())
    saved_model.save(classifier, target / "saved_model")
    save_keras(classifier.model, target / "model.keras")
    (target / "model.tflite").write_bytes(tflite.convert(classifier))
    (target / "model.onnx").write_bytes(onnx_graph.convert(classifier))
    return logits


def ask(runtime: str, model: Path, expected: np.ndarray, seconds: float) -> dict[str, str]:
    """Run one runtime; return what came of it, as columns of the CSV."""
    answers = model.parent / "logits.npy"
    answers.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.runtimes", runtime, str(model), str(model.parent)]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        done = subprocess.run(command, cwd=results.ROOT, env=quiet, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"outcome": "hangs", "reason": f"no answer in {seconds:.0f} s"}
    if done.returncode < 0:
        return {"outcome": "crashes", "reason": f"signal {-done.returncode}"}
    if done.returncode:
        return {"outcome": "refuses", "reason": reason(done.stderr)}
    difference = np.abs(np.load(answers) - expected).max()
    return {"outcome": "answers", "difference": f"{difference:.2g}", "largest_logit": f"{np.abs(expected).max():.3g}"}


def reason(text: str) -> str:
    """Return the last line of an error that says something, without folders."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "http" not in line]
    telling = [line for line in lines if any(word in line for word in ("No conversion rule", "Unsupported", "must be"))]
    return " ".join((telling or lines or ["no message"])[-1].rpartition("error: ")[2].split()).removeprefix("-- ")[:120]


@click.command(cls=Command)
@click.option("--images", default=20, show_default=True, type=click.IntRange(1), help="Of the test split, at most 500.")
@click.option("--seconds", default=300.0, show_default=True, help="How long a runtime may take for a file.")
@click.option(
    "--folder", type=click.Path(exists=True, path_type=Path), default=results.ROOT, help="Where models/ and data/ are."
)
def main(images: int, seconds: float, folder: Path) -> None:
    """Measure, write the CSV and render the page."""
    from pipeline.environment.yaml_file import read

    rows, installed = [], versions()
    for variant, values in read(folder / "params.yaml")["variants"].items():
        with tempfile.TemporaryDirectory() as place:
            records = folder / "data" / "records" / values["images"]
            expected = export(folder / "models" / variant, records, images, Path(place))
            for file, runtimes in FORMATS.items():
                for runtime in runtimes:
                    row = dict.fromkeys(COLUMNS, "") | {"variant": variant, "format": file, "runtime": runtime}
                    row |= {"version": installed[runtime], "images": str(len(expected))}
                    rows.append(row | ask(runtime, Path(place) / file, expected, seconds))
                    click.echo(" ".join(f"{name}={value}" for name, value in rows[-1].items() if value))
    results.write("interchange", rows)
    pages.main()


if __name__ == "__main__":
    main()
