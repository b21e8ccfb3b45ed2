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
from alexnet_tf.sample.toy import OUTLINES, PATTERNS, pattern_share, signed_distance


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


def grid(side=201, reach=1.5):
    line = np.linspace(-reach, reach, side, dtype=np.float32)
    return np.meshgrid(line, line)


def test_outlines_by_hand():
    def inside(outline, u, v):
        return bool(signed_distance(outline, np.float32([[u]]), np.float32([[v]]))[0, 0] < 0)

    assert inside("ball", 0.9, 0)
    assert not inside("ball", 0.95, 0)
    assert inside("ring", 0.7, 0)
    assert not inside("ring", 0, 0)
    assert inside("kite", 0, 1.1)
    assert not inside("kite", 0, -0.8)  # the short end
    assert inside("star", 0, 1.0)  # on the axis from a tip
    assert not inside("star", 0, -0.6)  # opposite a tip there is a valley


def test_the_star_has_five_points():
    u, v = grid()
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    rim = signed_distance("star", np.float32(0.8 * np.cos(angles))[None], np.float32(0.8 * np.sin(angles))[None])[0]
    assert np.sum((rim < 0) & (np.roll(rim, 1) >= 0)) == 5
    third = 2 * np.pi / 5
    turned = signed_distance(
        "star",
        np.float32(np.cos(third)) * u - np.float32(np.sin(third)) * v,
        np.float32(np.sin(third)) * u + np.float32(np.cos(third)) * v,
    )
    np.testing.assert_allclose(turned, signed_distance("star", u, v), atol=1e-5)


@pytest.mark.parametrize("outline", OUTLINES)
def test_an_outline_covers_a_fair_part_of_its_square(outline):
    u, v = grid()
    assert 0.1 < np.mean(signed_distance(outline, u, v) < 0) < 0.4


@pytest.mark.parametrize(("pattern", "share"), [("striped", 0.5), ("checked", 0.5), ("dotted", 0.29)])
def test_the_share_of_the_second_colour(pattern, share):
    u, v = (np.float32(x) for x in np.mgrid[0:2:0.01, 0:2:0.01])
    covered = pattern_share(pattern, u, v, softness=0.02)
    assert covered.min() == 0
    assert covered.max() == 1
    assert covered.mean() == pytest.approx(share, abs=0.02)
    np.testing.assert_allclose(pattern_share(pattern, u + 1, v + 1, softness=0.02), covered, atol=1e-3)
