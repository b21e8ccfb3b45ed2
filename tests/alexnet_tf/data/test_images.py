import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from alexnet_tf.data.images import ImageRejected, decode, to_square
from tests.alexnet_tf.odd_files import STORED, stored_turned, tiff, without_adobe

LIMIT = 1_000_000


def square_of(image, size):
    return np.asarray(to_square(image, size))


def encoded(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def gradient(height=30, width=40):
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // height, columns * 255 // width, 255 - rows * 255 // height], -1).astype(np.uint8)


RGB = Image.fromarray(gradient())


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "JPEG2000"])
def test_lossless_formats_come_back_exactly(format):
    np.testing.assert_array_equal(decode(encoded(RGB, format), max_pixels=LIMIT), gradient())


@pytest.mark.parametrize("most", [4095, 65535])
def test_grey_of_more_than_8_bits_in_a_portable_graymap_keeps_its_range(most):
    values = np.linspace(0, most, 12).astype(">u2").reshape(3, 4)
    image = decode(b"P5 4 3 %d\n" % most + values.tobytes(), max_pixels=LIMIT)
    expected = values.astype(float) / most * 255
    assert np.abs(np.asarray(image)[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(
    "content",
    [
        encoded(RGB, "JPEG", quality=95),
        encoded(RGB, "JPEG", quality=95, progressive=True),
        encoded(RGB.convert("CMYK"), "JPEG", quality=95),
        encoded(RGB, "WEBP", quality=95),
        encoded(RGB, "AVIF", quality=95),
        encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE)),
        encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE), "GIF"),
    ],
    ids=["jpeg", "progressive", "cmyk", "webp", "avif", "palette", "gif"],
)
def test_other_encodings_come_close(content):
    image = decode(content, max_pixels=LIMIT)
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image, int) - gradient()).mean() < 6


def ycck():
    """The gradient as a YCCK JPEG, whose four planes are those of the inverted colours, and no black at all."""
    planes = Image.fromarray(255 - gradient()).convert("YCbCr").split()
    # Pillow inverts what it writes as CMYK, and the marker tells readers that it is YCCK.
    inverted = [plane.point(lambda value: 255 - value) for plane in planes]
    content = encoded(Image.merge("CMYK", [*inverted, Image.new("L", RGB.size, 0)]), "JPEG", quality=95)
    place = content.index(b"Adobe") + 11
    assert content[place] == 0
    return content[:place] + b"\x02" + content[place + 1 :]


def test_ycck_gives_its_colours():
    image = decode(ycck(), max_pixels=LIMIT)
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image, int) - gradient()).mean() < 6


def test_grey_becomes_three_equal_channels():
    image = np.asarray(decode(encoded(RGB.convert("L"), "JPEG"), max_pixels=LIMIT))
    assert image.shape == (30, 40, 3)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_transparency_is_dropped():
    image = RGB.copy()
    image.putalpha(Image.new("L", image.size, 40))
    np.testing.assert_array_equal(decode(encoded(image), max_pixels=LIMIT), gradient())


def test_a_palette_with_transparent_entries_gives_its_colours():
    palette = RGB.convert("P", palette=Image.Palette.ADAPTIVE)
    content = encoded(palette, transparency=bytes(range(256)))
    np.testing.assert_array_equal(decode(content, max_pixels=LIMIT), palette.convert("RGB"))


def test_sixteen_bits_keep_their_high_byte():
    deep = (np.arange(600).reshape(20, 30) * 109).astype(np.uint16)
    image = np.asarray(decode(encoded(Image.fromarray(deep)), max_pixels=LIMIT))
    np.testing.assert_array_equal(image[..., 1], deep >> 8)


GREY = gradient()[..., 1]
DEEP = gradient().astype(np.uint16) * 257


@pytest.mark.parametrize(
    "content",
    [
        tiff(DEEP[..., 1], bits=16, photometric=1),
        tiff(65535 - DEEP[..., 1], bits=16, photometric=0),
        tiff(DEEP[..., 1] >> 4, bits=12, photometric=1),
        tiff(255 - GREY, bits=8, photometric=0),
        tiff(GREY, bits=8, photometric=1, rows_per_strip=7),
    ],
    ids=["16", "16, white is zero", "12", "8, white is zero", "8, strips"],
)
def test_grey_tiffs_of_any_depth_are_the_same_picture(content):
    image = np.asarray(decode(content, max_pixels=LIMIT))
    np.testing.assert_array_equal(image, np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize("rows_per_strip", [0, 7])
@pytest.mark.parametrize(("bits", "planar"), [(8, False), (8, True), (16, False)])
def test_colour_tiffs_are_the_same_picture(bits, planar, rows_per_strip):
    samples = gradient() if bits == 8 else DEEP
    content = tiff(samples, bits=bits, photometric=2, planar=planar, rows_per_strip=rows_per_strip)
    np.testing.assert_array_equal(decode(content, max_pixels=LIMIT), gradient())


def test_inks_without_adobes_marker_are_not_inverted():
    content = encoded(RGB.convert("CMYK"), "JPEG", quality=95)
    inverted = Image.fromarray(255 - np.asarray(RGB.convert("CMYK")), "CMYK")
    plain = without_adobe(encoded(inverted, "JPEG", quality=95))
    found, expected = (np.asarray(decode(each, max_pixels=LIMIT), int) for each in (plain, content))
    assert np.abs(found - expected).max() <= 2


@pytest.mark.parametrize("exif_orientation", [False, True])
def test_a_tiff_is_turned_once_as_its_orientation_says(exif_orientation):
    content = tiff(gradient(), bits=8, photometric=2, orientation=6)
    image = decode(content, max_pixels=LIMIT, exif_orientation=exif_orientation)
    np.testing.assert_array_equal(image, np.rot90(gradient(), -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_ignored(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned, plain = encoded(RGB, "JPEG", exif=exif), encoded(RGB, "JPEG")
    assert turned != plain
    found, expected = (np.asarray(decode(content, max_pixels=LIMIT)) for content in (turned, plain))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("upright", [gradient(), gradient()[..., 0].astype(np.uint16) << 8], ids=["rgb", "grey16"])
def test_exif_orientation_is_undone_where_asked_for(orientation, upright):
    image = decode(stored_turned(upright, orientation), max_pixels=LIMIT, exif_orientation=True)
    np.testing.assert_array_equal(image, decode(encoded(Image.fromarray(upright)), max_pixels=LIMIT))


@pytest.mark.parametrize("orientation", STORED)
def test_the_rotation_of_an_avif_file_counts_as_orientation(orientation):
    """Pillow writes it as `irot` and `imir` of the container, and nothing into EXIF."""
    content = stored_turned(gradient(), orientation, "AVIF", quality=100, subsampling="4:4:4")
    assert (b"irot" in content or b"imir" in content) == (orientation > 1)
    image = decode(content, max_pixels=LIMIT, exif_orientation=True)
    assert image.size == RGB.size
    assert np.abs(np.asarray(image, int) - gradient()).mean() < 6


def test_a_broken_exif_block_leaves_the_image_as_it_is():
    content = stored_turned(gradient(), 6).replace(b"MM\0*", b"XX\0*").replace(b"II*\0", b"XX\0*")
    place = content.index(b"eXIf")
    length = int.from_bytes(content[place - 4 : place], "big")
    checksum = struct.pack(">I", zlib.crc32(content[place : place + 4 + length]))
    content = content[: place + 4 + length] + checksum + content[place + 8 + length :]
    image = decode(content, max_pixels=LIMIT, exif_orientation=True)
    np.testing.assert_array_equal(image, STORED[6](gradient()))


def test_an_animation_gives_its_first_frame():
    content = encoded(RGB, "GIF", save_all=True, append_images=[Image.new("RGB", RGB.size)])
    assert np.asarray(decode(content, max_pixels=LIMIT)).mean() > 50


JPEG = encoded(RGB, "JPEG", quality=95)
IN_PLANES = tiff(gradient()[:20], bits=8, photometric=2, planar=True, rows_per_strip=10)
TWENTY_ROWS, THIRTY_ROWS = (struct.pack("<HHIHH", 257, 3, 1, rows, 0) for rows in (20, 30))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html>not found</html>", "no known image format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no known image format"),
        (JPEG[:-20], "cannot be decoded (image file is truncated"),
        (JPEG[:300], "broken header ("),
        (encoded(RGB)[:-60], "cannot be decoded ("),
        (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "pixels of unknown range (mode F)"),
        (tiff(DEEP, bits=16, photometric=2, planar=True), "TIFF of more than 8 bits a channel, plane by plane"),
        (tiff(gradient()[:20], bits=8, photometric=2).replace(TWENTY_ROWS, THIRTY_ROWS), "TIFF of strips that leave"),
        (IN_PLANES.replace(TWENTY_ROWS, THIRTY_ROWS), "TIFF of strips that leave"),
    ],
)
def test_unusable_files_are_rejected_with_a_reason(content, reason):
    with pytest.raises(ImageRejected) as rejected:
        decode(content, max_pixels=LIMIT)
    assert rejected.value.reason.startswith(reason)


def png_header(width, height):
    """The start of a PNG that claims a size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + b"\0\0\0\0IDAT\0\0\0\0"
    )


@pytest.mark.parametrize("side", [1001, 10_000, 65_000])
def test_too_large_an_image_is_rejected_before_any_pixel(side):
    with pytest.raises(ImageRejected, match=rf"^too many pixels \({side} x {side}\)$"):
        decode(png_header(side, side), max_pixels=LIMIT)


PROCESS = """
from PIL import Image
limit = Image.MAX_IMAGE_PIXELS
from alexnet_tf.data.images import BOMB_PIXELS
assert Image.MAX_IMAGE_PIXELS == limit == BOMB_PIXELS // 2
from components.beam import worker
assert Image.MAX_IMAGE_PIXELS == limit
"""


def test_pillows_limit_is_left_alone_by_the_library_and_the_stages(root):
    ended = subprocess.run([sys.executable, "-c", PROCESS], cwd=root, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_pillows_limit_is_neither_in_the_way_nor_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # of which twice as many would be refused, and 101 warned of
    contents = [encoded(RGB), encoded(RGB, "TIFF"), png_header(1001, 1001), b"no image"] * 20
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(_size_or_reason, contents))
    assert found == [(40, 30), (40, 30), "too many pixels (1001 x 1001)", "no known image format"] * 20
    assert Image.MAX_IMAGE_PIXELS == 100


def _size_or_reason(content):
    try:
        return decode(content, max_pixels=LIMIT).size
    except ImageRejected as error:
        return error.reason


@settings(max_examples=150)
@given(st.binary(max_size=400), st.integers(0, len(JPEG)))
def test_damage_is_decoded_or_rejected_with_a_reason_that_repeats(junk, position):
    content = JPEG[:position] + junk + JPEG[position + len(junk) :]
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(decode(content, max_pixels=LIMIT).tobytes())
        except ImageRejected as error:
            outcomes.append(error.reason)
    assert outcomes[0] == outcomes[1]


def test_a_square_has_no_metadata_that_would_be_saved_with_it():
    original = encoded(Image.fromarray(gradient()), "JPEG", comment=b"a remark", icc_profile=b"a profile", dpi=(72, 72))
    image = Image.open(io.BytesIO(original))
    assert {"comment", "icc_profile", "dpi"} <= set(image.info)
    for size in (16, 30):  # reduced, and cut alone
        square = to_square(decode(original, max_pixels=LIMIT), size)
        plain = Image.fromarray(np.asarray(square))
        assert [encoded(square, format) for format in ("JPEG", "PNG")] == [
            encoded(plain, format) for format in ("JPEG", "PNG")
        ]


def test_a_square_at_its_size_is_left_alone():
    square = gradient(32, 32)
    np.testing.assert_array_equal(square_of(Image.fromarray(square), 32), square)


def test_the_middle_is_kept():
    strip = np.zeros((10, 30, 3), np.uint8)
    strip[:, 10:20] = 200
    np.testing.assert_array_equal(square_of(Image.fromarray(strip), 10), strip[:, 10:20])
    np.testing.assert_array_equal(square_of(Image.fromarray(strip.swapaxes(0, 1)), 10), strip[:, 10:20])


@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 300), (24, 20), (20, 24)])
def test_shapes_keep_their_aspect(width, height):
    """A disc stays a disc of the same share of the short side, in landscape, portrait and tiny images."""
    short = min(width, height)
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2) < 0.35 * short
    image = Image.fromarray(np.repeat((inside * 255).astype(np.uint8)[..., None], 3, axis=2))
    disc = square_of(image, 64)[..., 0] > 127
    extents = [np.flatnonzero(disc.any(axis=axis)) for axis in (0, 1)]
    for extent in extents:
        assert extent[-1] - extent[0] + 1 == pytest.approx(0.7 * 64, abs=4)  # a pixel of the tiny one is 3 here
        assert extent[0] + extent[-1] == pytest.approx(63, abs=1)


def test_halving_averages_by_hand():
    """A triangle of 4 pixels on a line of 4: weights 3/7 3/7 1/7, the one beyond the edge left out."""
    line = np.array([0, 80, 160, 240], np.uint8)
    image = Image.fromarray(np.repeat(np.repeat(line[None, :, None], 4, axis=0), 3, axis=2))
    left = (3 * 0 + 3 * 80 + 1 * 160) / 7
    np.testing.assert_array_equal(square_of(image, 2)[0, :, 0], [round(left), round(240 - left)])


def test_it_is_tensorflows_antialiased_resize_and_crop_to_two_levels():
    import tensorflow as tf

    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)).resize((400, 300))
    theirs = tf.image.resize(np.asarray(photo), (96, 128), method="bilinear", antialias=True)[:, 16:112]
    assert np.abs(square_of(photo, 96).astype(int) - theirs.numpy()).max() < 2


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (3000, 1), (2, 5), (31, 33), (700, 500)])
def test_any_shape_becomes_a_square(height, width):
    square = square_of(Image.new("RGB", (width, height), (9, 8, 7)), 32)
    assert (square.shape, square.dtype) == ((32, 32, 3), np.uint8)
    assert (square == [9, 8, 7]).all()


def test_mirroring_commutes():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    mirrored = square_of(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 24)
    # Pillow sums in fixed point from one side, so that a level of rounding may differ.
    assert np.abs(mirrored[:, ::-1].astype(int) - square_of(image, 24)).max() <= 1
