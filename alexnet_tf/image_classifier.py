"""A trained model for image files: files in, names and probabilities out."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_tf.errors import ConfigError, DataError
from alexnet_tf.evaluation.pictures import FilePath, Picture, listed, stored_pictures
from alexnet_tf.evaluation.predict import Predictor, predictor
from alexnet_tf.models.classifier import Classifier, read_classifier
from alexnet_tf.models.features import Features
from alexnet_tf.nearest import nearest
from alexnet_tf.packaged_models import model_names, packaged_models

if TYPE_CHECKING:
    import keras

_BATCH = 32


class ImageClassifier:
    """A trained network with its preprocessing and its classes; `load_pretrained` makes it.

    Attributes:
        model: The Keras model: (N, crop, crop, 3) float32, prepared as `inputs` does it -> logits (N, K) float32.
        class_names: K names, in the order of the logits.
        features: The Keras model without its last layer: the same input -> (N, units) float32, the last hidden layer
            (fc7), to put a new layer on. It shares its variables with `model`: training one changes the other and what
            `predict` says, so load twice to keep the original. (The method `model.features` is another thing: the
            maps before the first dense layer.)

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from PIL import Image
        >>> import alexnet_tf as an
        >>> classifier = an.load_pretrained("cifar10")
        >>> classifier.class_names[:3]
        ('airplane', 'automobile', 'bird')
        >>> photo = tempfile.NamedTemporaryFile(suffix=".png")
        >>> Image.fromarray(np.full((40, 60, 3), 128, np.uint8)).save(photo)
        >>> classifier.inputs([photo.name]).shape
        (1, 32, 32, 3)
    """

    def __init__(self, classifier: Classifier):
        if not isinstance(classifier, Classifier):
            raise ConfigError(
                "ImageClassifier is made by alexnet_tf.load_pretrained(FOLDER_OR_NAME), got "
                f"{type(classifier).__name__}"
            )
        self.model: keras.Model = classifier.model
        self.class_names = classifier.class_names
        self.features: keras.Model = Features(classifier.model, name="features")
        self._classifier = classifier
        self._predictors: dict[bool, Predictor] = {}

    def __repr__(self) -> str:
        network, side = self.model.name, self._classifier.crop_size
        return f"<ImageClassifier: {network}, {len(self.class_names)} classes, {side} x {side} pixels>"

    def predict(
        self,
        files: Picture | Iterable[Picture],
        *,
        ten_crop: bool = True,
        max_pixels: int = 50_000_000,
        exif_orientation: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Name the most probable classes of image files, prepared as in the pipeline but for their orientation.

        Squares that the pipeline stored as JPEG (`preprocess.encoding`) are not compressed here.

        Args:
            files: Path of a JPEG, PNG or other image that Pillow reads; the bytes of such a file; a Pillow image; an
                array (H, W, 3) uint8, RGB, 0..255; or several of these, or an array (N, H, W, 3).
            ten_crop: Average the probabilities of ten views (§4.1), as the published errors do; False looks at the
                centre crop alone, a tenth of the work.
            max_pixels: A larger image is refused before it is decoded.
            exif_orientation: Turn images as their EXIF orientation says, as programs that show them do; False takes
                them as stored, as the pipeline does.

        Returns:
            Names (N, k) str and probabilities (N, k) float32, 0..1, the most probable first, k = min(5, K).

        Raises:
            DataError: A file does not exist, is no image, is broken or too large, or an array is no uint8 RGB; the
                message names it.

        Example:
            >>> import tempfile
            >>> import numpy as np
            >>> from PIL import Image
            >>> import alexnet_tf as an
            >>> photo = tempfile.NamedTemporaryFile(suffix=".png")
            >>> Image.fromarray(np.full((40, 60, 3), 128, np.uint8)).save(photo)
            >>> names, probabilities = an.load_pretrained("cifar10").predict(photo.name)
            >>> names.shape, probabilities.shape
            ((1, 5), (1, 5))
        """
        if ten_crop not in self._predictors:  # tracing the network takes longer than most answers
            self._predictors[ten_crop] = predictor(self._classifier, ten_crop=ten_crop)
        answer = self._predictors[ten_crop]
        pictures = listed(files)
        nothing = (0, min(5, len(self.class_names)))
        classes, probabilities = [np.empty(nothing, np.int32)], [np.empty(nothing, np.float32)]
        for start in range(0, len(pictures), _BATCH):
            stored = self._stored(pictures[start : start + _BATCH], start, max_pixels, exif_orientation)
            best, their = answer(stored)
            classes.append(best)
            probabilities.append(their)
        return np.array(self.class_names)[np.concatenate(classes)], np.concatenate(probabilities)

    def inputs(
        self,
        files: Picture | Iterable[Picture],
        *,
        max_pixels: int = 50_000_000,
        exif_orientation: bool = True,
    ) -> np.ndarray:
        """Return the centre crops of image files as `model` takes them.

        Args:
            files: As for `predict`.
            max_pixels: As for `predict`.
            exif_orientation: As for `predict`.

        Returns:
            (N, crop, crop, 3) float32, RGB, minus the training images' mean and divided as in the training.

        Raises:
            DataError: As for `predict`.
        """
        stored = self._stored(listed(files), 0, max_pixels, exif_orientation)
        return self._classifier.views.center(stored).numpy()

    def _stored(self, pictures: Sequence[Any], first: int, max_pixels: int, exif_orientation: bool) -> np.ndarray:
        return stored_pictures(
            pictures,
            stored_size=self._classifier.stored_size,
            max_pixels=max_pixels,
            exif_orientation=exif_orientation,
            first=first,
        )


def load_pretrained(path_or_name: FilePath) -> ImageClassifier:
    """Load a trained model.

    Args:
        path_or_name: A folder that the pipeline wrote, such as models/optimized or results/pretrained/cifar10; or,
            where there is no such folder of a model, the name of a model that comes with the package.

    Returns:
        The network with its preprocessing and class names.

    Raises:
        ConfigError: There is neither a folder nor a model of that name.
        DataError: The folder holds no model, or a damaged one.

    Example:
        >>> import alexnet_tf as an
        >>> classifier = an.load_pretrained("cifar10")
        >>> classifier.model.name, len(classifier.class_names)
        ('alexnet_bn', 10)
    """
    if not isinstance(path_or_name, str | os.PathLike):
        raise ConfigError(
            f"expected the folder of a trained model, or the name of one, got {type(path_or_name).__name__}"
        )
    folder = Path(path_or_name)
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; give its folder, {folder.parent}")
    if (folder / "model.json").is_file():
        return ImageClassifier(read_classifier(folder))
    name, shelf = os.fspath(path_or_name), packaged_models()
    known = model_names(shelf)
    if name in known:
        return ImageClassifier(read_classifier(shelf / name))
    if folder.is_dir():
        raise DataError(f"{folder}: expected the folder of a model, as the stage train writes it, found no model.json")
    choice = f", or one of {', '.join(known)}" if known else "; this version comes with no model of its own"
    raise ConfigError(
        f"{name} is not a folder; expected the folder of a trained model, such as models/optimized{choice}"
        f"{nearest(name.lower(), known)}"
    )
