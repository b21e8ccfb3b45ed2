#!/usr/bin/env bash
# pillow==12.3.0, numpy==2.4.6
#
# Behaviour: Pillow opens a 16-bit RGB TIFF whose colours are stored plane by plane (PlanarConfiguration 2)
# without a word. Uncompressed, nearly all of its pixels are wrong; the same planes deflated are right, and
# so are uncompressed planes of 8 bits, and 16 bits pixel by pixel.
#
# One would guess: a baseline TIFF is read right or refused, and compression cannot change the pixels.
#
# Why it matters: microscopes and satellites write such files. A training set of them is noise with right
# labels, and a look at a few deflated samples shows nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pillow==12.3.0 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >planar.py <<'PY'
import io
import struct
import zlib

import numpy as np
from PIL import Image

WANT = {"16 bit, planes": "wrong", "16 bit, planes, deflated": "right", "8 bit, planes": "right", "16 bit, pixels": "right"}
HEIGHT, WIDTH = 24, 32
rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
TRUTH = np.stack([rows * 10, columns * 7, rows + 2 * columns], axis=-1).astype(np.uint8)


def tiff(bits, planar, deflated):
    """A little-endian TIFF of TRUTH, one strip for each plane or one for all."""
    values = TRUTH if bits == 8 else TRUTH.astype("<u2") * 257
    strips = [values[..., plane].tobytes() for plane in range(3)] if planar else [values.tobytes()]
    strips = [zlib.compress(strip) for strip in strips] if deflated else strips
    entries = {
        256: (3, [WIDTH]), 257: (3, [HEIGHT]), 258: (3, [bits] * 3), 259: (3, [8 if deflated else 1]), 262: (3, [2]),
        273: (4, [0] * len(strips)), 277: (3, [3]), 278: (3, [HEIGHT]), 279: (4, [len(strip) for strip in strips]),
        284: (3, [2 if planar else 1]),
    }
    place = 8 + 2 + 12 * len(entries) + 4  # of what does not fit into an entry, then of the strips
    extra = 0
    for kind, numbers in entries.values():
        size = struct.calcsize("<" + {3: "H", 4: "I"}[kind] * len(numbers))
        extra += size if size > 4 else 0
    first = place + extra
    entries[273] = (4, [first + sum(len(strip) for strip in strips[:index]) for index in range(len(strips))])
    table, data = b"", b""
    for tag, (kind, numbers) in sorted(entries.items()):
        packed = struct.pack("<" + {3: "H", 4: "I"}[kind] * len(numbers), *numbers)
        if len(packed) > 4:
            pointer = struct.pack("<I", place + len(data))
            data += packed
        else:
            pointer = packed.ljust(4, b"\0")
        table += struct.pack("<HHI", tag, kind, len(numbers)) + pointer
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + struct.pack("<I", 0) + data + b"".join(strips)


seen = {}
for label, bits, planar, deflated in (
    ("16 bit, planes", 16, True, False), ("16 bit, planes, deflated", 16, True, True),
    ("8 bit, planes", 8, True, False), ("16 bit, pixels", 16, False, False),
):
    with Image.open(io.BytesIO(tiff(bits, planar, deflated))) as image:
        found = np.asarray(image.convert("RGB"))
    share = (np.abs(found.astype(int) - TRUTH).max(axis=-1) > 1).mean()
    seen[label] = "right" if share == 0 else "wrong"
    print(f"{label}: {seen[label]}, {share:.0%} of the pixels differ from what was written")
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
venv/bin/python planar.py
