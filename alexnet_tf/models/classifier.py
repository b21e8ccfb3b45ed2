"""A trained network with all that it takes to use it: input, classes, weights. The folder `models/<variant>`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tensorflow as tf
from pydantic import Field, ValidationError

from alexnet_tf.data.npy_file import load_npy, save_npy
from alexnet_tf.errors import DataError
from alexnet_tf.models import networks
from alexnet_tf.models.spec import Spec
from alexnet_tf.models.specs import InputSpec, Network
from alexnet_tf.models.views import Views
from alexnet_tf.models.weights import assign_arrays, load_arrays, model_arrays, save_arrays
from alexnet_tf.whole_file import write_json

if TYPE_CHECKING:
    from alexnet_tf.data.record_dataset import RecordDataset

FORMAT = 3
_WEIGHTS = "weights.safetensors"
_Pixels = Annotated[int, Field(gt=0)]


class _Description(Spec):
    """What `model.json` says."""

    format: int
    network: Network
    input: InputSpec
    size: _Pixels
    stored_size: _Pixels
    precision: Literal["float32", "bfloat16"]
    class_names: Annotated[list[str], Field(min_length=1)]


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network, its input and its classes.

    Attributes:
        model: (N, crop, crop, 3) float32 -> logits (N, K) float32.
        views: How stored images become the model's input.
        class_names: K names; a label is a position here.
        precision: `float32` or `bfloat16`, as trained.
    """

    model: networks.Model
    views: Views
    class_names: tuple[str, ...]
    precision: str

    @property
    def size(self) -> int:
        """Side in pixels of the images that crops are taken from."""
        return self.views.size

    @property
    def stored_size(self) -> int:
        """Side in pixels of the images as stored."""
        return self.views.stored_size

    @property
    def crop_size(self) -> int:
        """Side of the model's input in pixels."""
        return self.views.crop_size

    def compiled(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return the network as one function of its input, as in the evaluation.

        Called layer by layer, TensorFlow would trace each layer's own function and warn of so many.
        """
        return tf.function(lambda inputs: self.model(inputs, training=False), autograph=False)

    def require_trained_on(self, records: "RecordDataset") -> None:
        """Compare the classes and the sizes of records with those that the model was trained on.

        Raises:
            DataError: When they differ.
        """
        way_out = "train the model on these records"
        if list(self.class_names) != list(records.class_names):
            raise DataError(
                f"the model knows {len(self.class_names)} classes ({self.class_names[0]} ...) but {records.folder} "
                f"holds {len(records.class_names)} ({records.class_names[0]} ...): {way_out}"
            )
        if (self.size, self.stored_size) != (records.size, records.stored_size):
            raise DataError(
                f"the model takes images of {self.size} pixels, stored at {self.stored_size}, but {records.folder} "
                f"holds images of {records.size}, stored at {records.stored_size}: {way_out}"
            )


def write_classifier(folder: Path, classifier: Classifier, *, halved: bool = False) -> None:
    """Write `model.json`, `weights.safetensors` and `mean.npy`; equal bytes for equal classifiers.

    Args:
        folder: Is made.
        classifier: The model.
        halved: Store weights as bfloat16 where that loses nothing.

    Raises:
        TrainingError: When a weight is not finite.
    """
    folder.mkdir()
    description = {
        "format": FORMAT,
        "network": classifier.model.spec.model_dump(),
        "input": classifier.views.spec.model_dump(),
        "size": classifier.size,
        "stored_size": classifier.stored_size,
        "precision": classifier.precision,
        "class_names": list(classifier.class_names),
    }
    write_json(folder / "model.json", description)
    save_npy(folder / "mean.npy", classifier.views.mean)
    save_arrays(folder / _WEIGHTS, model_arrays(classifier.model), halved=halved)


def read_classifier(folder: Path) -> Classifier:
    """Read what `write_classifier` wrote; inside a strategy's scope the variables are mirrored.

    Raises:
        DataError: When a file is missing or damaged, of another version, or holds values that are not finite.
    """
    path = folder / "model.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise DataError(
                f"{path} has format {found['format']}, expected {FORMAT}: train the model again, or use it with "
                "the version that wrote it"
            )
        if found["network"]["name"] == "alexnet":
            found["network"].setdefault("left_out", "none")  # files without the key are of networks with all layers
        description = _Description.model_validate_json(json.dumps(found))
        views = Views(
            description.input,
            stored_size=description.stored_size,
            size=description.size,
            mean=load_npy(folder / "mean.npy"),
        )
    except FileNotFoundError as error:
        raise DataError(f"{error.filename} does not exist; run the stage train") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{folder} holds no usable model (model.json: {place}: {first['msg']}); run the stage train"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} holds no usable model ({type(error).__name__}: {error}); run the stage train"
        ) from error
    model = networks.build(
        description.network,
        crop_size=views.crop_size,
        num_classes=len(description.class_names),
        precision=description.precision,
    )
    arrays, _ = load_arrays(folder / _WEIGHTS)
    assign_arrays(model, arrays, source=str(folder / _WEIGHTS))
    return Classifier(model, views, tuple(description.class_names), description.precision)
