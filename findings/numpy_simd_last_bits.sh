#!/usr/bin/env bash
# numpy==2.4.6, pillow==12.3.0
#
# Behaviour: NumPy's wheel has sin, cos, exp and log of float32 in several sets of instructions and chooses by the processor
# when it is imported. With the set of AVX2 and with that below it, on the same machine, a twelfth of the values of log, a
# sixth of sin and cos and two fifths of exp differ in their last bits, and some JPEGs that are drawn with a sine differ,
# too, though each value was rounded to one of 256 grey levels. sqrt, sum, mean, hypot and the random generators are the
# same bit for bit. Processors with AVX-512 have a third set.
#
# One would guess: the same pinned wheel and the same seed give the same bytes on all x86-64 machines as long as no
# library of linear algebra and no thread is involved; if anything differs, it is sums, whose order may change.
#
# Why it matters: a generated or augmented data set, a spectrogram or a positional encoding has another checksum on another
# kind of processor, so DVC, or any cache by content, takes it for other data and runs everything after it again, and two
# people with one dvc.lock never agree. Compute in float64 and round to a grid before it becomes data.
set -euo pipefail
grep -qw avx2 /proc/cpuinfo || { echo "needs an x86-64 processor with AVX2, to switch that off"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q numpy==2.4.6 pillow==12.3.0 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >made.py <<'PY'
import hashlib
import io
import sys

import numpy as np
from PIL import Image

x = np.random.default_rng(0).uniform(-20, 20, 1_000_000).astype(np.float32)
values = {
    "sin": np.sin(x), "cos": np.cos(x), "exp": np.exp(x), "log": np.log(np.abs(x)),
    "sqrt": np.sqrt(np.abs(x)), "sum": x.sum(keepdims=True), "mean": x.reshape(1000, 1000).mean(axis=0),
    "hypot": np.hypot(x, x[::-1]), "normal": np.random.default_rng(1).standard_normal(100_000, np.float32),
    "sin, rounded": np.rint(np.sin(x.astype(np.float64)) * 2.0**20),
}
rows, columns = np.mgrid[0:500, 0:500].astype(np.float32)
pictures = [
    Image.fromarray((127 + 120 * np.sin(np.sqrt(rows * number + columns * columns) / 9)).astype(np.uint8))
    for number in range(1, 201)
]
def jpeg(picture):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return hashlib.sha256(file.getvalue()).hexdigest()
np.savez(sys.argv[1], **values, jpegs=[jpeg(each) for each in pictures])
PY
venv/bin/python made.py wide.npz
NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4" venv/bin/python -W ignore made.py narrow.npz
cat >compare.py <<'PY'
import numpy as np

SAME = {"sqrt", "sum", "mean", "hypot", "normal", "sin, rounded"}
wide, narrow = np.load("wide.npz"), np.load("narrow.npz")
seen = set()
for name in wide.files:
    differ = int((wide[name] != narrow[name]).sum())
    print(f"{name}: {differ:,} of {wide[name].size:,} differ")
    if not differ:
        seen.add(name)
raise SystemExit(0 if seen == SAME else f"changed: the same are {sorted(seen)}, expected {sorted(SAME)}")
PY
venv/bin/python compare.py
