import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.models.batch_norm import EPSILON, gelu
from tests.alexnet_tf.models.test_networks import build, draw, random_images
from tests.alexnet_tf.small_training import alexnet_bn
from tests.reference import towers as reference_towers


def test_the_optimized_network_starts_with_he_weights():
    model = build(alexnet_bn(filters=[64, 64, 64, 64, 64], dense_units=[256, 256]), crop_size=32)
    for layer in [*model.convs, *model.dense]:
        fan_in = np.prod(layer.kernel.shape[:-1])
        assert np.std(layer.kernel) == pytest.approx((2 / fan_in) ** 0.5, rel=0.06)
    assert all(layer.bias is None for layer in [*model.convs, *model.dense])


def test_identity_kernels_pass_their_input_on():
    model = build(alexnet_bn(filters=[4, 6, 3, 8, 8], initialization="identity"), crop_size=32)
    maps = np.random.default_rng(0).normal(size=(1, 9, 9, 8)).astype(np.float32)
    for conv, depth in zip(model.convs[1:], (4, 6, 3, 8), strict=True):
        passed = min(depth, conv.filters)
        output = conv(maps[..., :depth]).numpy()
        np.testing.assert_allclose(output[..., :passed], maps[..., :passed], rtol=1e-6)
        assert np.all(np.abs(output[..., passed:]).max((0, 1, 2)) > 0.1)
    assert np.std(model.convs[0].kernel) == pytest.approx((2 / 27) ** 0.5, rel=0.3)


def test_the_optimized_network_normalizes_by_the_batch_in_training_only():
    model = build(alexnet_bn(dropout=0.0, pool_order="after_norm"), crop_size=32)
    images = random_images(8, 32)
    before = model.norms[0].moving_mean.numpy()
    training = model(images, training=True, draw=draw(count=8))
    conv1 = model.convs[0](images)
    # Batch normalization keeps 0.9 of the old moving mean, which starts at 0.
    np.testing.assert_allclose(model.norms[0].moving_mean, 0.1 * np.mean(conv1, axis=(0, 1, 2)), rtol=1e-4, atol=1e-5)
    assert not np.array_equal(before, model.norms[0].moving_mean)
    after = model.norms[0].moving_mean.numpy()
    assert not np.allclose(training, model(images, training=False))
    np.testing.assert_array_equal(after, model.norms[0].moving_mean)


@pytest.mark.parametrize("order", ["before_norm", "after_norm"])
@pytest.mark.parametrize("conv1", ["learned", "whitening"])
def test_the_optimized_network_is_made_of_plain_parts(order, conv1):
    spec = alexnet_bn(
        pool_order=order,
        conv1=conv1,
        filters=[6, 8, 8, 8, 8],
        kernel_sizes=[2, 3, 3, 3, 3],
        pools=[1, 2, 1, 2, 2],
        logit_scale=0.5,
        activation="gelu",
    )
    side = 33 if conv1 == "whitening" else 32  # conv2 sees 32 pixels
    model = build(spec, crop_size=side)
    norms = {layer.name: layer for layer in model.norms}
    assert ("norm1" in norms) == (conv1 == "learned") == bool(model.convs[0].trainable_variables)

    def normalize(x, name):
        if name not in norms:
            return gelu(x)
        norm = norms[name]
        return gelu(
            (x - norm.moving_mean.numpy()) / np.sqrt(norm.moving_variance.numpy() + EPSILON) + norm.beta.numpy()
        )

    generator = np.random.default_rng(0)
    for norm in model.norms:
        for variable in (norm.moving_mean, norm.moving_variance, norm.beta):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    images = x = random_images(3, side) / 60
    for number, (conv, pool) in enumerate(zip(model.convs, spec.pools, strict=True), start=1):
        x = tf.nn.conv2d(x, conv.kernel, 1, "VALID" if number == 1 and conv1 == "whitening" else "SAME")
        pooled = reference_towers.max_pool(x.numpy(), window=pool, stride=pool) if order == "before_norm" else x
        x = normalize(pooled, f"norm{number}")
        if order == "after_norm":
            x = reference_towers.max_pool(x.numpy(), window=pool, stride=pool)
    x = np.reshape(x, (3, -1))
    for number in (6, 7):
        x = normalize(x @ model.dense[number - 6].kernel.numpy(), f"norm{number}")
    np.testing.assert_allclose(model(images), 0.5 * (x @ model.dense[2].kernel.numpy()), rtol=1e-4, atol=1e-5)
