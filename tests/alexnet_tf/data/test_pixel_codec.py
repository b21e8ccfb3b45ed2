import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, JpegImagePlugin

from alexnet_tf.data.pixel_codec import decode_pixels, encode_pixels

SIZE = 32


def smooth(seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIZE, SIZE)))


def test_raw_pixels_come_back_as_they_were():
    image = smooth()
    stored = encode_pixels(Image.fromarray(image), encoding="raw", jpeg_quality=1)
    assert stored == image.tobytes()
    np.testing.assert_array_equal(decode_pixels(stored, encoding="raw", size=SIZE), image)


def test_jpeg_is_decoded_as_tensorflow_does():
    stored = encode_pixels(Image.fromarray(smooth()), encoding="jpeg", jpeg_quality=95)
    expected = tf.io.decode_jpeg(stored, dct_method="INTEGER_ACCURATE").numpy()
    np.testing.assert_array_equal(decode_pixels(stored, encoding="jpeg", size=SIZE), expected)


def test_a_higher_quality_is_nearer_and_longer():
    image = smooth()
    stored = [encode_pixels(Image.fromarray(image), encoding="jpeg", jpeg_quality=quality) for quality in (30, 75, 95)]
    decoded = [decode_pixels(each, encoding="jpeg", size=SIZE).astype(int) for each in stored]
    errors = [np.abs(each - image).mean() for each in decoded]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1.5  # grey levels of 255
    assert len(stored[0]) < len(stored[1]) < len(stored[2]) < image.nbytes / 2


def test_colours_keep_their_resolution():
    """Columns of red and green in turn: at half the resolution every pixel would be the same brown."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:, ::2, 0], image[:, 1::2, 1] = 200, 200
    stored = encode_pixels(Image.fromarray(image), encoding="jpeg", jpeg_quality=95)
    assert JpegImagePlugin.get_sampling(Image.open(io.BytesIO(stored))) == 0
    np.testing.assert_allclose(decode_pixels(stored, encoding="jpeg", size=SIZE).astype(int), image, atol=12)


def test_grey_stays_grey():
    grey = Image.fromarray(np.repeat(smooth()[..., :1], 3, axis=2))
    decoded = decode_pixels(encode_pixels(grey, encoding="jpeg", jpeg_quality=80), encoding="jpeg", size=SIZE)
    assert (decoded == decoded[..., :1]).all()


def of_mode(mode, size=SIZE):
    stream = io.BytesIO()
    Image.fromarray(smooth()).resize((size, size)).convert(mode).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("encoding", "stored", "message"),
    [
        ("raw", b"12", "expected 3072 bytes, found 2"),
        ("jpeg", b"", "expected a JPEG of 32 x 32 pixels in colour, found 0 bytes that are none"),
        ("jpeg", of_mode("RGB")[:100], "found 100 bytes that are none"),
        ("jpeg", of_mode("RGB")[:-20], r"found \d+ bytes that are none \(Premature end of JPEG file\)"),
        ("jpeg", of_mode("RGB", size=16), "found 16 x 16 of YCbCr"),
        ("jpeg", of_mode("L"), "found 32 x 32 of Gray"),
    ],
)
def test_anything_else_is_named(encoding, stored, message):
    with pytest.raises(ValueError, match=message):
        decode_pixels(stored, encoding=encoding, size=SIZE)
