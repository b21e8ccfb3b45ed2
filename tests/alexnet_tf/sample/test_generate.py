import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.images import ImageRejected, decode
from alexnet_tf.sample.difficulty import PALETTES
from alexnet_tf.sample.generate import CLASS_NAMES, LONG_SIDE_PX, SHORT_SIDE_PX, generate
from alexnet_tf.sample.toy import OUTLINES, PATTERNS


def opened(class_index, index, split="train"):
    return Image.open(io.BytesIO(generate(split, class_index, index, 2012)[1]))


def test_a_fresh_process_makes_the_same_bytes():
    program = (
        "import hashlib; from alexnet_tf.sample.generate import generate;"
        "print(hashlib.sha256(generate('test', 3, 4, 2012)[1]).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == hashlib.sha256(generate("test", 3, 4, 2012)[1]).hexdigest()


def test_every_argument_changes_the_image():
    variations = [
        ("train", 3, 30, 1),
        ("test", 3, 30, 1),
        ("train", 4, 30, 1),
        ("train", 3, 31, 1),
        ("train", 3, 30, 2),
    ]
    assert len({generate(*arguments)[1] for arguments in variations}) == len(variations)


def test_an_image_does_not_depend_on_the_others():
    alone = generate("train", 5, 50, 2012)
    for index in range(5):
        generate("train", 5, index, 2012)
    assert generate("train", 5, 50, 2012) == alone


def test_no_class_has_an_outline_or_a_pattern_for_itself():
    outlines = [name.split()[1] for name in CLASS_NAMES]
    patterns = [name.split()[0] for name in CLASS_NAMES]
    assert len(set(CLASS_NAMES)) == 10
    assert all(outlines.count(outline) > 1 for outline in OUTLINES)
    assert all(patterns.count(pattern) > 1 for pattern in PATTERNS)
    assert len(PALETTES) < len(CLASS_NAMES)


def test_sizes_and_aspects_vary_within_their_bounds():
    sizes = [opened(index % 10, 20 + index, "test").size for index in range(40)]
    assert all(SHORT_SIDE_PX[0] <= min(size) <= SHORT_SIDE_PX[1] for size in sizes)
    assert all(max(size) <= LONG_SIDE_PX for size in sizes)
    assert len(set(sizes)) > 30
    assert any(width > height for width, height in sizes)
    assert any(width < height for width, height in sizes)


@pytest.mark.parametrize(
    ("class_index", "index", "kind", "mode", "orientation"),
    [
        (1, 0, "JPEG", "L", None),
        (2, 1, "JPEG", "CMYK", None),
        (3, 1, "PNG", "RGB", None),
        (5, 1, "JPEG", "RGB", 6),
        (0, 0, "JPEG", "RGB", None),
    ],
)
def test_the_training_split_has_the_awkward_files_of_imagenet(class_index, index, kind, mode, orientation):
    image = opened(class_index, index)
    assert (image.format, image.mode, image.getexif().get(0x0112)) == (kind, mode, orientation)
    assert generate("train", class_index, index, 2012)[0] == f"{index:05d}.JPEG"


def test_one_training_file_is_cut_short():
    with pytest.raises(ImageRejected, match="truncated"):
        decode(generate("train", 6, 7, 2012)[1], max_pixels=10**6)
    decode(generate("test", 6, 7, 2012)[1], max_pixels=10**6)


def test_an_image_is_neither_dark_nor_flat():
    for class_index in range(10):
        pixels = np.asarray(opened(class_index, 40).convert("L"), np.float32)
        assert 15 < pixels.mean() < 240
        assert pixels.std() > 8
