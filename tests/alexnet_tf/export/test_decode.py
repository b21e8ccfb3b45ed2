"""What training and `predict` make of a file (Pillow), and what the exported model does (TensorFlow)."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from alexnet_tf.data import images
from alexnet_tf.data.images import ImageRejected
from alexnet_tf.export.decode import decode
from tests.alexnet_tf.odd_files import on_a_larger_canvas, tiff, without_adobe

SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)).resize((50, 37))
PALETTE = SMOOTH.quantize(200)
GREY = SMOOTH.convert("L")
DEEP = np.asarray(GREY).astype(np.uint16) * 257
CLEAR = SMOOTH.copy()
CLEAR.putalpha(GREY)


def file(image, format, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


CMYK = file(SMOOTH.convert("CMYK"), "JPEG", quality=95)
PIXELS = np.asarray(SMOOTH)

# Name -> the file, and the largest difference in grey levels.
AGREED = {
    "JPEG": (file(SMOOTH, "JPEG", quality=90), 1),
    "JPEG, grey": (file(GREY, "JPEG", quality=90), 1),
    "JPEG, progressive": (file(SMOOTH, "JPEG", progressive=True), 1),
    "JPEG, full colour": (file(SMOOTH, "JPEG", subsampling=0), 1),
    "JPEG, CMYK": (CMYK, 3),
    "JPEG, CMYK without Adobe's marker": (without_adobe(CMYK), 3),
    "PNG": (file(SMOOTH, "PNG"), 0),
    "PNG, grey": (file(GREY, "PNG"), 0),
    "PNG, 1 bit": (file(GREY.convert("1"), "PNG"), 0),
    "PNG, 16 bits": (file(Image.fromarray(DEEP), "PNG"), 0),
    "PNG, palette": (file(PALETTE, "PNG"), 0),
    "PNG, palette of 4 bits": (file(SMOOTH.quantize(16), "PNG", bits=4), 0),
    "PNG, palette with transparency": (file(PALETTE, "PNG", transparency=bytes(range(200))), 0),
    "PNG, transparent": (file(CLEAR, "PNG"), 0),
    "PNG, transparent grey": (file(CLEAR.convert("LA"), "PNG"), 0),
    "BMP": (file(SMOOTH, "BMP"), 0),
    "BMP, 32 bits": (file(CLEAR, "BMP"), 0),
    "GIF": (file(PALETTE, "GIF"), 0),
    "GIF, interlaced": (file(PALETTE, "GIF", interlace=True), 0),
    "GIF with a comment": (file(PALETTE, "GIF", comment=b"of two blocks" * 30), 0),
    "GIF, animated": (file(PALETTE, "GIF", save_all=True, append_images=[Image.new("P", SMOOTH.size)]), 0),
}
REFUSED_IN_SERVING = {
    "BMP, palette": file(PALETTE, "BMP"),
    "BMP, grey": file(GREY, "BMP"),
    "BMP, 1 bit": file(GREY.convert("1"), "BMP"),
    "GIF, transparent": file(PALETTE, "GIF", transparency=5),
    "GIF, first frame smaller than its canvas": on_a_larger_canvas(file(PALETTE, "GIF")),
    "WebP": file(SMOOTH, "WEBP", lossless=True),
    "WebP, transparent": file(CLEAR, "WEBP", lossless=True),
    "AVIF": file(SMOOTH, "AVIF"),
    "JPEG 2000": file(SMOOTH, "JPEG2000"),
    "PPM": file(SMOOTH, "PPM"),
    "TIFF": file(SMOOTH, "TIFF"),
    "TIFF, white is zero": tiff(65535 - DEEP, bits=16, photometric=0),
}
REFUSED_BY_BOTH = {
    "nothing": b"",
    "text": b"<!DOCTYPE html><html>not found</html>",
    "JPEG, cut": AGREED["JPEG"][0][:-40],
    "PNG, cut": AGREED["PNG"][0][:-60],
    "BMP, header alone": AGREED["BMP"][0][:20],
    "GIF, header alone": AGREED["GIF"][0][:13],
    "TIFF, 16 bits in planes": tiff(PIXELS.astype(np.uint16) * 257, bits=16, photometric=2, planar=True),
}


@pytest.fixture(scope="module")
def serve():
    """In a graph, as the signatures decode."""
    return tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])


def trained_on(content):
    return np.asarray(images.decode(content, max_pixels=10_000), int)


@pytest.mark.parametrize("name", AGREED)
def test_training_and_serving_see_the_same_pixels(serve, name):
    content, tolerance = AGREED[name]
    assert np.abs(serve(content).numpy().astype(int) - trained_on(content)).max() <= tolerance


@pytest.mark.parametrize("name", REFUSED_IN_SERVING)
def test_what_only_training_reads_is_refused_with_the_way_out(serve, name):
    assert trained_on(REFUSED_IN_SERVING[name]).shape[2] == 3
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"images: expected JPEG, PNG, .* convert it to PNG"):
        serve(REFUSED_IN_SERVING[name])


@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_what_nobody_reads_is_refused(serve, name):
    with pytest.raises(ImageRejected):
        trained_on(REFUSED_BY_BOTH[name])
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(REFUSED_BY_BOTH[name])
