import ast

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import random_streams
from alexnet_tf.random_streams import COLOUR, FC6_DROPOUT, RandomStreams


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
    assert len(calls) == 3  # uniform, normal and the initial weights
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
