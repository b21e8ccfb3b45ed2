import numpy as np
import pytest

from tests.alexnet_tf.small_training import alexnet_bn, recipe, training
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


@pytest.mark.parametrize("network", [None, alexnet_bn()])
def test_without_it_there_are_no_slow_weights(network):
    work = training(network) if network else training()
    assert not [name for name in work.variables if name.startswith("slow/")]


def test_its_share_is_below_1():
    with pytest.raises(ValueError, match="less than 1"):
        recipe(lookahead=1.0)
