"""The four-layer network of the paper's experiments on CIFAR-10 as data. No TensorFlow.

File names are those of cuda-convnet's `example-layers`, the code that §3.3 refers to for this network.
"""

# ruff: noqa: RUF012, as pydantic gives each instance its own copy of a default

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alexnet_tf.models.spec import NetworkSpec, Two

FiveStddevs = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=5, max_length=5)]

FOUR_LAYER_NAMES = ("conv1", "conv2", "local3", "local4", "fc10")
CONV_SIZE, LOCAL_SIZE = 5, 3  # layers-conv-local-13pct.cfg: filterSize, with zeros around the maps that keep their size
POOL = (3, 2)  # the same file: sizeX, stride


class FourLayerSpec(NetworkSpec):
    """Two convolutions and two locally connected layers, then logits (§3.1, §3.3).

    layers-conv-local-13pct.cfg, and with `lrn` layers-conv-local-11pct.cfg, which is otherwise the same. A later
    version of the latter (its norms are of type `cmrnorm`) has windows of 9, normalizes after pool1 and doubles local3,
    so that with it the two errors of §3.3 are no ablation.

    Attributes:
        filters: Kernels of conv1 and conv2, 5 x 5.
        local_filters: Kernels of local3 and local4, 3 x 3, at each position its own.
        activation: `relu` (§3.1) or `tanh`.
        lrn: Whether conv1 and conv2 are followed by local response normalization (§3.3).
        lrn_alpha: α of §3.3, not divided by the window size; layer.py divides scale = 1e-3 by size = 5.
        lrn_beta: β of §3.3.
        lrn_k: k of §3.3; 1 in these files, which cannot set it.
        lrn_size: n of §3.3, the window in channels, odd.
        lrn_order: Layer 1 normalizes `before_pool` or `after_pool`; layer 2 always before.
        weight_stddev: Standard deviation of the initial weights of conv1, conv2, local3, local4 and fc10. Biases start
            at 0.

    Note:
        Defaults are the values of layers-conv-local-13pct.cfg.

    Raises:
        ConfigError: A field is unknown or its value out of range.

    Example:
        >>> import alexnet_tf as an
        >>> an.FourLayerSpec(lrn=True).lrn_k
        1.0
    """

    name: Literal["four_layer"] = "four_layer"
    filters: Two = [64, 64]
    local_filters: Two = [32, 32]
    activation: Literal["relu", "tanh"] = "relu"
    lrn: bool = False
    lrn_alpha: Annotated[float, Field(ge=0)] = 2e-4
    lrn_beta: Annotated[float, Field(gt=0)] = 0.75
    lrn_k: Annotated[float, Field(gt=0)] = 1.0
    lrn_size: Annotated[int, Field(gt=0)] = 5
    lrn_order: Literal["before_pool", "after_pool"] = "before_pool"
    weight_stddev: FiveStddevs = [0.0001, 0.01, 0.04, 0.04, 0.01]

    @model_validator(mode="after")
    def _centred(self) -> Self:
        if self.lrn_size % 2 == 0:
            raise ValueError(f"lrn_size must be odd, got {self.lrn_size}")
        return self
