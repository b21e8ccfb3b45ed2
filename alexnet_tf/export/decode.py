"""Decodes image files inside the exported model: to the pixels that training saw, or not at all.

TensorFlow reads more files than it reads as Pillow does, without a word: palette numbers of a BMP as grey levels, of a
GIF a first frame that is smaller than its canvas, transparent parts as black. So a file's first bytes are looked at
before TensorFlow's decoders, and all but these are refused:

- JPEG, grey, colour or CMYK; PNG of any kind;
- BMP of 24 or 32 bits a pixel, uncompressed;
- GIF whose first frame fills the canvas and has no transparent colour.

Training also reads WebP, TIFF, AVIF, JPEG 2000, PPM, and every BMP and GIF that Pillow does.
"""

import tensorflow as tf

_REFUSAL = (
    "images: expected JPEG, PNG, BMP of 24 or 32 bits a pixel (uncompressed) or GIF whose first frame fills the canvas "
    "and has no transparent colour, found another file; convert it to PNG"
)
_GIF_IMAGE, _GIF_EXTENSION, _GIF_CONTROL = 0x2C, 0x21, 0xF9


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decode one file, () string, to RGB (H, W, 3) uint8, with the same inverse DCT as Pillow.

    Raises:
        tf.errors.InvalidArgumentError: The file is of another format or kind, or broken.
    """
    jpeg = tf.io.is_jpeg(encoded)
    png = _has(encoded, 0, b"\x89PNG\r\n\x1a\n")
    gif = tf.cond(_has(encoded, 0, b"GIF8"), lambda: _first_frame_is_all(encoded), lambda: False)
    known = tf.debugging.Assert(jpeg | png | _is_plain_bmp(encoded) | gif, [_REFUSAL])
    with tf.control_dependencies([known]):
        pixels = tf.cond(
            jpeg,
            lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
        )
    return tf.ensure_shape(pixels, [None, None, 3])


def _has(encoded: tf.Tensor, place: int, *words: bytes) -> tf.Tensor:
    """Return whether one of `words`, of equal lengths, is at a place of the file; beyond its end all bytes are 0."""
    size = len(words[0])
    head = tf.strings.substr(encoded, 0, place + size) + b"\0" * (place + size)
    return tf.reduce_any(tf.strings.substr(head, place, size) == tf.constant(words))


def _is_plain_bmp(encoded: tf.Tensor) -> tf.Tensor:
    sizes = (b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0")  # of the headers of Windows; OS/2 has the fields elsewhere
    bits = (b"\x18\0", b"\x20\0")
    return _has(encoded, 0, b"BM") & _has(encoded, 14, *sizes) & _has(encoded, 28, *bits) & _has(encoded, 30, b"\0" * 4)


def _first_frame_is_all(encoded: tf.Tensor) -> tf.Tensor:
    """Return whether a GIF's first frame is as large as its canvas, and opaque."""
    data = tf.cast(tf.io.decode_raw(encoded, tf.uint8), tf.int32)
    palette = tf.where(data[10] >= 128, 3 * tf.bitwise.left_shift(2, data[10] % 8), 0)

    def is_extension(place, transparent):
        return data[place] == _GIF_EXTENSION

    def skip(place, transparent):
        control = data[place + 1] == _GIF_CONTROL
        transparent |= control & (data[place + 3] % 2 == 1)
        end = tf.while_loop(lambda at: data[at] != 0, lambda at: (at + 1 + data[at],), (place + 2,))[0]
        return end + 1, transparent

    place, transparent = tf.while_loop(is_extension, skip, (13 + palette, False))
    corner, sides = data[place + 1 : place + 5], data[place + 5 : place + 9]
    fills = tf.reduce_all(corner == 0) & tf.reduce_all(sides == data[6:10])
    return (data[place] == _GIF_IMAGE) & fills & ~transparent
