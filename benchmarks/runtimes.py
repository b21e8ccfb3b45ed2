"""One runtime asked for one file, in a process of its own: `python -m benchmarks.runtimes RUNTIME MODEL FOLDER`.

FOLDER holds the same images in every form that a format takes: `stored.npy` (N, stored, stored, 3) uint8, `crops.npy`
(N, crop, crop, 3) float32, 0..255, and `centred.npy`, what the network itself sees. Writes `logits.npy` (N, K) there.
Imports nothing of this project but what a `.keras` file needs.
"""

import io
import sys
import warnings
from pathlib import Path

import numpy as np

BATCH = 5  # of the formats whose batch is free


def saved_model(path: Path, folder: Path) -> list[np.ndarray]:
    import tensorflow as tf
    from PIL import Image

    center = tf.saved_model.load(str(path)).signatures["center"]  # pyright: ignore[reportAttributeAccessIssue]
    files = []
    for image in np.load(folder / "stored.npy"):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return [center(images=tf.constant(batch))["logits"].numpy() for batch in batches(files)]


def keras_file(path: Path, folder: Path) -> list[np.ndarray]:
    import alexnet_tf as an  # first, so that TensorFlow computes as in the pipeline

    import keras  # isort: skip

    model = keras.saving.load_model(path, custom_objects=an.custom_objects())
    return [np.asarray(model(batch)) for batch in batches(np.load(folder / "centred.npy"))]


def tensorflow(path: Path, folder: Path) -> list[np.ndarray]:
    if path.suffix == ".keras":
        return keras_file(path, folder)
    if path.is_dir():
        return saved_model(path, folder)
    import tensorflow as tf

    warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
    return _lite(tf.lite.Interpreter(str(path), num_threads=1), folder)


def litert(path: Path, folder: Path) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    return _lite(Interpreter(str(path), num_threads=1), folder)


def _lite(interpreter, folder: Path) -> list[np.ndarray]:
    runner = interpreter.get_signature_runner()
    return [runner(images=crop)["logits"] for crop in batches(np.load(folder / "crops.npy"), 1)]


def onnxruntime(path: Path, folder: Path) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [session.run(["logits"], {"images": batch})[0] for batch in batches(np.load(folder / "crops.npy"))]


def openvino(path: Path, folder: Path) -> list[np.ndarray]:
    import openvino

    model = openvino.Core().compile_model(path, "CPU")
    size = 1 if path.suffix == ".tflite" else BATCH
    return [model(batch)[model.output(0)].copy() for batch in batches(np.load(folder / "crops.npy"), size)]


def opencv(path: Path, folder: Path) -> list[np.ndarray]:
    import cv2

    network = cv2.dnn.readNet(str(path))
    crops, size = np.load(folder / "crops.npy"), BATCH
    if path.suffix == ".tflite":  # of these OpenCV takes the maps before the rows, unlike all others
        crops, size = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)), 1
    answers = []
    for batch in batches(crops, size):
        network.setInput(batch)
        answers.append(network.forward().copy())
    return answers


def batches(images, size: int = BATCH):
    """Cut into pieces of a size."""
    return [images[first : first + size] for first in range(0, len(images), size)]


RUNTIMES = {each.__name__: each for each in (tensorflow, litert, onnxruntime, openvino, opencv)}


if __name__ == "__main__":
    name, model, place = sys.argv[1:]
    np.save(Path(place) / "logits.npy", np.concatenate(RUNTIMES[name](Path(model), Path(place))))
