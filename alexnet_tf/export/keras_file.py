"""A Keras model as a `.keras` file of equal bytes for equal weights."""

import json
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet_tf.canonical_zip import write_zip

if TYPE_CHECKING:
    import keras

_METADATA = "metadata.json"


def save_keras(model: "keras.Model", path: Path) -> None:
    """Save a model as Keras does, without the dates that Keras puts in: each entry's and `date_saved`.

    `keras.saving.load_model` reads the file with `custom_objects=alexnet_tf.custom_objects()`.
    """
    with tempfile.TemporaryDirectory() as folder:
        dated = Path(folder) / "model.keras"
        with warnings.catch_warnings():
            # Keras 3.15 hands its variables to NumPy 2 by the protocol of NumPy 1, which works and warns.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(dated)
        with zipfile.ZipFile(dated) as source:
            members = {name: source.read(name) for name in source.namelist()}
    metadata = json.loads(members[_METADATA]) | {"date_saved": ""}
    write_zip(path, members | {_METADATA: json.dumps(metadata, sort_keys=True).encode()})
