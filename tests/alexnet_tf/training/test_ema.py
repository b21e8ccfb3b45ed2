import numpy as np
import pytest

from alexnet_tf.training.schedule import Plateau
from tests.alexnet_tf.small_training import alexnet_bn, training
from tests.alexnet_tf.training.test_step import run


def test_averaged_weights_follow_their_recurrence_and_are_only_lent():
    work = training(weight_averaging=0.5)
    name = "weights/fc8/kernel"
    index = [variable.path.split("/", 1)[1] for variable in work.model.trainable_variables].index("fc8/kernel")
    expected = work.variables[name].numpy()
    iterator = work.iterator(0)
    for step in range(6):
        work.run_steps(iterator, step, 1, Plateau())
        kept = min(0.5, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * work.variables[name].numpy()
    np.testing.assert_allclose(work.variables[f"averages/{index}"], expected, rtol=1e-5)
    present = work.variables[name].numpy()
    with work.averaged():
        np.testing.assert_allclose(work.variables[name], expected, rtol=1e-5)
    np.testing.assert_array_equal(work.variables[name], present)


def test_moving_statistics_are_averaged_like_the_weights_that_they_belong_to():
    work = training(alexnet_bn(), weight_averaging=0.5)
    names = [name for name in work.weights() if name.endswith(("/moving_mean", "/moving_variance"))]
    expected = {name: work.weights()[name] for name in names}
    iterator = work.iterator(0)
    for step in range(6):
        work.run_steps(iterator, step, 1, Plateau())
        kept = min(0.5, (1 + step) / (10 + step))
        expected = {name: kept * each + (1 - kept) * work.weights()[name] for name, each in expected.items()}
    present = work.weights()
    with work.averaged():
        lent = work.weights()
    assert len(names) == 14
    for name in names:
        np.testing.assert_allclose(lent[name], expected[name], rtol=1e-5)
        assert not np.array_equal(lent[name], present[name])
        np.testing.assert_array_equal(work.weights()[name], present[name])


def test_averaged_weights_are_returned_after_an_error():
    work = training(weight_averaging=0.5)
    run(work, 2)
    present = work.variables["weights/fc8/kernel"].numpy()
    with pytest.raises(RuntimeError, match="stop"), work.averaged():
        raise RuntimeError("stop")
    np.testing.assert_array_equal(work.variables["weights/fc8/kernel"], present)
