import math

import numpy as np
import pytest

from alexnet_tf.errors import TrainingError
from alexnet_tf.training.guards import check_losses, check_stalled, check_weights, has_stalled


@pytest.mark.parametrize(("bad", "number"), [(0, 5), (2, 7)])
def test_the_step_named_is_the_first_bad_one(bad, number):
    losses = np.ones(3, np.float32)
    losses[bad:] = np.nan
    with pytest.raises(TrainingError, match=rf"the loss is nan at step {number} of 9: .*learning_rate \(now 0\.5\)"):
        check_losses(losses, first_step=4, total_steps=9, learning_rate=0.5)


def test_finite_losses_pass():
    check_losses(np.ones(3, np.float32), first_step=0, total_steps=3, learning_rate=0.5)


def test_weights_that_are_not_finite_are_named_and_counted():
    weights = {"conv1/kernel": np.zeros(3), "fc8/bias": np.array([1.0, np.inf, np.nan])}
    with pytest.raises(TrainingError, match=r"fc8/bias holds 2 weights that are not finite after step 7"):
        check_weights(weights, step=7)


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
