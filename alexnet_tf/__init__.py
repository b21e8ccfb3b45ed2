"""AlexNet (Krizhevsky, Sutskever, Hinton, 2012) in TensorFlow: values in, values out.

    import alexnet_tf as an

    model = an.AlexNet(num_classes=10)                         # a Keras model, for compile and fit
    names, probabilities = an.load_pretrained("cifar10").predict("photo.jpg")

The names below are looked up on first use, so that the import costs nothing: a Beam worker that needs
`alexnet_tf.data.tfrecord` does not pay for TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from alexnet_tf.devices import onednn as onednn

if TYPE_CHECKING:
    from alexnet_tf.applications import AlexNet as AlexNet
    from alexnet_tf.applications import AlexNetBN as AlexNetBN
    from alexnet_tf.applications import FourLayer as FourLayer
    from alexnet_tf.applications import alexnet_spec as alexnet_spec
    from alexnet_tf.applications import custom_objects as custom_objects
    from alexnet_tf.errors import AlexNetError as AlexNetError
    from alexnet_tf.errors import ConfigError as ConfigError
    from alexnet_tf.errors import DataError as DataError
    from alexnet_tf.image_classifier import ImageClassifier as ImageClassifier
    from alexnet_tf.image_classifier import load_pretrained as load_pretrained
    from alexnet_tf.models.features import Features as Features
    from alexnet_tf.models.four_layer_spec import FourLayerSpec as FourLayerSpec
    from alexnet_tf.models.networks import build as build
    from alexnet_tf.models.specs import AlexNetBNSpec as AlexNetBNSpec
    from alexnet_tf.models.specs import AlexNetSpec as AlexNetSpec
    from alexnet_tf.models.whitening import whiten as whiten

__version__ = "0.1.0"

_PUBLIC = {  # name -> where it is; a test compares them with the imports above
    "AlexNet": "applications.AlexNet",
    "AlexNetBN": "applications.AlexNetBN",
    "AlexNetBNSpec": "models.specs.AlexNetBNSpec",
    "AlexNetError": "errors.AlexNetError",
    "AlexNetSpec": "models.specs.AlexNetSpec",
    "ConfigError": "errors.ConfigError",
    "DataError": "errors.DataError",
    "Features": "models.features.Features",
    "FourLayer": "applications.FourLayer",
    "FourLayerSpec": "models.four_layer_spec.FourLayerSpec",
    "ImageClassifier": "image_classifier.ImageClassifier",
    "alexnet_spec": "applications.alexnet_spec",
    "build": "models.networks.build",
    "custom_objects": "applications.custom_objects",
    "load_pretrained": "image_classifier.load_pretrained",
    "whiten": "models.whitening.whiten",
}
__all__ = ["__version__", *_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].rpartition(".")
    found = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = found  # so that it is looked up once
    return found


def __dir__() -> list[str]:
    return __all__
