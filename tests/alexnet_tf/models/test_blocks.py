import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.devices import precision
from alexnet_tf.models.blocks import convolve_blocks
from alexnet_tf.models.layers import TowerConv2D
from tests.reference import towers as reference


def normal(*shape, seed=0, dtype=tf.float32):
    return tf.cast(np.random.default_rng(seed).normal(size=shape), dtype)


@pytest.mark.parametrize("padding", [(0, 0), (0, 3), (2, 1)])
@pytest.mark.parametrize(
    ("rows", "columns", "size", "stride"),
    [(227, 224, 11, 4), (30, 29, 11, 4), (16, 19, 4, 4), (12, 13, 3, 2), (13, 9, 2, 3), (14, 15, 1, 2)],
)
def test_blocks_make_what_windows_of_pixels_make(rows, columns, size, stride, padding):
    maps = normal(2, rows, columns, 3)
    kernels = [normal(size, size, 3, 4, seed=seed) for seed in (1, 2)]
    found = convolve_blocks(maps, kernels, stride, padding)
    for kernel, ours in zip(kernels, found, strict=True):
        expected = reference.convolve(
            maps.numpy(), kernel.numpy(), np.zeros(4, np.float32), stride=stride, padding=padding
        )
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_their_gradients_are_those_of_windows(dtype):
    """Also on images of which the last rows and columns are in no window."""
    maps, kernel = normal(3, 34, 33, 3, dtype=dtype), normal(11, 11, 3, 4, seed=1, dtype=dtype)
    upstream = normal(3, 6, 6, 4, seed=2, dtype=dtype)

    def gradients(convolve):
        with tf.GradientTape() as tape:
            tape.watch([maps, kernel])
            output = convolve()
        return [tf.cast(each, tf.float32) for each in tape.gradient(output, [maps, kernel], upstream)]

    found = gradients(lambda: convolve_blocks(maps, [kernel], 4, (0, 0))[0])
    expected = gradients(lambda: tf.nn.conv2d(maps, kernel, 4, "VALID"))
    roundings = 2**-22 if dtype == "float32" else 2**-7
    for ours, theirs in zip(found, expected, strict=True):
        assert np.linalg.norm(ours - theirs) < roundings * np.linalg.norm(theirs)
    assert not np.any(found[0][:, 31:])
    assert np.any(found[0][:, 30])


@pytest.mark.parametrize(
    ("features", "gpus", "dtype", "blocks"),
    [
        (["avx2", "amx_bf16"], [], "bfloat16", True),
        (["avx2", "amx_bf16"], [], "float32", False),
        (["avx512_bf16"], [], "bfloat16", False),
        (["amx_bf16"], ["GPU:0"], "bfloat16", False),
    ],
)
def test_conv1_is_computed_in_blocks_on_the_matrix_units_of_a_processor(monkeypatch, features, gpus, dtype, blocks):
    monkeypatch.setattr(precision, "processor_features", lambda: features)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    layer = TowerConv2D(
        filters=8, kernel_size=11, strides=4, padding=(0, 3), towers=2, sees="all", bias=0.5, dtype=dtype
    )
    images = normal(2, 32, 32, 3)
    layer([images])
    layer.kernel.assign(normal(*layer.kernel.shape, seed=1))
    graph = tf.function(layer).get_concrete_function([images]).graph
    strides = {tuple(each.get_attr("strides")) for each in graph.get_operations() if each.type == "Conv2D"}
    assert strides == {(1, 1, 1, 1) if blocks else (1, 4, 4, 1)}
    plain = reference.convolve(images.numpy(), layer.kernel.numpy(), layer.bias.numpy(), stride=4, padding=(0, 3))
    found = tf.cast(tf.concat(layer([images]), axis=-1), tf.float32)
    assert np.linalg.norm(found - plain) < (1e-5 if dtype == "float32" else 1e-2) * np.linalg.norm(plain)
