import math

import numpy as np
import pytest

from alexnet_tf import alexnet_spec
from alexnet_tf.errors import TrainingError
from alexnet_tf.models.four_layer_spec import FourLayerSpec
from alexnet_tf.models.specs import AlexNetBNSpec
from alexnet_tf.training.guards import LossRange, check_stalled, check_steps, summed_learning_rate, too_short
from alexnet_tf.training.recipe import OptimizerSpec, ScheduleSpec, TrainingSpec

NAMES = ["conv1/kernel", "fc8/kernel", "fc8/bias"]


def check(losses, sums):
    check_steps(losses, sums, NAMES, first_step=4, total_steps=9, learning_rate=0.5)


@pytest.mark.parametrize(("bad", "number"), [(0, 5), (2, 7)])
def test_the_step_named_is_the_first_bad_one(bad, number):
    losses = np.ones(3, np.float32)
    losses[bad:] = np.nan
    with pytest.raises(TrainingError, match=rf"the loss is nan at step {number} of 9: .*learning_rate \(now 0\.5\)"):
        check(losses, np.ones((3, 3), np.float32))


def test_finite_steps_pass():
    check(np.ones(3, np.float32), np.full((3, 3), -1e38, np.float32))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ((1, 2), r"fc8/bias is not finite after step 6 of 9: training diverged; lower .*learning_rate \(now 0\.5\)"),
        ((2, slice(0, 2)), r"conv1/kernel \(and 1 more\) is not finite after step 7 of 9: "),
    ],
)
def test_an_update_is_named_with_its_step_and_layer(bad, message):
    sums = np.ones((3, 3), np.float32)
    sums[bad] = np.inf
    with pytest.raises(TrainingError, match=message):
        check(np.ones(3, np.float32), sums)


def test_a_loss_is_of_the_weights_before_its_update():
    losses, sums = np.float32([1, np.nan, np.nan]), np.ones((3, 3), np.float32)
    sums[1:] = np.nan
    with pytest.raises(TrainingError, match="the loss is nan at step 6"):
        check(losses, sums)
    sums[0, 1] = np.nan
    with pytest.raises(TrainingError, match="fc8/kernel is not finite after step 5"):
        check(losses, sums)


EVEN = LossRange(guessing=math.log(10), perfect=0.0)


def test_of_equally_frequent_classes_a_loss_has_stalled_above_98_percent_of_ln_k():
    found = LossRange.of(np.arange(40) % 10, 10, 0.0)
    assert found.guessing == pytest.approx(EVEN.guessing)
    assert found.perfect == 0.0
    assert found.has_stalled(0.981 * math.log(10))
    assert not found.has_stalled(0.979 * math.log(10))


def test_a_network_that_knows_only_that_one_class_is_four_times_as_frequent_has_stalled():
    found = LossRange.of(np.array([0, 0, 0, 0, 1]), 2, 0.0)
    assert found.guessing == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))  # 0.500, ln 2 is 0.693
    assert found.has_stalled(0.495)
    assert not found.has_stalled(0.485)


def test_a_perfect_network_has_not_stalled_however_smooth_its_labels():
    found = LossRange.of(np.array([0, 1]), 2, 0.9)
    assert found.perfect == pytest.approx(-0.55 * math.log(0.55) - 0.45 * math.log(0.45))  # 0.99 ln 2
    assert not found.has_stalled(found.perfect)
    assert found.has_stalled(0.999 * found.guessing + 0.001 * found.perfect)


# 10 % of the training, but not before 500 steps and not after 5,000.
@pytest.mark.parametrize(("total_steps", "from_step"), [(100, 500), (20_000, 2_000), (10**6, 5_000)])
def test_a_stall_is_looked_for_once_the_training_is_old_enough(total_steps, from_step):
    still = [math.log(10)] * 3
    training = {"total_steps": total_steps, "loss_range": EVEN, "network": alexnet_spec()}
    check_stalled(still, step=from_step - 1, **training)
    with pytest.raises(TrainingError, match=rf"step {from_step} is 2\.3026, still that of guessing, 2\.3026"):
        check_stalled(still, step=from_step, **training)


def test_one_bad_batch_is_no_stall():
    check_stalled([math.log(10), 1.0, 1.0], step=5_000, total_steps=5_000, loss_range=EVEN, network=alexnet_spec())


@pytest.mark.parametrize(
    ("network", "advice"),
    [
        (alexnet_spec("paper"), r"_rate, profile: original (conv3-5 start at 0.03) or profile: caffe (biases 0.1)"),
        (alexnet_spec("original"), "another training.optimizer.learning_rate or profile: caffe (biases 0.1)"),
        (
            alexnet_spec("caffe"),
            "another training.optimizer.learning_rate or profile: original (conv3-5 start at 0.03)",
        ),
        (AlexNetBNSpec(), "try another seed or another training.optimizer.learning_rate"),
        (FourLayerSpec(), "try another seed or another training.optimizer.learning_rate"),
    ],
)
def test_a_stall_comes_with_advice_that_fits_the_network(network, advice):
    with pytest.raises(TrainingError) as raised:
        check_stalled([math.log(10)] * 3, step=500, total_steps=500, loss_range=EVEN, network=network)
    assert str(raised.value).endswith(advice)


def of_three_epochs(steps_per_epoch, network=None, *, optimizer=None, **schedule):
    """The 2012 recipe with its drops at 25, 55 and 84 %, and what is said beforehand."""
    drops = {"name": "steps", "drop_at": [0.25, 0.55, 0.84]}
    chosen = TrainingSpec(epochs=3, global_batch_size=32, schedule=ScheduleSpec(**drops | schedule))
    if optimizer:
        chosen = chosen.model_copy(update={"optimizer": optimizer})
    return too_short(network or alexnet_spec(), chosen, 3 * steps_per_epoch, 5)


def test_the_summed_learning_rate_is_the_sum_of_the_rates_over_what_momentum_forgets():
    optimizer = OptimizerSpec(learning_rate=0.01, momentum=0.75)
    steps = ScheduleSpec(name="steps", drop_factor=0.5, drop_at=[0.5])
    recipe = TrainingSpec(epochs=2, global_batch_size=32, optimizer=optimizer, schedule=steps)
    assert summed_learning_rate(recipe, 8) == pytest.approx((4 * 0.01 + 4 * 0.005) / 0.25)
    constant = recipe.model_copy(update={"schedule": ScheduleSpec()})
    assert summed_learning_rate(constant, 8) == pytest.approx(8 * 0.01 / 0.25)


def test_drops_squeezed_into_three_short_epochs_are_told_before_they_waste_time():
    told = of_three_epochs(5)
    assert "expect the error of guessing (0.80) after 15 steps, whose learning rates sum to 76 %" in told
    assert told.endswith("raise training.epochs, add images, or begin training.schedule.drop_at later")
    assert of_three_epochs(5, name="plateau") == ""  # the same steps at the full rate may do
    assert of_three_epochs(50) == ""


def test_an_optimizer_whose_steps_do_not_follow_the_rate_is_not_warned_of():
    assert of_three_epochs(5, optimizer=OptimizerSpec(name="adam", learning_rate=0.001)) == ""
    assert of_three_epochs(5, optimizer=OptimizerSpec(learning_rate=0.001)) != ""


def test_networks_that_do_not_start_at_ln_k_are_not_warned():
    assert of_three_epochs(5, AlexNetBNSpec()) == ""
    assert of_three_epochs(5, alexnet_spec(weight_stddev=[0.1] * 8)) == ""


def test_trainings_that_are_known_to_learn_are_not_warned(sample_project):
    """The sample's, and that of Imagenette in results/: 126 steps in three epochs."""
    from pipeline.config.load import load

    known = load(sample_project).params["train@faithful"]
    assert summed_learning_rate(known.training, 148) == pytest.approx(2.2, abs=0.1)
    assert too_short(known.network, known.training, 148, 10) == ""
    assert of_three_epochs(42) == ""
