"""A Keras model as a `.keras` file of equal bytes for equal weights."""

import json
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can say


def save_keras(model: "keras.Model", path: Path) -> None:
    """Save a model as Keras does, without the two dates that Keras puts in: the entry's and `date_saved`.

    `keras.saving.load_model` reads the file where `alexnet_tf.networks` can be imported.
    """
    with tempfile.TemporaryDirectory() as folder:
        dated = Path(folder) / "model.keras"
        with warnings.catch_warnings():
            # Keras 3.15 hands its variables to NumPy 2 by the protocol of NumPy 1, which works and warns.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(dated)
        with zipfile.ZipFile(dated) as source, zipfile.ZipFile(path, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    content = json.dumps(json.loads(content) | {"date_saved": ""}, sort_keys=True).encode()
                target.writestr(zipfile.ZipInfo(name, _DATE), content)
