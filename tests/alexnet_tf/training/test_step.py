import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.errors import DataError, TrainingError
from alexnet_tf.models.views import colour_axes
from alexnet_tf.models.whitening import whitening_kernel
from alexnet_tf.random_streams import FC6_DROPOUT, FC7_DROPOUT, RandomStreams
from alexnet_tf.training.schedule import Plateau
from alexnet_tf.training.step import cross_entropy
from tests.alexnet_tf.small_training import (
    PLAIN,
    MemorySplit,
    alexnet,
    alexnet_bn,
    augmentation,
    compiled,
    four_layer,
    optimizer,
    schedule,
    split,
    training,
)

STILL = augmentation(crop="center", flip="none", colour_noise="none")
# A small rate keeps the trajectories of one and two replicas together; rounding grows with it in any network.
USUAL = {"optimizer": optimizer(learning_rate=0.002), "weight_averaging": 0.9, "lookahead": 0.9}


def run(work, num_steps, first_step=0):
    """Take steps one after the other; return the losses and the variables."""
    losses, _ = work.run_steps(work.iterator(first_step), first_step, num_steps, Plateau())
    return losses, {name: variable.numpy() for name, variable in work.variables.items()}


def assert_close(left, right, **tolerance):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_allclose(left[name], right[name], err_msg=name, **tolerance)


def test_cross_entropy_by_hand():
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    labels = tf.constant([0, 2])
    np.testing.assert_allclose(cross_entropy(logits, labels, 0.0), -np.log([0.5, 0.8]), rtol=1e-6)
    smoothed = [
        -0.7 * np.log(0.5) - 0.1 * np.log(0.5 * 0.25 * 0.25),
        -0.7 * np.log(0.8) - 0.1 * np.log(0.1 * 0.1 * 0.8),
    ]
    np.testing.assert_allclose(cross_entropy(logits, labels, 0.3), smoothed, rtol=1e-6)


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        pytest.param(PLAIN, {}, id="alexnet"),
        pytest.param(alexnet_bn(), {}, id="alexnet_bn"),
        pytest.param(alexnet_bn(), {"optimizer": optimizer(name="muon", learning_rate=0.001)}, id="muon"),
        pytest.param(four_layer(lrn=False), {}, id="four_layer", marks=pytest.mark.slow),
    ],
)
def test_two_replicas_equal_one_to_rounding_and_each_other_exactly(two_replicas, network, changes):
    one_losses, one = run(compiled(network, **USUAL | changes), 5)
    work = compiled(network, strategy=two_replicas, **USUAL | changes)
    two_losses, two = run(work, 5)
    np.testing.assert_allclose(two_losses, one_losses, rtol=1e-4)
    assert_close(two, one, rtol=1e-3, atol=2e-5)
    for name, variable in work.variables.items():
        first, second = two_replicas.experimental_local_results(variable)
        np.testing.assert_array_equal(first, second, err_msg=name)


CERTAIN = alexnet(weight_stddev=[0.1] * 8, dropout=0.0)


def loss_and_gradients(work, step, label_smoothing=0.0):
    """The loss of a step's images and its gradients, made of plain parts, and their logits and labels."""
    indices = work.batches.indices(step)
    images, labels = work.batches.split.read(indices), work.batches.split.labels[indices]
    crops = work.views.center(tf.cast(images, tf.float32))
    if work.recipe.augmentation.flip == "alternating":
        mirrored = work.batches.mirrored(step)
        assert 0 < mirrored.sum() < len(mirrored)
        crops = tf.where(mirrored[:, None, None, None], crops[:, :, ::-1], crops)
    crossentropy = tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    with tf.GradientTape() as tape:
        logits = work.model(crops)
        loss = crossentropy(tf.one_hot(labels, 3), logits)
    gradients = tape.gradient(loss, [variable.value for variable in work.model.trainable_variables])
    return float(loss), gradients, logits, labels


@pytest.mark.parametrize(("label_smoothing", "flip"), [(0.0, "none"), (0.2, "alternating")])
def test_a_step_equals_one_made_of_plain_parts(label_smoothing, flip):
    still = augmentation(crop="center", flip=flip, colour_noise="none")
    decaying = optimizer(weight_decay=0.5)  # 0.0005 would move a weight by less than the tolerance below
    work = training(CERTAIN, augmentation=still, optimizer=decaying, label_smoothing=label_smoothing)
    before = [variable.numpy() for variable in work.model.trainable_variables]
    loss, gradients, logits, labels = loss_and_gradients(work, 0, label_smoothing)
    losses, errors = work.run_steps(work.iterator(0), 0, 1, Plateau())
    assert losses[0] == pytest.approx(loss, rel=1e-5)
    assert errors[0] == pytest.approx(np.mean(np.argmax(logits, axis=1) != labels))
    for variable, w, gradient in zip(work.model.trainable_variables, before, gradients, strict=True):
        is_bias = variable.path.endswith("bias")  # twice the rate, no decay
        expected = w - 0.02 * gradient if is_bias else w - 0.5 * 0.01 * w - 0.01 * gradient
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6, err_msg=variable.path)


def test_a_step_takes_its_views_and_its_dropout_from_the_seed_and_its_own_number():
    work = training(PLAIN)
    how = work.recipe.augmentation
    axes = colour_axes(how, [900.0, 300.0, 100.0], np.eye(3))
    cross_entropy_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for step in (0, 7):  # of either epoch
        indices = work.batches.indices(step)
        images, labels = work.batches.split.read(indices), work.batches.split.labels[indices]
        draw = RandomStreams(tf.constant([work.seed, step]), tf.range(8), 8)
        x = work.model.features(work.views.training(tf.constant(images), draw, how, axes, True, None)).numpy()
        for dense, stream in zip(work.model.dense[:2], (FC6_DROPOUT, FC7_DROPOUT), strict=True):
            x = np.maximum(dense(x), 0) * (draw.uniform(stream, (dense.units,)).numpy() >= 0.5)
        expected = float(cross_entropy_of(labels, work.model.dense[2](x)))
        losses, _ = work.run_steps(work.iterator(step), step, 1, Plateau())
        assert losses[0] == pytest.approx(expected, rel=1e-4), step


def test_adam_knows_the_number_of_its_step():
    by_keras = optimizer(name="adam", weight_decay=0.0, bias_learning_rate_factor=1.0)
    work, plain = (training(CERTAIN, augmentation=STILL, optimizer=by_keras) for _ in range(2))
    before = [variable.numpy() for variable in work.model.trainable_variables]
    adam = tf.keras.optimizers.Adam(0.01)
    for step in range(2):
        adam.apply(loss_and_gradients(plain, step)[1], plain.model.trainable_variables)
    run(work, 2)
    for variable, expected, start in zip(
        work.model.trainable_variables, plain.model.trainable_variables, before, strict=True
    ):
        # Adam takes whole steps where a slope is but rounding. A second step counted as the first is a third longer.
        moved, wanted = variable.numpy() - start, expected.numpy() - start
        assert np.linalg.norm(moved - wanted) < 0.05 * np.linalg.norm(wanted), variable.path


@pytest.mark.slow
def test_showing_every_image_twice_changes_nothing():
    network = alexnet(weight_stddev=[0.1] * 8, dropout=0.0)
    train = split(9)  # a multiple of the three labels, which go by position
    one = training(network, train=train, augmentation=STILL, global_batch_size=9)
    doubled = MemorySplit(np.concatenate([train.pixels] * 2), train.size)
    two = training(network, train=doubled, augmentation=STILL, global_batch_size=18)
    # One batch is all of the split, so its order does not matter.
    one_losses, one_variables = run(one, 1)
    two_losses, two_variables = run(two, 1)
    np.testing.assert_allclose(two_losses, one_losses, rtol=1e-5)
    assert_close(two_variables, one_variables, rtol=1e-4, atol=1e-6)


def test_two_runs_are_equal_bit_by_bit_and_another_seed_begins_elsewhere():
    _, one = run(compiled(PLAIN, **USUAL), 3)
    _, again = run(training(PLAIN, **USUAL), 3)
    assert_close(again, one, rtol=0)
    other = training(PLAIN, seed=4, **USUAL)  # its first weights
    assert not np.array_equal(compiled(PLAIN, **USUAL).weights()["fc8/kernel"], other.weights()["fc8/kernel"])
    assert not np.array_equal(compiled(PLAIN, **USUAL).batches.indices(0), other.batches.indices(0))


@pytest.mark.parametrize(
    "network",
    [PLAIN, alexnet_bn(conv1="whitening", activation="gelu", batch_norm_scale=True)],
    ids=["alexnet", "alexnet_bn"],
)
def test_the_number_of_steps_in_a_call_and_a_restart_change_nothing(network):
    _, whole = run(compiled(network, **USUAL), 6)
    first = compiled(network, **USUAL)
    run(first, 2)
    _, kept = run(first, 1, first_step=2)
    second = training(network, **USUAL)  # as a new process makes it
    for name, variable in second.variables.items():
        variable.assign(kept[name])
    _, resumed = run(second, 3, first_step=3)
    assert_close(resumed, whole, rtol=0)


def whitened(**changes):
    return alexnet_bn(conv1="whitening", kernel_sizes=[2, 3, 3, 3, 3], initialization="identity", **changes)


def test_whitening_kernels_come_from_the_training_images_and_do_not_move():
    work = training(whitened(), optimizer=optimizer(bias_learning_rate_factor=64.0))
    views, pixels = work.views, work.batches.split.read(range(48))
    expected = whitening_kernel(views.center(tf.cast(pixels, tf.float32)).numpy(), size=2, filters=4)
    _, after = run(work, 2)
    np.testing.assert_allclose(after["weights/conv1/kernel"], expected, rtol=1e-5)
    maps = work.model.convs[0](views.center(tf.cast(pixels, tf.float32))).numpy()
    np.testing.assert_allclose(np.mean(maps[..., :2] ** 2, axis=(0, 1, 2)), 1.0, rtol=0.02)


def test_the_loss_falls():
    work = training(alexnet_bn(dropout=0.0), epochs=10, optimizer=optimizer(learning_rate=0.02), augmentation=STILL)
    losses, _ = run(work, work.total_steps)
    assert losses[-6:].mean() < 0.5 * losses[:3].mean()


def test_learning_rates_follow_the_schedule_and_conv1_stops():
    work = training(epochs=10, schedule=schedule(conv1_frozen_from=0.5))
    assert work.total_steps == 60
    rates, conv1 = work.learning_rates(13, 25, Plateau())
    np.testing.assert_allclose(rates, [0.01] * 2 + [0.001] * 18 + [0.0001] * 5, rtol=1e-6)
    np.testing.assert_allclose(conv1, np.where(np.arange(13, 38) < 30, rates, 0), rtol=1e-6)


def test_conv1_does_not_move_when_frozen_from_the_start():
    work = compiled(schedule=schedule(conv1_frozen_from=0.0))
    before = work.variables["weights/conv1/kernel"].numpy()
    _, after = run(work, 2)
    np.testing.assert_array_equal(after["weights/conv1/kernel"], before)


def test_colour_noise_ends_at_its_share_of_the_training():
    def losses(until):
        noise = augmentation(crop="center", flip="none", colour_noise_until=until)
        rate = optimizer(learning_rate=1e-12, weight_decay=0.0)
        return run(compiled(alexnet_bn(dropout=0.0), augmentation=noise, optimizer=rate), 12)[0]

    always, never, half = losses(1.0), losses(0.0), losses(0.5)
    np.testing.assert_allclose(half[:6], always[:6], rtol=1e-5)
    np.testing.assert_allclose(half[6:], never[6:], rtol=1e-5)
    assert np.all(np.abs(always - never) > 1e-5)


@pytest.mark.parametrize("count", [1, 8, 13])
def test_validation_gives_each_image_once_on_one_and_two_replicas(two_replicas, count):
    held_out = split(count, seed=5)
    expected = None
    for strategy in (None, two_replicas):
        work = compiled(PLAIN, strategy=strategy, **USUAL)
        run(work, 3)
        found = np.concatenate(list(work.validation_logits(held_out)))
        assert found.shape == (count, 1, 3)
        views = work.views.center(tf.cast(held_out.pixels, tf.float32))
        with work.averaged():
            np.testing.assert_allclose(found[:, 0], work.model(views), rtol=1e-3, atol=1e-5)
        assert not np.allclose(found[:, 0], work.model(views), rtol=1e-3, atol=1e-5)
        expected = found if expected is None else expected
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "changes",
    [
        {"towers": 1, "filters": [4, 8, 8, 8, 16]},  # the half net
        {"activation": "tanh"},
        {"lrn": False},
        {"lrn_scope": "layer", "lrn_order": "before_relu"},
        {"same_map_normalization": True},
        {"pooling": "paired"},
        {"dropout_scaling": "in_training"},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_every_switch_trains(changes, precision):
    work = training(alexnet(weight_stddev=[0.1] * 8, **changes), precision=precision, crop_size=67)
    before = {name: variable.numpy() for name, variable in work.variables.items() if name.endswith("kernel")}
    losses, after = run(work, 3)
    assert np.isfinite(losses).all()
    for name, kernel in before.items():
        assert np.isfinite(after[name]).all()
        assert not np.array_equal(after[name], kernel), f"{name} did not move"


@pytest.mark.parametrize("network", [PLAIN, alexnet_bn()], ids=["alexnet", "alexnet_bn"])
def test_planted_nan_stops_the_step_that_sees_it(network):
    """In a graph, oneDNN's convolution or product with bias and ReLU makes zeros of NaN: the loss stays finite."""
    work = compiled(network, **USUAL)
    clean = {name: variable.numpy() for name, variable in work.variables.items()}
    for name in (name for name in clean if name.startswith("weights/")):
        for other, value in clean.items():
            work.variables[other].assign(value)
        spoiled = clean[name].copy()
        spoiled.flat[0] = np.nan
        work.variables[name].assign(spoiled)
        with pytest.raises(TrainingError, match=r"(the loss is nan at|is not finite after) step 1 of 12: "):
            run(work, 1)


@pytest.mark.parametrize("layer", ["conv3/kernel", "fc8/bias"])
def test_an_update_that_is_not_finite_is_named_with_the_first_of_many_steps(two_replicas, layer):
    work = compiled(PLAIN, strategy=two_replicas, **USUAL)
    index = [variable.path.split("/", 1)[1] for variable in work.model.trainable_variables].index(layer)
    velocity = work.variables[f"velocities/{index}"]
    spoiled = velocity.numpy()
    spoiled.flat[0] = np.inf
    velocity.assign(spoiled)
    with pytest.raises(TrainingError, match=rf"^{layer} is not finite after step 1 of 12: training diverged"):
        run(work, 3)


def test_a_batch_larger_than_the_split_is_refused():
    message = "training split has 7 images, fewer than training.global_batch_size = 8"
    with pytest.raises(DataError, match=message):
        training(train=split(7))


def test_records_that_cannot_be_read_are_that_error():
    class Broken(MemorySplit):
        def read(self, indices):
            raise error

    work = training(alexnet_bn(), train=Broken(split(48).pixels, 68))
    for error in (DataError("shard 3 is damaged"), OSError(5, "Input/output error")):
        work.batches.failures.clear()
        with pytest.raises(type(error)) as raised:
            run(work, 1)
        assert raised.value is error


def test_too_little_memory_is_a_sentence(monkeypatch):
    work = compiled(PLAIN, **USUAL)

    def exhausted(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(work, "_run", exhausted)
    with pytest.raises(TrainingError, match=r"step 1: .*global_batch_size = 8 on 1 .* smaller one"):
        run(work, 1)


def test_what_adam_remembers_is_among_the_variables_of_a_checkpoint():
    adam = training(optimizer=optimizer(name="adam"))
    assert {name.partition("/")[0] for name in adam.variables} == {"weights", "means", "squares"}
    assert len(adam.variables) == 3 * len(adam.weights())
