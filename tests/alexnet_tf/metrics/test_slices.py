import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.metrics.significance import wilson_interval
from alexnet_tf.metrics.slices import BOUNDS, quantities, slices
from alexnet_tf.metrics.top_k import score_views


def predictions(right):
    """A model of five classes that is right exactly where told."""
    right = np.asarray(right, bool)
    logits = np.zeros((len(right), 10, 5), np.float32)
    logits[np.arange(len(right)), :, np.where(right, 0, 1)] = 9
    return score_views(logits, np.zeros(len(right), int))["ten_crop"]


def test_slices_by_hand():
    values = quantities(
        widths=np.array([500, 500, 200, 100]),
        heights=np.array([375, 375, 200, 40]),
        brightness=np.array([10.0, 64.0, 255.0, 63.9]),
    )
    found = {(each.quantity, each.low): each for each in slices(predictions([1, 0, 1, 1]), values)}
    small = found["short side, px", 0]
    assert (small.num_examples, small.high, small.errors[1]) == (1, 48, 0)
    middle = found["short side, px", 192]
    assert (middle.num_examples, middle.errors[1]) == (3, pytest.approx(1 / 3))
    assert middle.interval == wilson_interval(1 / 3, 3, confidence=0.95)
    # 500 x 375 is 1.33 wide, 100 x 40 is 2.5 wide; a brightness of exactly 64 belongs to the brighter slice.
    assert found["width / height", 1.05].num_examples == 2
    assert found["width / height", 1.4].num_examples == 1
    assert found["brightness, 0..255", 0].num_examples == 2
    assert found["brightness, 0..255", 64].errors[1] == 1
    assert found["brightness, 0..255", 192].num_examples == 1


def test_a_quantity_that_is_the_same_everywhere_is_left_out():
    values = quantities(widths=np.full(3, 32), heights=np.full(3, 32), brightness=np.array([10.0, 100, 200]))
    assert {each.quantity for each in slices(predictions([1, 1, 0]), values)} == {"brightness, 0..255"}


@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 4000), st.booleans()), min_size=1, max_size=40))
def test_slices_of_a_quantity_share_out_every_image_and_every_error(images):
    widths, heights, right = (np.array(column) for column in zip(*images, strict=True))
    values = quantities(widths=widths, heights=heights, brightness=np.linspace(0, 255, len(right)))
    found = slices(predictions(right), values)
    for quantity in BOUNDS:
        mine = [each for each in found if each.quantity == quantity]
        if mine:
            assert sum(each.num_examples for each in mine) == len(right)
            wrong = sum(each.num_examples * each.errors[1] for each in mine)
            assert wrong == pytest.approx(np.count_nonzero(~right))
