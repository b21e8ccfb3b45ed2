import io

import numpy as np
from PIL import Image

from alexnet_tf.evaluation import figures
from alexnet_tf.plotting import legible


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_kernels_keep_their_pattern_and_the_towers_their_gap():
    kernels = np.zeros((2, 2, 3, 4), np.float32)
    kernels[0, 0, 0, 0] = 7  # the first kernel's upper left is red, the rest of it black
    one = pixels(figures.kernel_grid(kernels, towers=1))
    two = pixels(figures.kernel_grid(kernels, towers=2))
    scale = 800 // (4 * 3 + 1)
    assert one.shape == (4 * scale, 13 * scale, 3)
    np.testing.assert_array_equal(one[scale, scale], [255, 0, 0])
    np.testing.assert_array_equal(one[2 * scale, 2 * scale], [0, 0, 0])
    np.testing.assert_array_equal(one[0, 0], [255, 255, 255])
    # Two towers: two rows of 2 kernels, and 2 white pixels more between them.
    scale = 800 // (2 * 3 + 1)
    assert two.shape == ((4 + 4 + 2) * scale, 7 * scale, 3)


def test_many_classes_can_be_drawn():
    names = [f"class {index}" for index in range(100)]
    assert pixels(figures.confusion_matrix(np.eye(100, dtype=int), names, title="t")).shape[0] < 2000


def test_letters_that_the_font_lacks_are_told_apart(recwarn):
    named = [figures.confusion_matrix(np.eye(2, dtype=int), ["a", name], title="t") for name in ("花", "木", "花")]
    assert named[0] == named[2] != named[1]
    assert not recwarn.list
    assert legible("rosé, 花") == "rosé, U+82B1"
    assert figures.shortened("花" * 9) == "U+82B1" * 3 + "U+82B…"


def test_long_names_leave_room_for_the_matrix():
    names = [f"{index} {'a long name of a class ' * 3}" for index in range(12)]
    short, long = (
        pixels(figures.confusion_matrix(np.eye(12, dtype=int), each, title="t"))
        for each in ([n[:20] for n in names], names)
    )
    blue = [(np.abs(each.astype(int) - (8, 48, 107)).sum(axis=-1) < 12).sum() for each in (short, long)]
    assert blue[1] > 0.5 * blue[0]
