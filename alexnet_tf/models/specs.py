"""The networks, their input and its augmentation as data. No TensorFlow.

`AlexNetSpec` is the network of the paper's §3.5 with every choice of the 2012 code and its successors as a field;
`AlexNetBNSpec` keeps its five convolutions and three dense layers, with batch normalization in place of §3.3.
`Network` is any of these, or the network of the experiments on CIFAR-10, which `four_layer_spec` describes.
"""

# ruff: noqa: RUF012, as pydantic gives each instance its own copy of a default

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alexnet_tf.models.four_layer_spec import FourLayerSpec
from alexnet_tf.models.spec import NetworkSpec, Spec, Two

Five = Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=5, max_length=5)]
Eight = Field(min_length=8, max_length=8)
LAYER_NAMES = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")


class AlexNetSpec(NetworkSpec):
    """The network of 2012. Stride 4 and 11 x 11 in conv1, five convolutions, three dense layers (§3.5).

    Attributes:
        filters: Kernels of conv1..conv5, both towers together.
        dense_units: Units of fc6 and fc7.
        towers: 2 as in §3.2, where conv2, conv4 and conv5 see their own tower only; 1 sees everything.
        left_out: The middle layer that the network lacks (§7), or `none`. The others stay as they are, initial weights
            included, but for the maps that the next one sees: without conv3 the towers first meet in fc6,
            or in LRN where its scope is the layer.
        activation: `relu` (§3.1) or `tanh`.
        lrn: Whether conv1 and conv2 are followed by local response normalization (§3.3). Without it there is no
            same-map normalization either: the 2012 ablation took out both (layers-148.cfg).
        lrn_alpha: α of §3.3, not divided by the window size. The 2012 code divides its 1e-4 by 5: 2e-5.
        lrn_beta: β of §3.3.
        lrn_k: k of §3.3.
        lrn_size: n of §3.3, the window in channels, odd.
        lrn_scope: `tower`: the window stops at the end of a tower (2012 code); `layer`: it crosses.
        lrn_order: `after_relu` (§3.3), or `before_relu`: layer 1 normalizes the linear output, pools, then
            rectifies (layers-145.cfg). Without LRN both are the same, as max and the activation commute.
        same_map_normalization: The 5 x 5 same-map normalization that the 2012 code adds after LRN2.
        pooling: `overlapping` 3 x 3 stride 2 (§3.4), or `paired` 2 x 2 stride 2 (layers-147.cfg).
        dropout: Probability of dropping a unit of fc6 and fc7 in training (§4.2).
        dropout_scaling: `at_test`: outputs are multiplied by 1 - dropout at test (§4.2); `in_training`: divided by it
            in training (Caffe).
        weight_stddev: Standard deviation of the initial weights of conv1..conv5, fc6..fc8 (§5).
        bias: Initial biases of the same eight layers (§5).

    Note:
        Defaults are the values of the paper's text; `alexnet_tf.alexnet_spec` has those of the 2012 code.

    Raises:
        ConfigError: A field is unknown, a value is out of range, or two of them do not go together.

    Example:
        >>> import alexnet_tf as an
        >>> spec = an.AlexNetSpec(activation="tanh")
        >>> spec.filters, spec.lrn_alpha, spec.activation
        ([96, 256, 384, 384, 256], 0.0001, 'tanh')
    """

    name: Literal["alexnet"] = "alexnet"
    filters: Five = [96, 256, 384, 384, 256]
    dense_units: Two = [4096, 4096]
    towers: Annotated[int, Field(ge=1, le=2)] = 2  # a literal would take `true` and 1.0 for 1
    left_out: Literal["none", "conv3", "conv4", "conv5"] = "none"
    activation: Literal["relu", "tanh"] = "relu"
    lrn: bool = True
    lrn_alpha: Annotated[float, Field(ge=0)] = 1e-4
    lrn_beta: Annotated[float, Field(gt=0)] = 0.75
    lrn_k: Annotated[float, Field(gt=0)] = 2.0
    lrn_size: Annotated[int, Field(gt=0)] = 5
    lrn_scope: Literal["tower", "layer"] = "tower"
    lrn_order: Literal["after_relu", "before_relu"] = "after_relu"
    same_map_normalization: bool = False
    pooling: Literal["overlapping", "paired"] = "overlapping"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    dropout_scaling: Literal["at_test", "in_training"] = "at_test"
    weight_stddev: Annotated[list[Annotated[float, Field(gt=0)]], Eight] = [0.01] * 8
    bias: Annotated[list[float], Eight] = [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]

    @model_validator(mode="after")
    def _combine(self) -> Self:
        if any(count % self.towers for count in self.filters):
            raise ValueError(f"every count of filters must be divisible by towers = {self.towers}, got {self.filters}")
        if self.lrn_size % 2 == 0:
            raise ValueError(f"lrn_size must be odd, got {self.lrn_size}")
        return self


class AlexNetBNSpec(NetworkSpec):
    """Five convolutions with batch normalization and three dense layers, for the images' own resolution.

    Attributes:
        filters: Kernels of conv1..conv5.
        kernel_sizes: Height and width of a kernel of conv1..conv5, in pixels.
        conv1: `learned`; or `whitening`: its kernels are the principal axes of the training images' patches, each
            scaled to unit variance and taken with both signs, and stay as they are. Then it has neither padding nor
            normalization. The stage `train` computes them; for a network of your own, `alexnet_tf.whiten` does.
        conv1_stride: Step of conv1's window in pixels.
        pools: Window and stride in pixels of the max pool after conv1..conv5; 1 is none.
        pool_order: `before_norm`: a pool precedes normalization and activation, which then see a quarter of the
            positions; `after_norm`: it follows them.
        dense_units: Units of fc6 and fc7.
        activation: `relu`, or `gelu` in its sigmoid form.
        batch_norm_momentum: Share of the old moving statistics that a step keeps.
        batch_norm_scale: Whether γ is learned; otherwise it is 1.
        initialization: `he`: normal, √(2 / fan-in); `identity`: likewise, but the first kernels of conv2..conv5 pass
            on one input map each, as many as there are input maps.
        logit_scale: What fc8's outputs are multiplied by.
        dropout: Probability of dropping a unit of fc6 and fc7 in training.

    Note:
        The paper has no such network; defaults are those of `optimized` in experiments/imagenet2012.yaml.

    Raises:
        ConfigError: A field is unknown, a value is out of range, or two of them do not go together.

    Example:
        >>> import alexnet_tf as an
        >>> an.AlexNetBNSpec(dropout=0.2).dense_units
        [2048, 2048]
    """

    name: Literal["alexnet_bn"] = "alexnet_bn"
    filters: Five = [96, 256, 384, 384, 256]
    kernel_sizes: Five = [7, 3, 3, 3, 3]
    conv1: Literal["learned", "whitening"] = "learned"
    conv1_stride: Annotated[int, Field(gt=0)] = 2
    pools: Five = [2, 2, 1, 1, 2]
    pool_order: Literal["before_norm", "after_norm"] = "before_norm"
    dense_units: Two = [2048, 2048]
    activation: Literal["relu", "gelu"] = "relu"
    batch_norm_momentum: Annotated[float, Field(gt=0, lt=1)] = 0.9
    batch_norm_scale: bool = True
    initialization: Literal["he", "identity"] = "he"
    logit_scale: Annotated[float, Field(gt=0)] = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _fit(self) -> Self:
        kernels, axes = self.filters[0], 3 * self.kernel_sizes[0] ** 2
        if self.conv1 == "whitening" and (kernels % 2 or kernels > 2 * axes):
            raise ValueError(
                f"conv1: whitening needs an even number of filters, at most {2 * axes} for a colour patch of "
                f"{self.kernel_sizes[0]} x {self.kernel_sizes[0]} pixels, got {kernels}"
            )
        if self.initialization == "identity" and not all(size % 2 for size in self.kernel_sizes[1:]):
            raise ValueError(f"initialization: identity needs odd kernel_sizes after conv1, got {self.kernel_sizes}")
        return self


Network = Annotated[AlexNetSpec | AlexNetBNSpec | FourLayerSpec, Field(discriminator="name")]


Share = Annotated[float, Field(ge=0, le=1)]


class InputSpec(Spec):
    """How a stored image becomes what the network sees.

    Attributes:
        crop_size: Height and width of a crop in pixels (§4.1: 224).
        mean: What is subtracted: the centre crop of the mean image (`pixel`, 2012 code), or one number a `channel`.
        divide_by: What the centred 0..255 values are divided by; the paper does not scale (§2): 1.
        test_border: Pixels of mirrored border around the image from which the ten views of the test are cut; the
            paper has none. Where the crop is as large as the image, it is what makes the five crops differ.
    """

    crop_size: Annotated[int, Field(gt=0)] = 224
    mean: Literal["pixel", "channel"] = "pixel"
    divide_by: Annotated[float, Field(gt=0)] = 1.0
    test_border: Annotated[int, Field(ge=0)] = 0


class AugmentationSpec(Spec):
    """What §4.1 does to training images.

    Attributes:
        crop: `random` position, or the `center`.
        crops_per: One offset and flip for each `image` (§4.1) or for each `chunk` of 32 consecutive images of a batch
            (convdata_jpeg.py), whose last chunk may be smaller.
        padding: Pixels of mirrored border around the image before the crop; the paper has none.
        flip: Mirror left-right: at `random` with probability 1/2 (§4.1), each image in every other epoch
            (`alternating`), or `none`.
        colour_noise: Standard deviations along the colour axes: `sqrt_eigenvalue` of 0..255 pixels (2012 code, which
            also divides the image by 1 + scale), `eigenvalue` of 0..1 pixels (§4.1 read literally), or `none`.
        colour_noise_scale: Standard deviation of α (§4.1: 0.1).
        colour_noise_until: Share of the training after which it is off (2012 code: 0.73).
        jpeg_share: Probability with which an image, as it is stored, is saved as JPEG and read again before its crop;
            the paper has none.
        jpeg_quality: Lowest and highest quality of these, 1..100; each is drawn uniformly.
    """

    crop: Literal["random", "center"] = "random"
    crops_per: Literal["image", "chunk"] = "image"
    padding: Annotated[int, Field(ge=0)] = 0
    flip: Literal["random", "alternating", "none"] = "random"
    colour_noise: Literal["sqrt_eigenvalue", "eigenvalue", "none"] = "eigenvalue"
    colour_noise_scale: Annotated[float, Field(ge=0)] = 0.1
    colour_noise_until: Share = 1.0
    jpeg_share: Share = 0.0
    jpeg_quality: Annotated[list[Annotated[int, Field(ge=1, le=100)]], Field(min_length=2, max_length=2)] = [50, 95]

    @model_validator(mode="after")
    def _combine(self) -> Self:
        if self.flip == "alternating" and self.crops_per == "chunk":
            raise ValueError("flip: alternating turns each image by itself, so it needs crops_per: image, got chunk")
        if self.padding and self.crop == "center":
            raise ValueError(f"padding widens random crops only, so crop: center needs padding 0, got {self.padding}")
        if self.jpeg_quality[0] > self.jpeg_quality[1]:
            raise ValueError(f"jpeg_quality must be [lowest, highest], got {self.jpeg_quality}")
        return self
