"""Image files as no library here writes them."""

import io
import struct

import numpy as np
from PIL import Image

SHORT, LONG = 3, 4
# EXIF orientation -> how a camera that was held so stores the upright picture (H, W) or (H, W, C).
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright[::-1].swapaxes(0, 1),
}


def stored_turned(upright: np.ndarray, orientation: int, format: str = "PNG", **options) -> bytes:
    """Return a picture as a camera stores it that was held so, with the orientation in its EXIF block."""
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    stored.save(stream, format, exif=exif, **options)
    return stream.getvalue()


def tiff(
    samples: np.ndarray, *, bits: int, photometric: int, planar: bool = False, rows_per_strip: int = 0, orientation=1
) -> bytes:
    """Return an uncompressed little-endian TIFF.

    Args:
        samples: (H, W) or (H, W, C), in the range that `bits` has.
        bits: 8, 12 or 16 a sample; with 12 the row's width must be even.
        photometric: 0, white is zero; 1, black is zero; 2, RGB.
        planar: Whether the channels follow one another.
        rows_per_strip: 0: one strip, or one a channel.
        orientation: As in EXIF.
    """
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    planes = np.moveaxis(samples, -1, 0) if planar else [samples]
    rows = rows_per_strip or height
    strips = [_packed(plane[top : top + rows], bits) for plane in planes for top in range(0, height, rows)]
    starts = 8 + np.cumsum([0, *map(len, strips)])
    entries = [
        (256, SHORT, [width]),
        (257, SHORT, [height]),
        (258, SHORT, [bits] * channels),
        (259, SHORT, [1]),
        (262, SHORT, [photometric]),
        (273, LONG, starts[:-1].tolist()),
        (274, SHORT, [orientation]),
        (277, SHORT, [channels]),
        (278, SHORT, [rows]),
        (279, LONG, [len(strip) for strip in strips]),
        (284, SHORT, [2 if planar else 1]),
    ]
    directory = int(starts[-1])
    beyond = directory + 2 + 12 * len(entries) + 4
    fields, arrays = b"", b""
    for tag, kind, values in entries:
        content = struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        if len(content) > 4:
            content, arrays = struct.pack("<I", beyond + len(arrays)), arrays + content
        fields += struct.pack("<HHI", tag, kind, len(values)) + content.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", directory)
    return head + b"".join(strips) + struct.pack("<H", len(entries)) + fields + b"\0" * 4 + arrays


def _packed(samples: np.ndarray, bits: int) -> bytes:
    if bits != 12:
        return np.ascontiguousarray(samples, "<u2" if bits == 16 else "u1").tobytes()
    first, second = samples.astype(int).reshape(-1, 2).T
    return np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1).astype(np.uint8).tobytes()


def without_adobe(jpeg: bytes) -> bytes:
    """Return a JPEG without Adobe's marker, whose inks then are what they say."""
    start = jpeg.index(b"\xff\xee")
    return jpeg[:start] + jpeg[start + 2 + struct.unpack(">H", jpeg[start + 2 : start + 4])[0] :]


def on_a_larger_canvas(gif: bytes) -> bytes:
    """Return a GIF whose frames stay as they are in the upper left corner."""
    width, height = struct.unpack("<HH", gif[6:10])
    return gif[:6] + struct.pack("<HH", width + 10, height + 6) + gif[10:]
