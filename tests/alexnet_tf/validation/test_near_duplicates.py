import io
from itertools import combinations

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alexnet_tf.errors import DataError
from alexnet_tf.sample.generate import generate
from alexnet_tf.validation.near_duplicates import near_pairs, perceptual_hash
from tests.components.test_validate import names, run


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
    pairs = near_pairs(np.concatenate([hashes, planted]), 3)
    assert {(number, len(hashes) + number) for number in range(50)} <= {tuple(pair) for pair in pairs.tolist()}


def photo(value: int, *, width=120, height=90, quality=90) -> bytes:
    coarse = np.random.default_rng(value).integers(0, 256, (6, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((240, 180)).resize((width, height)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def photos() -> dict[str, list[tuple[int, bytes]]]:
    return {
        split: [(row % 2, photo(start + row)) for row in range(count)]
        for split, start, count in (("train", 0, 20), ("validation", 100, 4), ("test", 200, 4))
    }


def test_images_that_look_alike_are_reported_within_and_across_splits(tmp_path):
    splits = photos()
    assert run(tmp_path, splits, near_copy_bits=4, name="none")["anomalies"] == []
    splits["train"][3] = (1, photo(1, width=100, height=75))
    splits["test"][0] = (1, photo(5, quality=50))
    with pytest.raises(DataError, match="1 pairs of images in two splits look alike: test/0 = train/5"):
        run(tmp_path, splits, near_copy_bits=4)
    report = run(tmp_path, splits, near_copy_bits=4, allow_near_leakage=True, name="allowed")
    assert names(report) == [("WARNING", "near_copies", "train"), ("WARNING", "near_leakage", "")]
    assert "train/1 = train/3" in report["anomalies"][0]["description"]
    assert run(tmp_path, splits, name="off")["anomalies"] == []


def test_the_same_bytes_twice_are_copies_and_no_near_copies(tmp_path):
    splits = photos()
    splits["train"][3] = (1, splits["train"][1][1])
    assert names(run(tmp_path, splits, near_copy_bits=4)) == [("WARNING", "copies", "train")]
