"""Where the trained models are that come with the package; TensorFlow is not needed to name them."""

from importlib import resources
from pathlib import Path


def packaged_models() -> Path:
    """Return their folder; it may be missing."""
    try:
        return Path(str(resources.files("alexnet_tf.pretrained")))
    except ModuleNotFoundError:  # a checkout that is on the path, but not installed
        return Path(__file__).parents[1] / "results/pretrained"


def model_names(folder: Path) -> list[str]:
    """Name the models in a folder of models, sorted."""
    return sorted(path.parent.name for path in folder.glob("*/model.json"))
