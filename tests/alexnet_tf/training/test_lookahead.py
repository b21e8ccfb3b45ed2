import numpy as np
import pytest

from tests.alexnet_tf.small_training import alexnet_bn, recipe, schedule, training
from tests.alexnet_tf.training.test_step import run

NAME = "weights/fc8/kernel"


def test_weights_return_to_the_slow_ones_after_every_fifth_step():
    work, plain = training(lookahead=0.8), training()
    assert work.total_steps == 12
    index = [variable.path.split("/", 1)[1] for variable in work.model.trainable_variables].index("fc8/kernel")
    slow = work.variables[f"slow/{index}"]
    np.testing.assert_array_equal(slow, work.variables[NAME])
    for first_step in (0, 5):
        before = slow.numpy()
        run(work, 4, first_step)
        np.testing.assert_array_equal(slow, before)
        for name, variable in plain.variables.items():
            variable.assign(work.variables[name])
        run(work, 1, first_step + 4)
        _, straight_on = run(plain, 1, first_step + 4)
        kept = 0.8**5 * ((first_step + 5) / 12) ** 3
        np.testing.assert_allclose(slow, kept * before + (1 - kept) * straight_on[NAME], rtol=1e-5, atol=1e-7)
        assert not np.allclose(slow, straight_on[NAME], rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(work.variables[NAME], slow)


def test_at_the_end_the_share_is_that_of_the_recipe_and_velocities_are_left_alone():
    work, plain = (training(epochs=5, global_batch_size=48, lookahead=each) for each in (0.9, 0.0))
    assert work.total_steps == plain.total_steps == 5
    initial = work.variables[NAME].numpy()
    (_, found), (_, last) = run(work, 5), run(plain, 5)
    np.testing.assert_allclose(found[NAME], 0.9**5 * initial + (1 - 0.9**5) * last[NAME], rtol=1e-5, atol=1e-7)
    velocities = [name for name in last if name.startswith("velocities/")]
    assert velocities
    for name in velocities:
        np.testing.assert_array_equal(found[name], last[name])


def test_moving_statistics_return_with_the_weights_that_they_belong_to():
    work = training(alexnet_bn(), lookahead=0.9)
    run(work, 5)
    named = {name.removeprefix("slow/"): variable for name, variable in work.variables.items() if "slow/" in name}
    kept = [name for name in work.variables if name.endswith(("/moving_mean", "/moving_variance"))]
    assert len(kept) == 14
    assert len(named) == len(work.model.trainable_variables) + 14
    slow = [variable.numpy() for variable in named.values()][-14:]
    for name, expected in zip(kept, slow, strict=True):
        np.testing.assert_array_equal(work.variables[name], expected, err_msg=name)


@pytest.mark.parametrize("network", [None, alexnet_bn()])
def test_without_it_there_are_no_slow_weights(network):
    work = training(network) if network else training()
    assert not [name for name in work.variables if name.startswith("slow/")]


def test_it_does_not_move_a_frozen_conv1():
    with pytest.raises(ValueError, match=r"would move conv1 after schedule.conv1_frozen_from 0.5: set that to 1.0, or"):
        recipe(lookahead=0.5, schedule=schedule(conv1_frozen_from=0.5))


def test_its_share_is_below_1():
    with pytest.raises(ValueError, match="less than 1"):
        recipe(lookahead=1.0)
