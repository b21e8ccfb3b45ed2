"""Ask an exported model from a process that knows nothing of this project: all it needs is in its folder.

`python -I standalone.py SAVED_MODEL IMAGES ANSWERS.npz`: IMAGES is a folder of files, taken in order of name.
"""

import sys
from pathlib import Path

PROJECT = ("alexnet_tf", "components", "pipeline")
UNUSED = ("matplotlib", "pandas", "sklearn")  # Keras imports them where they are installed, which takes seconds


def main(saved_model: str, images: str, answers: str) -> None:
    """Load the model, call both signatures on the images, and write every output."""
    for package in (*PROJECT, *UNUSED):
        sys.modules[package] = None  # type: ignore[assignment]  # importing it now fails, installed or not
    import numpy as np
    import tensorflow as tf

    model = tf.saved_model.load(saved_model)
    files = [path.read_bytes() for path in sorted(Path(images).iterdir())]
    outputs = {}
    for name in ("center", "ten_crop"):
        for key, value in model.signatures[name](images=tf.constant(files)).items():
            outputs[f"{name}_{key}"] = value.numpy().astype(bytes) if value.dtype == tf.string else value.numpy()
    np.savez(answers, **outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
