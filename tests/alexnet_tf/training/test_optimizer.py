import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from alexnet_tf.profiles import PROFILES
from alexnet_tf.training.optimizer import (
    Adam,
    MomentumSGD,
    Muon,
    adam_update,
    momentum_update,
    muon_update,
    orthogonalized,
)
from tests.alexnet_tf.small_training import optimizer
from tests.reference.sgd import momentum_step


def step(w, v, gradient, rate, *, momentum=0.9, coupled=0.0005, decoupled=0.0, nesterov=False):
    w, v = (tf.Variable(value, dtype=tf.float32) for value in (w, v))
    gradient, rate = (tf.constant(value, tf.float32) for value in (gradient, rate))
    momentum_update(w, v, gradient, rate, momentum, coupled, decoupled, nesterov)
    return w, v


def test_three_steps_by_hand_with_a_drop_of_the_learning_rate():
    # Momentum 1/2, decay 1/4, rates 0.1, 0.1, 0.01, gradients 1, 2, -1, from w = 2, v = 0.
    w, v = step(2.0, 0.0, 1.0, 0.1, momentum=0.5, coupled=0.25)
    # v = -0.25·0.1·2 - 0.1·1 = -0.15
    assert (float(w), float(v)) == pytest.approx((1.85, -0.15))
    w, v = step(w, v, 2.0, 0.1, momentum=0.5, coupled=0.25)
    # v = -0.075 - 0.25·0.1·1.85 - 0.2 = -0.32125
    assert (float(w), float(v)) == pytest.approx((1.52875, -0.32125))
    w, v = step(w, v, -1.0, 0.01, momentum=0.5, coupled=0.25)
    # v = -0.160625 - 0.25·0.01·1.52875 + 0.01 = -0.154446875: the old rate lives on in the velocity
    assert (float(w), float(v)) == pytest.approx((1.374303125, -0.154446875))


def test_two_steps_of_nesterov_with_decay_by_hand():
    # Momentum 1/2, decay 1/4, rate 0.1, gradients 1 and 2, from w = 2, v = 0; the decay is a part of the slope.
    w, v = step(2.0, 0.0, 1.0, 0.1, momentum=0.5, coupled=0.25, nesterov=True)
    # slope 1 + 0.25·2 = 1.5, v = -0.15, w = 2 - 0.5·0.15 - 0.15
    assert (float(w), float(v)) == pytest.approx((1.775, -0.15))
    w, v = step(w, v, 2.0, 0.1, momentum=0.5, coupled=0.25, nesterov=True)
    # slope 2 + 0.25·1.775 = 2.44375, v = -0.075 - 0.244375, w = 1.775 + 0.5·v - 0.244375
    assert (float(w), float(v)) == pytest.approx((1.3709375, -0.319375))


def test_a_hundred_steps_equal_the_paper_rule():
    generator = np.random.default_rng(0)
    expected_w, expected_v = generator.normal(size=50), np.zeros(50)
    w, v = tf.constant(expected_w, tf.float32), tf.zeros(50)
    for number in range(100):
        rate, gradient = 0.01 * 0.1 ** (number // 40), generator.normal(size=50)
        w, v = step(w, v, gradient, rate)
        expected_w, expected_v = momentum_step(expected_w, expected_v, gradient, epsilon=rate)
    np.testing.assert_allclose(w, expected_w, rtol=1e-4, atol=1e-6)  # float32 against float64
    np.testing.assert_allclose(v, expected_v, rtol=1e-4, atol=1e-6)


@pytest.fixture
def model():
    """conv1 2 x 2 and fc8 2 x 1, with biases; its weights are 1."""
    model = keras.Sequential([keras.layers.Dense(2, name="conv1"), keras.layers.Dense(1, name="fc8")])
    model.build((1, 2))
    for variable in model.weights:
        variable.assign(tf.ones(variable.shape))
    return model


def values(model):
    return {variable.path.split("/", 1)[1]: variable.numpy() for variable in model.weights}


def apply(model, spec, gradients, *, rate=0.01, conv1_rate=None, sgd=None):
    """Take a step with the same number as gradient everywhere for each of `gradients`."""
    sgd = sgd or MomentumSGD(spec, model.trainable_variables)
    for gradient in gradients:
        slopes = [tf.fill(variable.shape, float(gradient)) for variable in model.trainable_variables]
        sgd.apply(slopes, tf.constant(rate), tf.constant(rate if conv1_rate is None else conv1_rate), tf.constant(0))
    return values(model)


@pytest.mark.parametrize("nesterov", [False, True])
def test_without_decay_it_is_the_sgd_of_keras(model, nesterov):
    spec = optimizer(weight_decay=0.0, bias_learning_rate_factor=1.0, nesterov=nesterov)
    theirs = keras.models.clone_model(model)
    theirs.set_weights(model.get_weights())
    sgd = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=nesterov)
    gradients = np.random.default_rng(0).normal(size=30)
    for gradient in gradients:
        slopes = [tf.fill(variable.shape, np.float32(gradient)) for variable in theirs.trainable_variables]
        sgd.apply(slopes, theirs.trainable_variables)
    for name, ours in apply(model, spec, gradients).items():
        np.testing.assert_allclose(ours, values(theirs)[name], rtol=1e-6, err_msg=name)


def test_decoupled_decay_is_that_of_keras(model):
    spec = optimizer(weight_decay=0.1, decay_form="decoupled", bias_decay=True, bias_learning_rate_factor=1.0)
    theirs = keras.models.clone_model(model)
    theirs.set_weights(model.get_weights())
    sgd = keras.optimizers.SGD(0.01, momentum=0.9, weight_decay=0.1)
    for _ in range(10):
        sgd.apply([tf.ones(variable.shape) for variable in theirs.trainable_variables], theirs.trainable_variables)
    for name, ours in apply(model, spec, [1] * 10).items():
        # Keras shrinks w before it adds v, we take the shrinkage from the w of before: the same to first order.
        np.testing.assert_allclose(ours, values(theirs)[name], rtol=1e-4, err_msg=name)


def test_coupled_decay_passes_through_momentum_and_is_ten_times_stronger_in_the_end(model):
    def shrinkage(form):
        for variable in model.weights:
            variable.assign(tf.ones(variable.shape))
        spec = optimizer(weight_decay=0.001, decay_form=form)
        sgd = MomentumSGD(spec, model.trainable_variables)
        before = apply(model, spec, [0] * 100, sgd=sgd)["fc8/kernel"]
        after = apply(model, spec, [0], sgd=sgd)["fc8/kernel"]
        return float(1 - (after / before)[0, 0])

    # float32 holds weights near 1 to 6e-8: the shrinkage of 1e-5 to 1 %.
    assert shrinkage("decoupled") == pytest.approx(0.01 * 0.001, rel=0.02)
    assert shrinkage("coupled") == pytest.approx(0.01 * 0.001 / (1 - 0.9), rel=0.02)


def test_biases_learn_faster_and_do_not_decay_when_asked(model):
    found = apply(model, optimizer(weight_decay=0.5, bias_learning_rate_factor=2.0), [1])
    np.testing.assert_allclose(found["fc8/bias"], 1 - 2 * 0.01 * 1, rtol=1e-6)
    np.testing.assert_allclose(found["fc8/kernel"], 1 - 0.01 * (1 + 0.5), rtol=1e-6)


def test_convolutions_keep_their_weights_when_asked(model):
    # layer-params-conv-local-11pct.cfg: wc = 0 for conv1 and conv2, 0.004 for the layers above.
    found = apply(model, optimizer(weight_decay=0.5, convolution_decay=False), [1])
    np.testing.assert_allclose(found["conv1/kernel"], 1 - 0.01 * 1, rtol=1e-6)
    np.testing.assert_allclose(found["fc8/kernel"], 1 - 0.01 * (1 + 0.5), rtol=1e-6)
    found = apply(model, optimizer(weight_decay=0.5, convolution_decay=False, bias_decay=True), [0])
    np.testing.assert_allclose(found["conv1/kernel"], 1 - 0.01 * 1, rtol=1e-6)


def test_biases_decay_when_asked(model):
    found = apply(model, optimizer(weight_decay=0.5, bias_learning_rate_factor=2.0, bias_decay=True), [1])
    np.testing.assert_allclose(found["fc8/bias"], 1 - 2 * 0.01 * (1 + 0.5), rtol=1e-6)


@pytest.mark.parametrize(
    ("profile", "rate_factor", "bias_decay"), [("original", 2, 0), ("paper", 1, 0.0005), ("caffe", 2, 0)]
)
def test_biases_and_weights_take_the_way_of_their_profile(model, profile, rate_factor, bias_decay):
    switches = {path: switch.value for path, switch in PROFILES[profile].items()}
    prefix = "training.optimizer."
    spec = optimizer(**{path.removeprefix(prefix): value for path, value in switches.items() if prefix in path})
    sgd = MomentumSGD(spec, model.trainable_variables)
    expected = {"kernel": (1.0, 0.0), "bias": (1.0, 0.0)}
    for number in range(20):
        rate, gradient = 0.1 * 0.1 ** (number // 10), (-1) ** number * (1 + number)
        found = apply(model, spec, [gradient], rate=rate, sgd=sgd)
        expected["kernel"] = momentum_step(*expected["kernel"], gradient, epsilon=rate)
        expected["bias"] = momentum_step(*expected["bias"], gradient, epsilon=rate_factor * rate, decay=bias_decay)
        for name, (w, _) in expected.items():
            # float32; the decay alone moves w by a hundred times this tolerance.
            np.testing.assert_allclose(found[f"fc8/{name}"], w, rtol=2e-6, atol=2e-6, err_msg=f"step {number}")


def test_a_frozen_conv1_stops_at_once_whatever_its_velocity(model):
    spec = optimizer(weight_decay=0.0)
    sgd = MomentumSGD(spec, model.trainable_variables)
    moving = apply(model, spec, [1] * 3, sgd=sgd)
    assert np.all(moving["conv1/kernel"] < 1)
    frozen = apply(model, spec, [1] * 3, conv1_rate=0.0, sgd=sgd)
    for name in ("conv1/kernel", "conv1/bias"):
        np.testing.assert_array_equal(frozen[name], moving[name])
    assert np.all(frozen["fc8/kernel"] < moving["fc8/kernel"])


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValidationError, match="needs a momentum above 0, got 0"):
        optimizer(nesterov=True, momentum=0.0)


def test_two_steps_of_adam_by_hand():
    # β₁ 1/2, β₂ 0.999, rate 0.1, decay 1/4: gradients 1 and -2 + decay, from w = 2.
    w, mean, square = (tf.Variable(value, dtype=tf.float32) for value in (2.0, 0.0, 0.0))
    adam_update(w, mean, square, tf.constant(1.0), tf.constant(0.1), 0.5, 0.25, tf.constant(0))
    # g = 1.5, mean 0.75, square 0.00225; corrected both are g and g²: a step of the rate, whatever the gradient.
    # The kernel takes 1 - 0.999 in float32, where it is 5e-5 more.
    assert [float(each) for each in (w, mean, square)] == pytest.approx([1.9, 0.75, 0.00225], rel=1e-4)
    adam_update(w, mean, square, tf.constant(-2.0), tf.constant(0.1), 0.5, 0.25, tf.constant(1))
    # g = -1.525, mean 0.375 - 0.7625 = -0.3875, over 1 - 1/4: -0.516667; square 0.00457338, over 1 - 0.998001: 2.287832
    assert float(w) == pytest.approx(1.9 + 0.1 * 0.516667 / 2.287832**0.5, rel=1e-5)
    assert float(mean) == pytest.approx(-0.3875)


def test_adam_is_that_of_keras_and_stops_at_a_rate_of_0(model):
    spec = optimizer(name="adam", momentum=0.8, weight_decay=0.5, bias_learning_rate_factor=1.0)
    theirs = keras.models.clone_model(model)
    theirs.set_weights(model.get_weights())
    adam, ours = keras.optimizers.Adam(0.01, beta_1=0.8), Adam(spec, model.trainable_variables)
    for step, gradient in enumerate(np.random.default_rng(0).normal(size=30)):
        slopes = [tf.fill(variable.shape, np.float32(gradient)) for variable in theirs.trainable_variables]
        decayed = [
            slope + 0.5 * variable if variable.path.endswith("kernel") else slope
            for slope, variable in zip(slopes, theirs.trainable_variables, strict=True)
        ]
        adam.apply(decayed, theirs.trainable_variables)
        ours.apply(slopes, tf.constant(0.01), tf.constant(0.01 if step < 20 else 0.0), tf.constant(step))
        if step == 19:
            frozen = values(model)
    for name, found in values(model).items():
        expected = frozen[name] if name.startswith("conv1") else values(theirs)[name]
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=name)
    assert not np.allclose(frozen["conv1/kernel"], values(theirs)["conv1/kernel"], rtol=1e-4)


@pytest.mark.parametrize("change", [{"nesterov": True}, {"decay_form": "decoupled"}])
def test_an_adam_that_is_not_made_is_refused(change):
    with pytest.raises(ValidationError, match="adam is made with nesterov: false and decay_form: coupled, got"):
        optimizer(name="adam", **change)


def matrix(rows, columns, *, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 5), (3, 40), (40, 3)])
def test_orthogonalized_has_the_singular_vectors_and_three_times_the_polynomial_of_the_values(shape):
    given = matrix(*shape)
    left, values, right = np.linalg.svd(given.astype(np.float64) / np.linalg.norm(given), full_matrices=False)
    for _ in range(3):
        values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
    np.testing.assert_allclose(orthogonalized(tf.constant(given)), (left * values) @ right, atol=1e-5)
    rounded = orthogonalized(tf.constant(given), "bfloat16")
    assert rounded.dtype == tf.float32
    np.testing.assert_allclose(rounded, (left * values) @ right, atol=0.05)


def test_orthogonalized_values_are_near_1_and_know_no_scale():
    given = matrix(60, 200)
    found = orthogonalized(tf.constant(given))
    values = np.linalg.svd(found, compute_uv=False)
    assert 0.68 < values.min() < values.max() < 1.21
    np.testing.assert_allclose(orthogonalized(tf.constant(1e-6 * given)), found, atol=1e-4)
    np.testing.assert_allclose(orthogonalized(tf.transpose(given)), tf.transpose(found), atol=1e-5)
    np.testing.assert_array_equal(orthogonalized(tf.zeros((3, 4))), tf.zeros((3, 4)))


def test_two_steps_of_muon_by_hand():
    # One output, two inputs: the direction of a vector is itself over its norm, times the polynomial of 1 three times:
    # 0.701, 3.4445·0.701 - 4.775·0.701³ + 2.0315·0.701⁵ = 1.1129, and 0.7208 of that.
    w, v = (tf.Variable(value, dtype=tf.float32) for value in ([[3.0], [4.0]], [[0.0], [0.0]]))
    muon_update(w, v, tf.constant([[0.0], [2.0]]), tf.constant(0.1), 0.5)
    # w of norm 1 is (0.6, 0.8); v = (0, 2), and 2 + 0.5·2 upwards is the direction (0, 1).
    np.testing.assert_allclose(v, [[0.0], [2.0]])
    np.testing.assert_allclose(w, [[0.6], [0.8 - 0.1 * 0.7208]], atol=2e-4)
    norm = np.hypot(0.6, 0.8 - 0.07208)
    muon_update(w, v, tf.constant([[3.0], [-1.0]]), tf.constant(0.01), 0.5)
    # v = (3, 0); (3, -1) + 0.5·(3, 0) = (4.5, -1)
    np.testing.assert_allclose(v, [[3.0], [0.0]])
    direction = 0.7208 * np.array([[4.5], [-1.0]]) / np.hypot(4.5, 1)
    np.testing.assert_allclose(w, np.array([[0.6], [0.72792]]) / norm - 0.01 * direction, atol=4e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_muon_moves_the_kernels_between_the_first_and_the_last_layer(precision):
    def make():
        layers = [keras.layers.Conv2D(units, 3, name=f"conv{n}") for n, units in ((1, 2), (2, 5))]
        last = [keras.layers.Flatten(), *(keras.layers.Dense(3, name=name) for name in ("fc6", "fc8"))]
        model = keras.Sequential([keras.Input((6, 6, 3)), *layers, *last])
        for number, variable in enumerate(model.weights):
            variable.assign(np.random.default_rng(number).normal(size=variable.shape))
        return model

    ours, plain = make(), make()
    start = values(ours)
    spec = optimizer(name="muon", muon_learning_rate_factor=0.2, muon_momentum=0.7)
    muon, sgd = Muon(spec, ours.trainable_variables, precision), MomentumSGD(spec, plain.trainable_variables)
    by_hand = {
        name: (tf.Variable(start[name]), tf.Variable(0 * start[name])) for name in ("conv2/kernel", "fc6/kernel")
    }
    for number in range(2):  # the momentum shows from the second step on
        draws = np.random.default_rng(10 + number)
        slopes = {name: tf.constant(draws.normal(size=w.shape), tf.float32) for name, w in start.items()}
        for rule in (muon, sgd):
            rule.apply(list(slopes.values()), tf.constant(0.5), tf.constant(0.5), tf.constant(number))
        for name, (w, v) in by_hand.items():
            muon_update(w, v, slopes[name], tf.constant(0.2 * 0.5), 0.7, precision)
    for name, found in values(ours).items():
        if name in by_hand:
            np.testing.assert_array_equal(found, by_hand[name][0], err_msg=name)
        else:
            np.testing.assert_array_equal(found, values(plain)[name], err_msg=name)


def test_replicas_add_up_their_shares_of_the_gradient(two_replicas):
    with two_replicas.scope():
        model = keras.Sequential([keras.layers.Dense(1, name="fc8", kernel_initializer="ones")])
        model.build((1, 2))
        sgd = MomentumSGD(optimizer(weight_decay=0.0, bias_learning_rate_factor=1.0), model.trainable_variables)

    @tf.function
    def step(share):
        gradients = [tf.fill(variable.shape, share) for variable in model.trainable_variables]
        sgd.apply(gradients, tf.constant(0.1), tf.constant(0.1), tf.constant(0))

    shares = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant([1.0, 2.0][context.replica_id_in_sync_group])
    )
    two_replicas.run(step, args=(shares,))
    for replica in two_replicas.experimental_local_results(model.weights[0].value):
        np.testing.assert_allclose(replica, 1 - 0.1 * 3, rtol=1e-6)


def test_a_frozen_conv1_stops_on_every_replica(two_replicas):
    with two_replicas.scope():
        layers = [keras.layers.Dense(1, name=name, kernel_initializer="ones") for name in ("conv1", "fc8")]
        model = keras.Sequential(layers)
        model.build((1, 1))
        sgd = MomentumSGD(optimizer(weight_decay=0.0), model.trainable_variables)

    @tf.function
    def step(conv1_rate):
        gradients = [tf.ones(variable.shape) for variable in model.trainable_variables]
        sgd.apply(gradients, tf.constant(0.1), conv1_rate, tf.constant(0))

    for conv1_rate in (0.1, 0.0):
        two_replicas.run(step, args=(tf.constant(conv1_rate),))
    # v = -0.1·2, then -0.9·0.2 - 0.1·2 = -0.38
    for layer, expected in zip(layers, (1 - 0.2, 1 - 0.2 - 0.38), strict=True):
        for replica in two_replicas.experimental_local_results(layer.kernel.value):
            np.testing.assert_allclose(replica, expected, rtol=1e-6)
