import numpy as np
import pytest

from alexnet_tf.errors import DataError
from alexnet_tf.metrics.correctness import correctness, read_correctness, write_correctness
from alexnet_tf.metrics.top_k import score_views


def test_bits_come_back_in_the_order_of_the_sorted_keys(tmp_path):
    logits = np.zeros((3, 10, 6), np.float32)
    logits[[0, 1, 2], :, [0, 0, 2]] = 5
    predictions = score_views(logits, np.array([0, 1, 2]))
    packed = correctness(predictions, ["c", "a", "b"])
    write_correctness(tmp_path / "correct.npz", packed)
    again = read_correctness(tmp_path / "correct.npz", way_out="run it")
    assert set(again.right) == {"center_top1", "center_top5", "ten_crop_top1", "ten_crop_top5"}
    np.testing.assert_array_equal(again.right["ten_crop_top1"], [False, True, True])
    assert again.keys_sha256 == correctness(predictions, ["c", "a", "b"]).keys_sha256
    assert again.keys_sha256 != correctness(predictions, ["c", "a", "d"]).keys_sha256


def test_a_pickle_in_place_of_bits_is_not_loaded(tmp_path):
    np.savez(tmp_path / "correct.npz", num=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"is missing or broken .*: run it"):
        read_correctness(tmp_path / "correct.npz", way_out="run it")
