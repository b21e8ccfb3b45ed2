"""The exported model as MLflow serves it. Imports nothing of this project: MLflow copies this file to the SavedModel.

A request has a column `image` with image files, as bytes or as base64 (which JSON needs), and may ask for `view`
`center`, which does a tenth of the work of `ten_crop`. The answer has, for each image, the five best `classes` and
their `probabilities`. If an image cannot be read, the answer to the whole request is status 400 with one sentence that
has the image's index.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE


class RefusedError(MlflowException):
    """A request that is wrong: MLflow's server answers with status 400 and the message."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, INVALID_PARAMETER_VALUE)
        self._sentence = sentence

    def serialize_as_json(self) -> str:
        """Return the body of the answer; MLflow's own has the request's content before the message."""
        return json.dumps({"error_code": self.error_code, "message": self._sentence})


class ServedModel:
    """Answers with the signatures of a SavedModel."""

    def __init__(self, folder: str) -> None:
        self._model = tf.saved_model.load(folder)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Name the most probable classes of each image of a table with the column `image`."""
        view = (params or {}).get("view", "ten_crop")
        if view not in ("ten_crop", "center"):
            raise RefusedError(f"view must be ten_crop or center, received {view!r}")
        files = [_file(image) for image in model_input["image"]]
        if not files:
            return []
        try:
            answer = self._model.signatures[view](images=tf.constant(files))
        except tf.errors.InvalidArgumentError as error:
            raise self._refusal(files, error) from None
        classes, probabilities = answer["top_classes"].numpy(), answer["top_probabilities"].numpy()
        return [
            {"classes": [name.decode() for name in names], "probabilities": [float(value) for value in values]}
            for names, values in zip(classes, probabilities, strict=True)
        ]

    def _refusal(self, files: Sequence[bytes], error: tf.errors.InvalidArgumentError) -> Exception:
        """Return what is wrong with the first image that cannot be read, by asking for one at a time."""
        for index, file in enumerate(files):
            try:
                self._model.signatures["center"](images=tf.constant([file]))
            except tf.errors.InvalidArgumentError as alone:
                # Its other lines name nodes of a graph.
                cause = alone.message.partition("\n\t [[")[0].rpartition("\n")[2]
                cause = cause.removeprefix("assertion failed: [images: ").rstrip("].")
                return RefusedError(f"image {index} (the first is 0) cannot be read: {cause}")
        return error


def _file(image: bytes | str) -> bytes:
    """Return the bytes of an image file; MLflow decodes base64 in some forms of request and not in others.

    Base64 may be wrapped into lines, or be the end of a `data:` address.
    """
    image = image.encode() if isinstance(image, str) else image
    text = image.partition(b",")[2] if image.startswith(b"data:") else image
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError:  # no base64, and no image file is base64: all begin with other bytes
        return image


def _load_pyfunc(folder: str) -> ServedModel:
    """Load the model; MLflow calls this by name with the folder of the data."""
    return ServedModel(str(Path(folder)))
