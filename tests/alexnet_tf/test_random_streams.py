import ast

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from alexnet_tf import random_streams
from alexnet_tf.random_streams import COLOUR, FC6_DROPOUT, RandomStreams


def streams(rows, *, seed=1, step=0, batch=8):
    return RandomStreams(tf.constant([seed, step]), tf.constant(rows), batch)


def test_rows_of_a_draw_do_not_depend_on_how_the_batch_is_split():
    whole = streams(range(16), batch=16)
    for shape in ((), (5,)):
        expected_uniform, expected_normal = whole.uniform(3, shape), whole.normal(3, shape)
        for rows in ([0, 1, 2, 3], [9, 2], [15], [4, 4]):
            np.testing.assert_array_equal(streams(rows, batch=16).uniform(3, shape), tf.gather(expected_uniform, rows))
            np.testing.assert_array_equal(streams(rows, batch=16).normal(3, shape), tf.gather(expected_normal, rows))


def test_draws_differ_by_stream_step_seed_and_row():
    rows = range(16)
    draws = [
        streams(rows, batch=16).uniform(3, (50,)),
        streams(rows, batch=16).uniform(4, (50,)),
        streams(rows, step=1, batch=16).uniform(3, (50,)),
        streams(rows, seed=8, batch=16).uniform(3, (50,)),
    ]
    values = np.concatenate([np.ravel(numbers) for numbers in draws])
    # Floats have 2^23 values here: of 3200 about one pair is equal by chance, of equal streams 800.
    assert len(np.unique(values)) > 3190


def test_draws_are_uniform_and_normal():
    uniform = np.ravel(streams(range(64), batch=64).uniform(1, (500,)))
    normal = np.ravel(streams(range(64), batch=64).normal(1, (500,)))
    assert stats.kstest(uniform, "uniform").pvalue > 0.01
    assert stats.kstest(normal, "norm").pvalue > 0.01


def test_no_two_streams_share_a_number():
    numbers = [value for name, value in vars(random_streams).items() if name.isupper()]
    assert len(set(numbers)) == len(numbers) == 6
    keys = {
        tuple(streams([0], seed=seed, step=step)._key(number).numpy())
        for seed in range(40)
        for step in range(2)
        for number in numbers
    }
    assert len(keys) == 40 * 2 * len(numbers)  # nor is one seed's that of another


@pytest.mark.parametrize("stream", [FC6_DROPOUT, COLOUR])
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_numbers_are_the_same_eager_and_in_a_graph(kind, stream):
    def draws(step):
        return getattr(RandomStreams(tf.stack([2012, step]), tf.range(2, 7), 8), kind)(stream, (3,))

    eager = draws(tf.constant(5)).numpy()
    np.testing.assert_array_equal(tf.function(draws)(tf.constant(5)), eager)
    assert len(np.unique(eager)) == eager.size


def trees(root):
    for package in ("alexnet_tf", "components", "pipeline"):
        for path in (root / package).rglob("*.py"):
            yield path, ast.parse(path.read_text())


def test_every_random_number_of_tensorflow_is_philoxs(root):
    """The default algorithm is the device's choice."""
    calls = [
        ast.unparse(node)
        for _, tree in trees(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("tf.random.", "keras.random."))
    ]
    assert calls
    for call in calls:
        assert "tf.random.stateless_" in call
        assert "alg='philox'" in call


def test_nothing_is_drawn_inside_a_function_that_xla_compiles(root):
    """In TensorFlow 2.21, XLA makes other numbers of the same seed, with `alg="philox"` too."""
    compiled = {
        f"{path.name}: {node.name}": ast.unparse(node)
        for path, tree in trees(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any("jit_compile=True" in ast.unparse(d) for d in node.decorator_list)
    }
    assert "lrn.py: lrn_forward" in compiled
    assert not [name for name, text in compiled.items() if "draw" in text or "random" in text or "dropout" in text]
