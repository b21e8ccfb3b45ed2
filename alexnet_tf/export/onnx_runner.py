"""Ask an ONNX file from a process that has neither TensorFlow nor this project.

`python -I onnx_runner.py MODEL IMAGES LOGITS`: IMAGES is a folder of `.npy` files, taken in order of name, each a batch
(N, crop, crop, 3) float32; LOGITS is a folder that gets a file of the same name for each.
"""

import sys
from pathlib import Path


def main(model: str, images: str, logits: str) -> None:
    """Answer every batch on one core of the CPU, so that sums are made in one order."""
    for package in ("alexnet_tf", "components", "pipeline", "tensorflow", "keras"):
        sys.modules[package] = None  # type: ignore[assignment]  # importing it now fails, installed or not
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for path in sorted(Path(images).iterdir()):
        np.save(Path(logits) / path.name, np.asarray(session.run(["logits"], {"images": np.load(path)})[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
