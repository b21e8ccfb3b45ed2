import math

import numpy as np
import pytest

from alexnet_tf.errors import TrainingError
from alexnet_tf.training.guards import check_stalled, check_steps, has_stalled

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


def test_a_loss_has_stalled_above_98_percent_of_ln_k():
    assert has_stalled(0.981 * math.log(10), 10)
    assert not has_stalled(0.979 * math.log(10), 10)


# 10 % of the training, but not before 500 steps and not after 5,000.
@pytest.mark.parametrize(("total_steps", "from_step"), [(100, 500), (20_000, 2_000), (10**6, 5_000)])
def test_a_stall_is_looked_for_once_the_training_is_old_enough(total_steps, from_step):
    still = [math.log(10)] * 3
    check_stalled(still, step=from_step - 1, total_steps=total_steps, num_classes=10)
    with pytest.raises(TrainingError, match=rf"step {from_step} is 2\.3026, still ln K"):
        check_stalled(still, step=from_step, total_steps=total_steps, num_classes=10)


def test_one_bad_batch_is_no_stall():
    check_stalled([math.log(10), 1.0, 1.0], step=5_000, total_steps=5_000, num_classes=10)
