import numpy as np
import tensorflow as tf

from alexnet_tf import random_streams
from alexnet_tf.random_streams import RandomStreams


def streams(rows, *, seed=1, step=0, batch=8):
    return RandomStreams(tf.constant([seed, step]), tf.constant(rows), batch)


def test_a_row_depends_on_its_place_in_the_global_batch_alone():
    for draw in ("uniform", "normal"):
        whole = getattr(streams(range(8)), draw)(6, (3,)).numpy()
        assert whole.shape == (8, 3)
        np.testing.assert_array_equal(getattr(streams([5, 2]), draw)(6, (3,)).numpy(), whole[[5, 2]])


def test_seed_step_and_stream_all_matter():
    draws = [
        streams(range(8), seed=seed, step=step).uniform(stream).numpy().tobytes()
        for seed in (1, 2)
        for step in (0, 1)
        for stream in (6, 7, 10)
    ]
    assert len(set(draws)) == len(draws)


def test_no_two_streams_share_a_number():
    numbers = [value for name, value in vars(random_streams).items() if name.isupper()]
    assert len(set(numbers)) == len(numbers) == 6
    assert max(numbers) < 31  # beyond, the stream of one seed would be that of the next
