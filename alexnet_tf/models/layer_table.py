"""The arithmetic of the networks' layers: shapes, parameters, multiply-adds. No TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from alexnet_tf.models.four_layer_spec import CONV_SIZE, LOCAL_SIZE, POOL, FourLayerSpec
from alexnet_tf.models.specs import LAYER_NAMES, AlexNetBNSpec, AlexNetSpec, Network
from alexnet_tf.models.window_geometry import (
    KERNEL_SIZES,
    SEES,
    STRIDES,
    bn_conv1_padding,
    bn_head_size,
    conv_paddings,
    pool_geometry,
    pool_overrun,
)

_RGB = 3  # channels of the input


@dataclass(frozen=True)
class LayerRow:
    """One layer of a network.

    Attributes:
        name: The paper's name, such as `conv1`.
        kind: What it does, in words.
        output_shape: (H, W, C), or (units,).
        parameters: All numbers that a file of the network holds of it: weights, biases, running statistics.
        multiply_adds: Multiply-adds of one image's forward pass.
        untrained: Of the parameters those that no gradient changes: running statistics, and a first layer that is
            computed.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int = 0
    multiply_adds: int = 0
    untrained: int = 0


def layer_table(network: Network, crop_size: int, num_classes: int) -> list[LayerRow]:
    """Return one row a layer, from the arithmetic of the layers alone.

    Args:
        network: What to count.
        crop_size: Height and width of the RGB input in pixels.
        num_classes: Units of the last layer.

    Raises:
        ValueError: When the crop is too small for the network.
    """
    if isinstance(network, AlexNetSpec):
        return _alexnet_table(network, crop_size, num_classes)
    if isinstance(network, FourLayerSpec):
        return _four_layer_table(network, crop_size, num_classes)
    return _alexnet_bn_table(network, crop_size, num_classes)


def _windows(size: int, kernel: int, stride: int, padding: tuple[int, int]) -> int:
    if size + sum(padding) < kernel:
        raise ValueError(
            f"a {kernel}-pixel window does not fit in {size} pixels: the crop is too small for this network"
        )
    return (size + sum(padding) - kernel) // stride + 1


def _alexnet_table(network: AlexNetSpec, crop_size: int, num_classes: int) -> list[LayerRow]:
    rows = []
    size, depth = crop_size, _RGB
    paddings = conv_paddings(network, crop_size)
    window, pool_stride = pool_geometry(network.pooling)
    for index, filters in enumerate(network.filters):
        if (name := LAYER_NAMES[index]) != network.left_out:
            kernel, stride = KERNEL_SIZES[index], STRIDES[index]
            size = _windows(size, kernel, stride, paddings[index])
            towers = network.towers if SEES[index] == "own" else 1
            fan_in = kernel * kernel * depth // towers
            groups = f", {towers} towers" if towers > 1 else ""
            kind = f"{kernel}x{kernel}/{stride} conv{groups}"
            rows.append(_row(name, kind, (size, size, filters), fan_in, filters))
            depth = filters
        if index < 2 and network.lrn:
            kind = "LRN, same-map" if index == 1 and network.same_map_normalization else "LRN"
            rows.append(LayerRow(f"norm{index + 1}", kind, (size, size, depth)))
        if index in (0, 1, 4):
            size = _windows(size, window, pool_stride, (0, pool_overrun(size, window, pool_stride)))
            rows.append(LayerRow(f"pool{index + 1}", f"{window}x{window}/{pool_stride} max", (size, size, depth)))
    return rows + _dense_rows(size * size * depth, network.dense_units, num_classes)


def _alexnet_bn_table(network: AlexNetBNSpec, crop_size: int, num_classes: int) -> list[LayerRow]:
    rows = []
    size, depth = crop_size, _RGB
    for index, (filters, kernel, pool) in enumerate(
        zip(network.filters, network.kernel_sizes, network.pools, strict=True)
    ):
        stride = network.conv1_stride if index == 0 else 1
        size = _windows(size, kernel, stride, _bn_padding(network, index, size, kernel, stride))
        kind = f"{kernel}x{kernel}/{stride} conv"
        conv = _row(f"conv{index + 1}", kind, (size, size, filters), kernel * kernel * depth, filters, bias=False)
        computed = index == 0 and network.conv1 != "learned"
        rows.append(replace(conv, untrained=conv.parameters) if computed else conv)
        depth = filters
        pooled = size if pool == 1 else _windows(size, pool, pool, (0, 0))
        normed = pooled if network.pool_order == "before_norm" else size
        pool_row = LayerRow(f"pool{index + 1}", f"{pool}x{pool}/{pool} max", (pooled, pooled, depth))
        steps = [] if pool == 1 else [pool_row]
        if index > 0 or network.conv1 == "learned":
            norm = _batch_norm(network, index + 1, (normed, normed, depth))
            steps = [*steps, norm] if network.pool_order == "before_norm" else [norm, *steps]
        rows += steps
        size = pooled
    dense = _dense_rows(bn_head_size(size) ** 2 * depth, network.dense_units, num_classes, bias=False)
    for index, units in ((2, network.dense_units[1]), (1, network.dense_units[0])):
        dense.insert(index, _batch_norm(network, index + 5, (units,)))
    return rows + dense


def _four_layer_table(network: FourLayerSpec, crop_size: int, num_classes: int) -> list[LayerRow]:
    rows = []
    size, depth = crop_size, _RGB
    window, stride = POOL
    for number, filters in enumerate(network.filters, start=1):
        kind = f"{CONV_SIZE}x{CONV_SIZE}/1 conv"
        rows.append(_row(f"conv{number}", kind, (size, size, filters), CONV_SIZE**2 * depth, filters))
        pooled, depth = _windows(size, window, stride, (0, pool_overrun(size, window, stride))), filters
        steps = [LayerRow(f"pool{number}", f"{window}x{window}/{stride} max", (pooled, pooled, depth))]
        if network.lrn:
            first = number == 2 or network.lrn_order == "before_pool"
            side = size if first else pooled
            steps.insert(0 if first else 1, LayerRow(f"norm{number}", "LRN", (side, side, depth)))
        rows += steps
        size = pooled
    for number, filters in enumerate(network.local_filters, start=3):
        products = size * size * LOCAL_SIZE**2 * depth * filters  # a weight is used once
        shape, parameters = (size, size, filters), products + size * size * filters
        rows.append(LayerRow(f"local{number}", f"{LOCAL_SIZE}x{LOCAL_SIZE}/1 local", shape, parameters, products))
        depth = filters
    return [*rows, _row("fc10", "dense", (num_classes,), size * size * depth, num_classes)]


def _bn_padding(network: AlexNetBNSpec, index: int, size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return a convolution's zeros before and after, in pixels: a window at every stride, or only whole ones."""
    if index == 0 and bn_conv1_padding(network) == "valid":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _batch_norm(network: AlexNetBNSpec, number: int, shape: tuple[int, ...]) -> LayerRow:
    learned, statistics = (2 if network.batch_norm_scale else 1) * shape[-1], 2 * shape[-1]
    return LayerRow(f"norm{number}", "batch norm", shape, learned + statistics, untrained=statistics)


def _dense_rows(fan_in: int, dense_units: Sequence[int], num_classes: int, *, bias: bool = True) -> list[LayerRow]:
    rows = []
    for name, units in zip(LAYER_NAMES[5:], (*dense_units, num_classes), strict=True):
        rows.append(_row(name, "dense", (units,), fan_in, units, bias=bias))
        fan_in = units
    return rows


def _row(name: str, kind: str, shape: tuple[int, ...], fan_in: int, units: int, *, bias: bool = True) -> LayerRow:
    positions = shape[0] * shape[1] if len(shape) == 3 else 1
    return LayerRow(name, kind, shape, fan_in * units + (units if bias else 0), fan_in * units * positions)
