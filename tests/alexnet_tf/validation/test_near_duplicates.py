import io
from itertools import combinations

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alexnet_tf.sample.generate import generate
from alexnet_tf.validation.near_duplicates import near_pairs, perceptual_hash


def picture(index=0, label=0):
    return Image.open(io.BytesIO(generate("train", label, index, 5)[1])).convert("RGB")


def bits(first, second):
    return bin(perceptual_hash(first) ^ perceptual_hash(second)).count("1")


def test_it_is_the_librarys_hash():
    small = picture().resize((60, 60))
    assert f"{perceptual_hash(small):016x}" == str(imagehash.phash(small))


def recompressed(image):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=40)
    return Image.open(stream).convert("RGB")


@pytest.mark.parametrize(
    "change",
    [recompressed, lambda i: i.resize((i.width * 2 // 3, i.height * 2 // 3)), lambda i: i.point(lambda v: v * 0.9)],
    ids=["recompressed", "smaller", "darker"],
)
def test_a_changed_copy_is_near_and_another_image_far(change):
    for index in range(6):
        image = picture(index)
        assert bits(image, change(image)) <= 6
        assert bits(image, picture(index + 10, 3)) > 12


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=12), st.integers(0, 9), st.data())
def test_pairs_are_those_of_comparing_all_with_all(values, distance, data):
    for value in values[:3]:  # neighbours, which random numbers have none of
        for flips in data.draw(st.lists(st.sets(st.integers(0, 63), min_size=1, max_size=9), max_size=3)):
            values.append(value ^ sum(1 << flip for flip in flips))
    values = list(dict.fromkeys(values))
    expected = [[i, j] for (i, a), (j, b) in combinations(enumerate(values), 2) if 0 < (a ^ b).bit_count() <= distance]
    assert near_pairs(np.array(values, np.uint64), distance).tolist() == expected


def test_a_hundred_thousand_hashes_are_all_kept_apart():
    """Python's `hash` of an ImageHash takes about a thousand values; ours are all of its 64 bits."""
    hashes = np.unique(np.random.default_rng(0).integers(0, 2**63, 100_000).astype(np.uint64))
    planted = hashes[:50] ^ np.uint64(0b1011)
    pairs = near_pairs(np.concatenate([hashes, planted]), 4)
    assert {(number, len(hashes) + number) for number in range(50)} <= {tuple(pair) for pair in pairs.tolist()}
