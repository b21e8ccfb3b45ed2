"""Three readings of AlexNet, as the switches on which they differ.

A variant names a profile and writes the word `profile` at a switch that is to follow it. `original` is what
the code released with the paper did, and so what produced the published errors; `paper` takes the text
literally; `caffe` is the widely used `bvlc_alexnet`. Names of files of the 2012 code are those
of computerhistory/AlexNet-Source-Code. docs/profiles.md lists what departs all the same.
"""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from alexnet_tf.errors import ConfigError
from alexnet_tf.nearest import nearest

WORD = "profile"


class Switch(NamedTuple):
    """The value of one switch in one profile, and where that value was read."""

    value: Any
    source: str


_PAPER_BIAS = [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]

PROFILES: dict[str, dict[str, Switch]] = {
    "original": {
        "network.lrn_alpha": Switch(0.00002, "layer.py divides scale = 1e-4 by size = 5"),
        "network.lrn_k": Switch(2.0, "layers-145.cfg: minDiv=2; §3.3: k = 2"),
        "network.lrn_scope": Switch("tower", "layers-145.cfg: rnorm1a and rnorm1b have 48 channels each"),
        "network.lrn_order": Switch("before_relu", "layers-145.cfg: conv1 is linear, neuron=relu is at pool1"),
        "network.dropout_scaling": Switch("at_test", "layers-145.cfg: hs1, hs2 with keep=0.5; §4.2"),
        "network.weight_stddev": Switch(
            [0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01], "layers-145.cfg: initW, 0.03 in conv3 to conv5"
        ),
        "network.bias": Switch(_PAPER_BIAS, "layers-145.cfg: initB; §5"),
        "training.optimizer.bias_learning_rate_factor": Switch(2.0, "layer-params-153: epsB = 0.02, epsW = 0.01"),
        "training.optimizer.bias_decay": Switch(False, "layer.cu: wc is applied to weights only"),
        "training.schedule.name": Switch("steps", "layer-params-145-2010.cfg: lowered by hand"),
        "training.schedule.drop_at": Switch(
            [0.25, 0.55, 0.84], "layer-params-145-2010.cfg: at epochs 23, 51 and 78 of 93"
        ),
        "training.schedule.conv1_frozen_from": Switch(
            0.77, "layer-params-145-2010.cfg: conv1 stopped at epoch 72 of 93"
        ),
        "training.augmentation.crops_per": Switch("chunk", "convdata_jpeg.py: crop_chunk, 32 images"),
        "training.augmentation.colour_noise": Switch(
            "sqrt_eigenvalue", "convdata_jpeg.py: scaled by color_stdevs, the roots of the eigenvalues"
        ),
        "training.augmentation.colour_noise_until": Switch(
            0.73, "layer-params-145-2010.cfg: colour noise off at epoch 68 of 93"
        ),
    },
    "paper": {
        "network.lrn_alpha": Switch(0.0001, "§3.3: α = 10^-4"),
        "network.lrn_k": Switch(2.0, "§3.3: k = 2"),
        "network.lrn_scope": Switch("tower", "§3.2: the GPUs communicate only in certain layers"),
        "network.lrn_order": Switch("after_relu", "§3.3: after the ReLU nonlinearity; §3.5"),
        "network.dropout_scaling": Switch("at_test", "§4.2: outputs multiplied by 0.5 at test time"),
        "network.weight_stddev": Switch([0.01] * 8, "§5: standard deviation 0.01 in each layer"),
        "network.bias": Switch(_PAPER_BIAS, "§5: 1 in layers 2, 4, 5 and the hidden dense layers, else 0"),
        "training.optimizer.bias_learning_rate_factor": Switch(1.0, "§5: an equal learning rate for all layers"),
        "training.optimizer.bias_decay": Switch(True, "§5: the update rule makes no exception for biases"),
        "training.schedule.name": Switch("plateau", "§5: divided by 10 when the validation error stops improving"),
        "training.schedule.drop_at": Switch([], "§5: no fixed epochs"),
        "training.schedule.conv1_frozen_from": Switch(1.0, "§5: an equal learning rate for all layers"),
        "training.augmentation.crops_per": Switch("image", "§4.1: random 224 x 224 patches"),
        "training.augmentation.colour_noise": Switch("eigenvalue", "§4.1: p_i times α_i λ_i"),
        "training.augmentation.colour_noise_until": Switch(1.0, "§4.1: in every epoch"),
    },
    "caffe": {
        "network.lrn_alpha": Switch(0.00002, "lrn_layer.cpp divides alpha = 1e-4 by local_size = 5"),
        "network.lrn_k": Switch(1.0, "caffe.proto: k defaults to 1, bvlc_alexnet does not set it"),
        "network.lrn_scope": Switch("layer", "bvlc_alexnet/train_val.prototxt: norm1 and norm2 know no groups"),
        "network.lrn_order": Switch("after_relu", "bvlc_alexnet/train_val.prototxt: conv1, relu1, norm1, pool1"),
        "network.dropout_scaling": Switch("in_training", "dropout_layer.cpp: scaled by 1 / (1 - dropout_ratio)"),
        "network.weight_stddev": Switch(
            [0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01],
            "bvlc_alexnet/train_val.prototxt: weight_filler",
        ),
        "network.bias": Switch(
            [0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0], "bvlc_alexnet/train_val.prototxt: bias_filler"
        ),
        "training.optimizer.bias_learning_rate_factor": Switch(2.0, "train_val.prototxt: lr_mult 1 and 2"),
        "training.optimizer.bias_decay": Switch(False, "train_val.prototxt: decay_mult 1 and 0"),
        "training.schedule.name": Switch("steps", "solver.prototxt: lr_policy step"),
        "training.schedule.drop_at": Switch(
            [0.2222, 0.4444, 0.6667, 0.8889], "solver.prototxt: every 100,000 of 450,000 iterations"
        ),
        "training.schedule.conv1_frozen_from": Switch(1.0, "solver.prototxt: one rate for all layers"),
        "training.augmentation.crops_per": Switch("image", "data_transformer.cpp: drawn for each image"),
        "training.augmentation.colour_noise": Switch("none", "bvlc_alexnet/readme.md: no relighting"),
        "training.augmentation.colour_noise_until": Switch(1.0, "bvlc_alexnet/readme.md: no relighting"),
    },
}


def values(name: str, section: str) -> dict[str, Any]:
    """Return what a profile says of one section of a variant, by field.

    Args:
        name: The profile.
        section: Such as `network` or `training.optimizer`.

    Raises:
        ConfigError: There is no such profile.
    """
    _require(name, list(PROFILES))
    switches = PROFILES[name].items()
    inside = {
        key.removeprefix(f"{section}."): switch.value for key, switch in switches if key.startswith(f"{section}.")
    }
    return copy.deepcopy(inside)


def resolve(variant: Mapping[str, Any]) -> dict[str, Any]:
    """Replace every value that is the word `profile` by what the variant's profile says there.

    Args:
        variant: One entry of `variants` in params.yaml; left as it is.

    Returns:
        A deep copy in which no value is the word `profile` any more; the key `profile` keeps its name.

    Raises:
        ConfigError: The profile is unknown, or a switch says `profile` where the profile has no value for it.
    """
    name = variant.get("profile")
    _require(name, [*PROFILES, "none"])
    switches = PROFILES.get(str(name), {})

    def replaced(value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            return {key: replaced(child, f"{path}.{key}".lstrip(".")) for key, child in value.items()}
        if value != WORD:
            return copy.deepcopy(value)
        if path in switches:
            return copy.deepcopy(switches[path].value)
        if name == "none":
            raise ConfigError(f"{path}: is `profile`, but the variant's profile is none; give a value")
        raise ConfigError(f"{path}: is `profile`, but profile {name} has a value only for {', '.join(switches)}")

    return replaced(variant, "")


def _require(name: object, known: list[str]) -> None:
    if name not in known:
        raise ConfigError(f"profile: expected one of {', '.join(known)}, got {name!r}{nearest(name, known)}")
