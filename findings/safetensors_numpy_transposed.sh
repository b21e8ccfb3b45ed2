#!/usr/bin/env bash
# safetensors==0.8.0, numpy==2.4.6
#
# Behaviour: safetensors.numpy.save writes an array's memory as it lies, under the array's shape. A
# Fortran-ordered array, a transpose for one, comes back with the right shape and dtype and with its
# values in other places. Nothing is raised and nothing is warned.
#
# One would guess: either the array is copied into C order (as numpy.save effectively does, by noting
# the order) or it is refused, as safetensors.torch refuses a non-contiguous tensor. The documentation
# asks for "contiguous and dense" tensors, and numpy calls this array contiguous: F_CONTIGUOUS.
#
# Why it matters: weights are transposed whenever they move between frameworks (HWIO to OIHW, kernel to
# weight), and a square or a same-shaped result hides the damage: the model loads and predicts badly.
# numpy.ascontiguousarray before the save keeps the values.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >save.py <<'PY'
import warnings

import numpy as np
from safetensors.numpy import load, save

WANT = {"C order": True, "transposed": False, "Fortran order": False, "transposed, then C order": True}

warnings.simplefilter("error")
kernel = np.arange(6, dtype="float32").reshape(2, 3)
cases = {
    "C order": kernel,
    "transposed": kernel.T,
    "Fortran order": np.asfortranarray(kernel),
    "transposed, then C order": np.ascontiguousarray(kernel.T),
}
seen = {}
for label, array in cases.items():
    back = load(save({"kernel": array}))["kernel"]
    assert back.shape == array.shape and back.dtype == array.dtype
    seen[label] = bool(np.array_equal(back, array))
    print(f"{label}: saved {array.tolist()}, loaded {back.tolist()}")
raise SystemExit(0 if seen == WANT else f"changed: equal after loading {seen}, expected {WANT}")
PY
venv/bin/python save.py
