"""A trained network as an ONNX graph, written operator by operator from its description and its weights.

No converter is in between: those that exist take the inner compiled functions of these networks, or a grouped
convolution of Keras, for something that they are not, and say nothing. Only this module imports `onnx`.

The graph takes `images` (N, crop, crop, 3) float32, RGB, 0..255: centre crops of images that were prepared as for the
pipeline; the mean and the divisor are inside. It returns `logits` (N, K) float32. N is free. Towers (§3.2) are grouped
convolutions, and response normalization (§3.3) is the operator LRN.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from alexnet_tf.models import four_layer_spec
from alexnet_tf.models.alexnet import AlexNet
from alexnet_tf.models.alexnet_bn import AlexNetBN
from alexnet_tf.models.batch_norm import EPSILON, GELU_SLOPE
from alexnet_tf.models.four_layer import FourLayer
from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.models.window_geometry import pool_geometry, pool_overrun

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier

OPSET, IR_VERSION = 17, 8  # of 2022: nothing here needs a later one, and old runtimes refuse files of a later one
_TO_MAPS, _TO_POSITIONS = (0, 3, 1, 2), (0, 2, 3, 1)  # ONNX has the maps before the rows


def convert(classifier: "Classifier") -> bytes:
    """Return the ONNX file of a network, of equal bytes for equal classifiers.

    A network of precision `bfloat16` is converted from its float32 master weights and computes in float32.
    """
    model, crop, names = classifier.model, classifier.crop_size, classifier.class_names
    writers = {AlexNet: _alexnet, AlexNetBN: _alexnet_bn, FourLayer: _four_layer}
    graph = _Graph()
    x = graph.add("Sub", "images", graph.constant("mean", classifier.views.mean))
    x = graph.add("Div", x, graph.constant("divide_by", classifier.views.spec.divide_by))
    x = graph.add("Transpose", x, perm=_TO_MAPS)
    sides = {row.name: row.output_shape[0] for row in layer_table(model.spec, crop, len(names))}
    graph.add("Identity", writers[type(model)](graph, model, x, sides), name="logits")
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            model.spec.name,
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", crop, crop, 3])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(names)])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="alexnet_tf",
    )
    helper.set_model_props(made, {"class_names": json.dumps(names)})
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString(deterministic=True)


class _Graph:
    """Nodes in the order of the computation, each with one output of its own name, and the constants they use."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Keep an array under a name and return the name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(values, dtype)), name))
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node and return its output's name, which is also the node's."""
        name = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def scaled(self, x: str, factor: float) -> str:
        """Multiply by a number."""
        return self.add("Mul", x, self.constant(f"factor_{len(self.nodes)}", factor))

    def conv(self, x: str, layer: Any, *, groups: int = 1, **padding: Any) -> str:
        """Convolve with a layer's kernel (rows, columns, maps, filters), and its bias if it has one."""
        weights = [self.constant(f"{layer.name}/kernel", layer.kernel.numpy().transpose(3, 2, 0, 1))]
        if layer.bias is not None:
            weights.append(self.constant(f"{layer.name}/bias", layer.bias.numpy()))
        strides = np.broadcast_to(layer.strides, 2).tolist()
        return self.add("Conv", x, *weights, name=layer.name, group=groups, strides=strides, **padding)

    def dense(self, x: str, layer: Any) -> str:
        """Multiply (N, inputs) with a layer's kernel (inputs, units), and add its bias if it has one."""
        weights = [self.constant(f"{layer.name}/kernel", layer.kernel.numpy())]
        if layer.bias is not None:
            weights.append(self.constant(f"{layer.name}/bias", layer.bias.numpy()))
        return self.add("Gemm", x, *weights, name=layer.name)

    def max_pool(self, x: str, window: int, stride: int, after: int = 0) -> str:
        """Take maxima; the last window may overrun by `after` pixels, which count as nothing."""
        pads = [0, 0, after, after]
        return self.add("MaxPool", x, kernel_shape=[window] * 2, strides=[stride] * 2, pads=pads)

    def response_norm(self, x: str, layer: Any, parts: int = 1) -> str:
        """Normalize over neighbouring maps (§3.3), within each of `parts` equal parts of the maps."""
        attributes = {"beta": layer.beta, "bias": layer.k, "size": layer.size}
        attributes["alpha"] = layer.alpha * layer.size  # ONNX divides α by the window's size, the paper does not
        if parts == 1:
            return self.add("LRN", x, name=layer.name, **attributes)
        pieces = [f"{layer.name}/in{index}" for index in range(parts)]
        self.nodes.append(helper.make_node("Split", [x], pieces, f"{layer.name}/split", axis=1))
        normalized = [
            self.add("LRN", piece, name=f"{layer.name}/tower{index}", **attributes)
            for index, piece in enumerate(pieces)
        ]
        return self.add("Concat", *normalized, name=layer.name, axis=1)

    def activation(self, x: str, name: str) -> str:
        """Apply `relu`, `tanh` or `gelu`."""
        if name != "gelu":
            return self.add({"relu": "Relu", "tanh": "Tanh"}[name], x)
        return self.add("Mul", x, self.add("Sigmoid", self.scaled(x, GELU_SLOPE)))

    def flat(self, x: str) -> str:
        """Flatten maps in the order that Keras does: by position, then by map."""
        return self.add("Flatten", self.add("Transpose", x, perm=_TO_POSITIONS))


def _alexnet(graph: _Graph, model: AlexNet, x: str, sides: dict[str, int]) -> str:
    spec = model.spec
    window, stride = pool_geometry(spec.pooling)

    def pool(x: str, conv: Any) -> str:
        return graph.max_pool(x, window, stride, pool_overrun(sides[conv.name], window, stride))

    for index, conv in enumerate(model.convs):
        before, after = conv.padding
        pads = [before, before, after, after]
        x = graph.conv(x, conv, groups=spec.towers if conv.sees == "own" else 1, pads=pads)
        first = index == 0 and spec.lrn_order == "before_relu"
        if not first:
            x = graph.activation(x, spec.activation)
        if index < 2 and spec.lrn:
            x = graph.response_norm(x, model.norms[index], spec.towers if spec.lrn_scope == "tower" else 1)
        if index == 1 and spec.lrn and spec.same_map_normalization:
            x = _same_map_norm(graph, x)
        if index < 2 or conv is model.convs[-1]:
            x = pool(x, conv)
        if first:
            x = graph.activation(x, spec.activation)
    x = graph.flat(x)
    for dense in model.dense[:2]:
        x = graph.activation(graph.dense(x, dense), spec.activation)
        if spec.dropout_scaling == "at_test":
            x = graph.scaled(x, 1 - spec.dropout)
    return graph.dense(x, model.dense[2])


def _same_map_norm(graph: _Graph, x: str) -> str:
    """Write `lrn.same_map_normalization`: a / (1 + 0.001 · mean of a² over 5 x 5)^0.75."""
    mean = graph.add(
        "AveragePool", graph.add("Mul", x, x), kernel_shape=[5, 5], pads=[2] * 4, count_include_pad=1, strides=[1, 1]
    )
    d = graph.add("Add", graph.scaled(mean, 0.001), graph.constant("same_map/one", 1))
    return graph.add("Div", x, graph.add("Pow", d, graph.constant("same_map/beta", 0.75)))


def _alexnet_bn(graph: _Graph, model: AlexNetBN, x: str, sides: dict[str, int]) -> str:
    spec = model.spec
    norms = {layer.name: layer for layer in model.norms}

    def normalized(x: str, number: int) -> str:
        layer = norms.get(f"norm{number}")  # a whitening conv1 has none
        if layer is not None:
            values = {
                "gamma": np.ones(layer.beta.shape) if layer.gamma is None else layer.gamma.numpy(),
                "beta": layer.beta.numpy(),
                "mean": layer.moving_mean.numpy(),
                "variance": layer.moving_variance.numpy(),
            }
            constants = [graph.constant(f"{layer.name}/{name}", value) for name, value in values.items()]
            x = graph.add("BatchNormalization", x, *constants, name=layer.name, epsilon=EPSILON)
        return graph.activation(x, spec.activation)

    for number, (conv, pool) in enumerate(zip(model.convs, spec.pools, strict=True), start=1):
        x = graph.conv(x, conv, auto_pad="VALID" if conv.padding == "valid" else "SAME_UPPER")
        if spec.pool_order == "after_norm":
            x = normalized(x, number)
        if pool > 1:
            x = graph.max_pool(x, pool, pool)
        if spec.pool_order == "before_norm":
            x = normalized(x, number)
    side = sides["conv5"] // spec.pools[4]
    if side > 4:
        window = [side // 4] * 2
        x = graph.add("AveragePool", x, kernel_shape=window, strides=window)
    x = graph.flat(x)
    for number in (6, 7):
        x = normalized(graph.dense(x, model.dense[number - 6]), number)
    return graph.scaled(graph.dense(x, model.dense[2]), spec.logit_scale)


def _four_layer(graph: _Graph, model: FourLayer, x: str, sides: dict[str, int]) -> str:
    spec = model.spec
    window, stride = four_layer_spec.POOL
    for index, conv in enumerate(model.convs):
        x = graph.activation(graph.conv(x, conv, auto_pad="SAME_UPPER"), spec.activation)
        overrun = pool_overrun(sides[f"conv{index + 1}"], window, stride)
        norm_last = index == 0 and spec.lrn_order == "after_pool"
        if spec.lrn and not norm_last:
            x = graph.response_norm(x, model.norms[index])
        x = graph.max_pool(x, window, stride, overrun)
        if spec.lrn and norm_last:
            x = graph.response_norm(x, model.norms[index])
    for layer in model.locals:
        x = graph.activation(_locally_connected(graph, x, layer), spec.activation)
    return graph.dense(graph.flat(x), model.classifier)


def _locally_connected(graph: _Graph, x: str, layer: Any) -> str:
    """Write `layers.locally_connected`: windows as (rows, columns, N, size · size · maps), one product a position."""
    rows, columns, _, _ = layer.kernel.shape
    size = layer.kernel_size
    edge = size // 2
    pads = graph.constant(f"{layer.name}/pads", [edge, edge, 0, 0] * 2, np.int64)
    x = graph.add("Pad", graph.add("Transpose", x, perm=(2, 3, 0, 1)), pads)
    axes = graph.constant(f"{layer.name}/axes", [0, 1], np.int64)
    windows = []
    for row in range(size):
        for column in range(size):
            start = graph.constant(f"{layer.name}/start{row}{column}", [row, column], np.int64)
            end = graph.constant(f"{layer.name}/end{row}{column}", [row + rows, column + columns], np.int64)
            windows.append(graph.add("Slice", x, start, end, axes))
    kernel = graph.constant(f"{layer.name}/kernel", layer.kernel.numpy())
    bias = graph.constant(f"{layer.name}/bias", layer.bias.numpy()[:, :, None, :])
    x = graph.add("MatMul", graph.add("Concat", *windows, axis=-1), kernel)
    return graph.add("Transpose", graph.add("Add", x, bias), name=layer.name, perm=(2, 3, 0, 1))
