import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from lean import LEAN

from alexnet_tf.devices.strategy import make_strategy
from alexnet_tf.training.batches import Batches
from alexnet_tf.training.jpeg import resaved
from tests.alexnet_tf.small_training import MemorySplit, alexnet_bn, augmentation, split, training


def numbered(count):
    """A split whose image n holds nothing but n."""
    return MemorySplit(np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, axis=-1), 1)


def collected(strategy, batches, first_step, last_step):
    """Return (global batch, image numbers, labels, rows, mirrored) of each step, replica after replica."""
    steps = []
    for parts in batches.dataset(strategy, first_step, last_step):
        local = [strategy.experimental_local_results(part) for part in parts]
        steps.append([np.concatenate([np.asarray(value) for value in values]) for values in local])
    return steps


@given(st.integers(8, 60), st.integers(1, 8), st.integers(0, 2**31 - 1), st.integers(0, 3))
def test_an_epoch_visits_distinct_images_in_full_batches(count, size, seed, epoch):
    batches = Batches(numbered(count), size, seed, 2)
    steps = batches.steps_per_epoch
    assert steps == count // size
    seen = np.concatenate([batches.indices(epoch * steps + step) for step in range(steps)])
    assert len(seen) == steps * size
    assert len(set(seen.tolist())) == len(seen)
    assert set(seen.tolist()) <= set(range(count))


def test_a_batch_is_a_function_of_seed_and_step_alone():
    batches = Batches(numbered(50), 8, 3, 2)
    forwards = [batches.indices(step) for step in range(40)]
    backwards = [Batches(numbered(50), 8, 3, 2).indices(step) for step in reversed(range(40))][::-1]
    np.testing.assert_array_equal(forwards, backwards)
    assert not np.array_equal(forwards[0], Batches(numbered(50), 8, 4, 2).indices(0))
    assert not np.array_equal(forwards[0], forwards[6])  # the first batches of two epochs


def test_over_the_epochs_every_image_is_left_out_equally_often():
    batches = Batches(numbered(10), 4, 0, 2)
    counts = np.bincount(np.concatenate([batches.indices(step) for step in range(2 * 500)]), minlength=10)
    # Each epoch shows 8 of 10: 400 of 500, give or take 9.
    np.testing.assert_allclose(counts, 400, atol=45)


def test_the_data_set_yields_the_images_labels_and_rows_of_its_steps():
    batches = Batches(numbered(50), 8, 3, 2)
    steps = collected(tf.distribute.get_strategy(), batches, 4, 9)
    assert len(steps) == 5
    for step, (images, labels, rows, mirrored) in enumerate(steps, start=4):
        np.testing.assert_array_equal(images[:, 0, 0, 0], batches.indices(step))
        np.testing.assert_array_equal(labels, batches.indices(step) % 3)
        np.testing.assert_array_equal(rows, np.arange(8))
        np.testing.assert_array_equal(mirrored, batches.mirrored(step))


def test_two_successive_epochs_mirror_every_image_once():
    batches = Batches(numbered(400), 100, 3, 2)
    sides = [np.zeros(400, bool) for _ in range(4)]
    for epoch, side in enumerate(sides):
        for step in range(epoch * 4, epoch * 4 + 4):
            side[batches.indices(step)] = batches.mirrored(step)
    np.testing.assert_array_equal(sides[0], ~sides[1])
    np.testing.assert_array_equal(sides[0], sides[2])
    np.testing.assert_array_equal(sides[1], sides[3])
    assert 160 < sides[0].sum() < 240  # 200, give or take 10


def test_two_replicas_together_see_the_same_batches(two_replicas):
    batches = Batches(numbered(50), 8, 3, 2)
    one = collected(tf.distribute.get_strategy(), batches, 3, 8)
    two = collected(two_replicas, batches, 3, 8)
    for expected, found in zip(one, two, strict=True):
        for left, right in zip(expected, found, strict=True):
            np.testing.assert_array_equal(left, right)


def jpegs(share, quality=(50, 95), *, count=40, size=8, seed=3):
    how = augmentation(jpeg_share=share, jpeg_quality=list(quality))
    return Batches(split(count, 16), size, seed, 2, how)


def test_the_share_of_images_that_become_jpegs_is_that_asked_for_and_every_quality_is_as_frequent():
    batches = jpegs(0.25, (90, 94), count=1000, size=1000)
    drawn = np.stack([batches.jpeg_qualities(step) for step in range(40)])
    chosen = drawn[drawn > 0]
    assert len(chosen) / drawn.size == pytest.approx(0.25, abs=0.0087)  # four times √(0.25 · 0.75 / 40,000)
    counts = np.bincount(chosen)[90:]
    assert len(counts) == 5
    assert counts.sum() == len(chosen)
    np.testing.assert_allclose(counts / len(chosen), 0.2, atol=0.016)  # four times √(0.2 · 0.8 / 10,000)
    np.testing.assert_allclose((drawn > 0).mean(axis=1), 0.25, atol=0.06)  # in each step
    assert np.ptp((drawn > 0).sum(axis=0)) > 5  # at each place by chance


@given(st.floats(0, 1), st.integers(1, 100), st.integers(1, 100), st.integers(0, 2**31 - 1), st.integers(0, 10**6))
def test_qualities_are_a_function_of_seed_and_step_within_the_range(share, one, other, seed, step):
    quality = (min(one, other), max(one, other))
    drawn = jpegs(share, quality, seed=seed).jpeg_qualities(step)
    assert set(drawn.tolist()) <= {0, *range(quality[0], quality[1] + 1)}
    np.testing.assert_array_equal(drawn, jpegs(share, quality, seed=seed).jpeg_qualities(step))
    assert jpegs(1.0, quality, seed=seed).jpeg_qualities(step).all()
    assert not jpegs(0.0, quality, seed=seed).jpeg_qualities(step).any()


def test_steps_and_seeds_draw_other_qualities():
    draws = [jpegs(1.0, size=40, seed=seed).jpeg_qualities(step) for seed, step in ((3, 0), (3, 1), (4, 0), (4, 1))]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4


def test_the_images_of_a_step_are_saved_in_their_qualities_and_its_other_images_are_as_stored(two_replicas):
    batches = jpegs(0.5)
    steps = collected(tf.distribute.get_strategy(), batches, 0, 6)
    for step, (pixels, *_) in enumerate(steps):
        stored, qualities = batches.split.read(batches.indices(step)), batches.jpeg_qualities(step)
        np.testing.assert_array_equal(pixels, resaved(stored, qualities))
        np.testing.assert_array_equal((pixels != stored).any(axis=(1, 2, 3)), qualities > 0)
    again = collected(two_replicas, batches, 3, 6)  # as after a resume, on two replicas
    for one, two in zip(steps[3:], again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])


def test_without_a_share_nothing_is_saved(monkeypatch):
    monkeypatch.setattr("alexnet_tf.training.batches.resaved", None)
    batches = jpegs(0.0)
    [(pixels, *_)] = collected(tf.distribute.get_strategy(), batches, 0, 1)
    np.testing.assert_array_equal(pixels, batches.split.read(batches.indices(0)))


def test_a_training_saves_the_share_that_its_recipe_asks_for():
    work = training(alexnet_bn(), augmentation=augmentation(jpeg_share=1.0, jpeg_quality=[7, 7]))
    np.testing.assert_array_equal(work.batches.jpeg_qualities(0), [7] * 8)


@pytest.mark.parametrize("calls", [1, 5])
def test_the_number_of_parallel_calls_changes_no_batch(calls):
    expected = collected(tf.distribute.get_strategy(), Batches(numbered(50), 8, 3, 2), 3, 20)
    batches = Batches(numbered(50), 8, 3, calls)
    running, most, lock, read = 0, 0, threading.Lock(), batches.split.read

    def counted(indices):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return read(indices)

    batches.split.read = counted
    found = collected(tf.distribute.get_strategy(), batches, 3, 20)
    for left, right in zip(expected, found, strict=True):
        for one, other in zip(left, right, strict=True):
            np.testing.assert_array_equal(one, other)
    assert 1 <= most <= calls
    assert (most > 1) == (calls > 1)


@pytest.mark.parametrize("replicas", [1, 2])
def test_nothing_tunes_the_pipeline_by_a_thread_that_the_end_of_a_training_would_wait_for(replicas, request):
    strategy = make_strategy([]) if replicas == 1 else request.getfixturevalue("two_replicas")
    iterator = iter(Batches(numbered(50), 8, 3, 2).dataset(strategy, 0, 9))
    next(iterator)
    for each in iterator._iterators:  # what TensorFlow reads from is nowhere else
        with pytest.raises(tf.errors.NotFoundError, match="disable autotune"):
            tf.data.experimental.get_model_proto(each._iterator)


@pytest.mark.parametrize("steps", [(0, 0), (7, 7)])
def test_no_step_is_no_batch(steps):
    assert collected(tf.distribute.get_strategy(), Batches(numbered(20), 4, 0, 2), *steps) == []


KEPT = """
import builtins
import sys
import time
from alexnet_tf.training.batches import Batches
from alexnet_tf.devices.strategy import make_strategy
from tests.alexnet_tf.small_training import MemorySplit, images

class Slow(MemorySplit):
    def read(self, indices):
        time.sleep(0.5)
        return super().read(indices)

batches = Batches(Slow(images(50, 8), 8), 8, 3, 2)
builtins.kept = iter(batches.dataset(make_strategy(sys.argv[1:]), 0, 1000))
next(builtins.kept)
print("a batch", flush=True)
"""


@pytest.mark.parametrize("devices", [[], ["CPU:0", "CPU:1"]], ids=["one replica", "two replicas"])
def test_an_iterator_that_is_kept_to_the_end_does_not_hold_up_the_interpreter(root, devices):
    command = [sys.executable, "-c", LEAN + KEPT, *devices]
    child = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "a batch\n"
        assert child.wait(30) == 0  # without end where a read is caught on its way
    finally:
        child.kill()
        child.communicate()
