import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.devices import precision
from alexnet_tf.models.lrn import LocalResponseNormalization, local_response_normalization, same_map_normalization
from tests.reference import lrn as reference

PAPER = {"alpha": 1e-4, "beta": 0.75, "k": 2.0, "size": 5}
CODE = PAPER | {"alpha": 2e-5}  # layer.py divides by the window
METHODS = ("shifts", "band")
STRONG = {"alpha": 0.5, "beta": 0.75, "k": 1.5, "size": 5}  # the sum weighs as much as k


def random_maps(channels=12, *, scale=1.0, seed=0):
    return (np.random.default_rng(seed).normal(size=(2, 3, 4, channels)) * scale).astype(np.float32)


@functools.cache
def compiled(**settings):
    return tf.function(lambda maps: local_response_normalization(maps, **settings))


def normalized(maps, settings, method="auto"):
    return compiled(**settings, method=method)(tf.constant(maps)).numpy()


def test_one_pixel_by_hand():
    pixel = np.float32([10, 20, 30, 40, 50, 60]).reshape(1, 1, 1, 6)
    expected = [
        10 / (2 + 1e-4 * (100 + 400 + 900)) ** 0.75,
        20 / (2 + 1e-4 * (100 + 400 + 900 + 1600)) ** 0.75,
        30 / (2 + 1e-4 * (100 + 400 + 900 + 1600 + 2500)) ** 0.75,
        40 / (2 + 1e-4 * (400 + 900 + 1600 + 2500 + 3600)) ** 0.75,
        50 / (2 + 1e-4 * (900 + 1600 + 2500 + 3600)) ** 0.75,
        60 / (2 + 1e-4 * (1600 + 2500 + 3600)) ** 0.75,
    ]
    np.testing.assert_allclose(normalized(pixel, PAPER)[0, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 12])
@pytest.mark.parametrize(
    "settings", [PAPER, CODE, STRONG, STRONG | {"beta": 0.5}, STRONG | {"size": 3}, STRONG | {"size": 1}]
)
def test_it_equals_the_paper_formula_to_the_edges(settings, channels):
    maps = random_maps(channels, scale=60)
    expected = reference.local_response_normalization(
        maps, k=settings["k"], n=settings["size"], alpha=settings["alpha"], beta=settings["beta"]
    )
    np.testing.assert_allclose(normalized(maps, settings), expected, rtol=2e-6)


@pytest.mark.parametrize(("channels", "size"), [(1, 5), (4, 5), (12, 5), (12, 3), (12, 1)])
def test_the_band_reaches_as_far(channels, size):
    maps = random_maps(channels, scale=60)
    expected = reference.local_response_normalization(maps, k=1.5, n=size, alpha=0.5, beta=0.75)
    np.testing.assert_allclose(normalized(maps, STRONG | {"size": size}, "band"), expected, rtol=2e-6)


def test_it_equals_tensorflow_whose_depth_radius_is_half_the_window():
    maps = random_maps(scale=60)
    theirs = tf.nn.local_response_normalization(maps, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)
    # TensorFlow takes the power through logarithm and exponential in float32.
    np.testing.assert_allclose(normalized(maps, PAPER), theirs, rtol=2e-5)


def gradient(maps, upstream, settings, *, method="auto", dtype=tf.float32):
    maps = tf.cast(maps, dtype)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        output = local_response_normalization(maps, **settings, method=method)
    slope = tape.gradient(output, maps, output_gradients=tf.cast(upstream, dtype))
    assert output.dtype == slope.dtype == dtype
    return tf.cast(slope, tf.float32).numpy()


PRECISIONS = [(tf.float32, 1e-6), (tf.bfloat16, 2**-7)]
"""With the relative difference that its digits explain."""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_the_gradient_of_one_output_by_hand(dtype, tolerance, method):
    # b_1 = a_1 d^-3/4 with d = 3/2 + (1 + 4)/2 = 4, which a_3 has no part in.
    maps, upstream = np.reshape([1, 2, 3], (1, 1, 1, 3)), np.reshape([1, 0, 0], (1, 1, 1, 3))
    ours = gradient(maps, upstream, STRONG | {"size": 3}, dtype=dtype, method=method)
    expected = [2**-1.5 - 0.75 * 2**-3.5, -0.75 * 2 * 2**-3.5, 0]
    np.testing.assert_allclose(ours[0, 0, 0], expected, rtol=tolerance)


def plain(maps, *, alpha, beta, k, size):
    """The formula in float64, differentiated by TensorFlow."""
    total = tf.nn.avg_pool1d(
        tf.pad(tf.reshape(maps**2, (-1, maps.shape[-1], 1)), [[0, 0], [size // 2] * 2, [0, 0]]),
        size,
        1,
        "VALID",
    )
    return maps / (k + alpha * size * tf.reshape(total, maps.shape)) ** beta


@pytest.mark.parametrize(
    ("settings", "method"),
    [(PAPER, "shifts"), (STRONG, "shifts"), *((STRONG | {"beta": 0.6, "size": 3}, method) for method in METHODS)],
)
def test_gradient_equals_automatic_differentiation(settings, method):
    maps, upstream = random_maps(), random_maps(seed=1)
    exact = tf.constant(maps, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(exact)
        output = plain(exact, **settings)
    theirs = tape.gradient(output, exact, output_gradients=tf.constant(upstream, tf.float64))
    ours = gradient(maps, upstream, settings, method=method)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_gradient_equals_finite_differences(dtype, tolerance, method):
    maps, upstream = (tf.cast(tf.cast(random_maps(6, seed=seed), dtype), tf.float32).numpy() for seed in (0, 1))
    ours = gradient(maps, upstream, STRONG, dtype=dtype, method=method)

    def loss(values):
        return np.sum(upstream * reference.local_response_normalization(values, k=1.5, n=5, alpha=0.5, beta=0.75))

    step, exact = 1e-5, maps.astype(np.float64)
    for place in [(0, 0, 0, 0), (1, 2, 3, 5), (0, 1, 2, 2), (1, 0, 0, 1)]:
        change = np.zeros_like(exact)
        change[place] = step
        slope = (loss(exact + change) - loss(exact - change)) / (2 * step)
        assert ours[place] == pytest.approx(slope, rel=tolerance + 1e-4, abs=tolerance + 1e-5)


@given(st.integers(0, 100))
@settings(max_examples=10)  # each example runs a compiled program
def test_properties(seed):
    maps = random_maps(seed=seed, scale=5)
    normal = normalized(maps, STRONG)
    np.testing.assert_array_equal(normalized(maps[:, ::-1], STRONG), normal[:, ::-1])  # space commutes
    np.testing.assert_allclose(normalized(maps[..., ::-1], STRONG), normal[..., ::-1], rtol=1e-6)
    assert np.all(np.abs(normal) <= np.abs(maps) / 1.5**0.75 * (1 + 1e-6))
    np.testing.assert_array_equal(np.sign(normal), np.sign(maps))
    assert not normalized(np.zeros_like(maps), STRONG).any()


@pytest.mark.parametrize(("method", "roundings"), [("shifts", 1), ("band", 2)])
def test_bfloat16_differs_from_float32_by_its_roundings(method, roundings):
    maps, upstream = (tf.cast(random_maps(scale=60, seed=seed), tf.bfloat16) for seed in (0, 1))
    exact = normalized(tf.cast(maps, tf.float32).numpy(), STRONG)
    rounded = tf.cast(compiled(**STRONG, method=method)(maps), tf.float32)
    np.testing.assert_allclose(rounded, exact, rtol=roundings * 2**-8)
    slopes = [gradient(maps, upstream, STRONG, dtype=dtype, method=method) for dtype in (tf.float32, tf.bfloat16)]
    assert np.linalg.norm(slopes[1] - slopes[0]) < 2**-7 * np.linalg.norm(slopes[0])


@pytest.fixture
def compiled_anew():
    """Programs keep what the processor was when they were compiled."""
    compiled.cache_clear()
    yield
    compiled.cache_clear()


@pytest.mark.usefixtures("compiled_anew")
@pytest.mark.parametrize(
    ("features", "gpus", "method"),
    [(["avx2", "amx_bf16"], [], "band"), (["avx512_bf16"], [], "shifts"), (["avx2", "amx_bf16"], ["GPU:0"], "shifts")],
)
def test_the_band_is_for_bfloat16_on_the_matrix_units_of_a_processor(monkeypatch, features, gpus, method):
    monkeypatch.setattr(precision, "processor_features", lambda: features)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    maps = random_maps(scale=60)
    np.testing.assert_array_equal(normalized(maps, PAPER), normalized(maps, PAPER, "shifts"))
    half = tf.cast(maps, tf.bfloat16)
    np.testing.assert_array_equal(normalized(half, PAPER), normalized(half, PAPER, method))
    assert np.any(normalized(half, PAPER, "band") != normalized(half, PAPER, "shifts"))


def test_the_layer_remembers_its_settings():
    layer = LocalResponseNormalization(**STRONG, name="norm1")
    maps = random_maps()
    again = LocalResponseNormalization.from_config(layer.get_config())
    np.testing.assert_array_equal(layer(maps), again(maps))
    np.testing.assert_array_equal(layer(maps), normalized(maps, STRONG))


def test_same_map_normalization_sums_5_x_5_neighbours_of_the_same_channel():
    maps = (np.random.default_rng(0).normal(size=(2, 7, 6, 3)) * 100).astype(np.float32)
    expected = reference.same_map_normalization(maps)
    np.testing.assert_allclose(same_map_normalization(tf.constant(maps)), expected, rtol=1e-5)
