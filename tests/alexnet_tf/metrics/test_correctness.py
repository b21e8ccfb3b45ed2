import numpy as np
import pytest

from alexnet_tf.errors import DataError
from alexnet_tf.metrics.correctness import (
    Correctness,
    correctness,
    named_images,
    read_correctness,
    same_images,
    write_correctness,
)
from alexnet_tf.metrics.top_k import score_views


def test_bits_come_back_in_the_order_of_the_sorted_keys(tmp_path):
    logits = np.zeros((3, 10, 6), np.float32)
    logits[[0, 1, 2], :, [0, 0, 2]] = 5
    predictions = score_views(logits, np.array([0, 1, 2]))
    packed = correctness(predictions, ["c", "a", "b"], "raw")
    write_correctness(tmp_path / "correct.npz", packed)
    again = read_correctness(tmp_path / "correct.npz", way_out="run it")
    assert set(again.right) == {"center_top1", "center_top5", "ten_crop_top1", "ten_crop_top5"}
    np.testing.assert_array_equal(again.right["ten_crop_top1"], [False, True, True])
    assert (again.keys_sha256, again.source_digest) == (packed.keys_sha256, "raw")
    assert again.keys_sha256 != correctness(predictions, ["c", "a", "d"], "raw").keys_sha256


def test_images_are_the_same_if_their_keys_and_contents_are_as_far_as_both_are_known():
    here = Correctness(3, "keys", {}, "raw")
    assert same_images(here, here)
    assert same_images(here, Correctness(3, "keys", {}))  # a file from before contents were noted
    assert not same_images(here, Correctness(3, "keys", {}, "of another seed"))
    assert not same_images(here, Correctness(3, "others", {}, "raw"))
    assert not same_images(here, Correctness(2, "keys", {}, "raw"))
    assert named_images(here) == "3 with keys keys, contents raw"


def test_a_pickle_in_place_of_bits_is_not_loaded(tmp_path):
    np.savez(tmp_path / "correct.npz", num=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"is missing or broken .*: run it"):
        read_correctness(tmp_path / "correct.npz", way_out="run it")


@pytest.mark.parametrize("flipped", [0x01, 0x41])
def test_every_damaged_byte_is_one_sentence_or_without_effect(tmp_path, flipped):
    path = tmp_path / "correct.npz"
    write_correctness(path, Correctness(3, "keys", {"center_top1": np.array([True, False, True])}, "raw"))
    content = path.read_bytes()
    refused = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ flipped]) + content[place + 1 :])
        try:
            found = read_correctness(path, way_out="run it")
        except DataError:
            refused += 1
        else:
            assert (found.num_examples, found.keys_sha256, found.source_digest) == (3, "keys", "raw"), place
            assert {name: bits.tolist() for name, bits in found.right.items()} == {"center_top1": [True, False, True]}
    assert refused > len(content) / 2
