import io

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.errors import DataError
from tests.components.test_validate import names, run


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


def test_a_copy_of_one_that_looks_like_a_third_makes_a_pair_with_that_across_splits(tmp_path):
    """train/1 comes first and is in the split of train/3; its copy in another split is no pair with it."""
    splits = photos()
    splits["train"][3] = (1, rewritten := _with_a_comment(splits["train"][1][1]))
    splits["validation"][0] = (1, splits["train"][1][1])
    assert rewritten != splits["train"][1][1]
    told = "1 pairs of images in two splits look alike: train/3 = validation/0"
    with pytest.raises(DataError, match=told):
        run(tmp_path, splits, near_copy_bits=4, allow_split_leakage=True)


def _with_a_comment(content: bytes) -> bytes:
    """The same JPEG with another segment, so of other bytes and equal pixels."""
    return content[:2] + b"\xff\xfe\x00\x06mine" + content[2:]
