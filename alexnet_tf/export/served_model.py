"""The exported model as MLflow serves it. Imports nothing of this project: MLflow copies this file to the SavedModel.

A request has a column `image` with image files, as bytes or as base64 (which JSON needs), and may ask for `view`
`center`, which does a tenth of the work of `ten_crop`. The answer has, for each image, the five best `classes` and
their `probabilities`.
"""

import base64
from pathlib import Path
from typing import Any

import tensorflow as tf


class ServedModel:
    """Answers with the signatures of a SavedModel."""

    def __init__(self, folder: str) -> None:
        self._model = tf.saved_model.load(folder)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Name the most probable classes of each image of a table with the column `image`."""
        view = (params or {}).get("view", "ten_crop")
        if view not in ("ten_crop", "center"):
            raise ValueError(f"view must be ten_crop or center, received {view!r}")
        answer = self._model.signatures[view](images=tf.constant([_file(image) for image in model_input["image"]]))
        classes, probabilities = answer["top_classes"].numpy(), answer["top_probabilities"].numpy()
        return [
            {"classes": [name.decode() for name in names], "probabilities": [float(value) for value in values]}
            for names, values in zip(classes, probabilities, strict=True)
        ]


def _file(image: bytes | str) -> bytes:
    """Return the bytes of an image file; MLflow decodes base64 in some forms of request and not in others."""
    try:
        return base64.b64decode(image, validate=True)
    except ValueError:  # no base64, and no image file is base64: all begin with other bytes
        return image if isinstance(image, bytes) else image.encode()


def _load_pyfunc(folder: str) -> ServedModel:
    """Load the model; MLflow calls this by name with the folder of the data."""
    return ServedModel(str(Path(folder)))
