#!/usr/bin/env bash
# safetensors==0.8.0, numpy==2.4.6
#
# Behaviour: with two or more metadata entries, the entries are written in an order that changes from
# one save to the next, within one process too. The tensors load alike, the files differ. With one
# entry, and for the tensors themselves whatever their order in the dictionary, the bytes are stable.
#
# One would guess: equal tensors and equal metadata give equal bytes, since a Python dictionary keeps
# its order and the tensors are laid out in a fixed order.
#
# Why it matters: caches, model registries and pipelines that address an artifact by its hash see a new
# model after every save, and a reproducibility check that compares files fails on equal weights.
# One entry that holds a sorted JSON text keeps the file stable.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >save.py <<'PY'
import hashlib

import numpy as np
from safetensors.numpy import save

WANT = {"four entries": True, "one entry": False, "no entry": False}  # do the bytes vary?

weights = {"kernel": np.arange(6, dtype="float32").reshape(2, 3), "bias": np.zeros(3, dtype="float32")}
metadata = {"name": "alexnet", "seed": "1", "epoch": "90", "dataset": "cifar10"}
seen = {}
for label, entries in (("four entries", metadata), ("one entry", {"seed": "1"}), ("no entry", None)):
    files = {hashlib.sha256(save(weights, metadata=entries)).hexdigest() for _ in range(50)}
    print(f"{label}: {'several' if len(files) > 1 else 'one'} distinct file(s) in 50 equal saves")
    seen[label] = len(files) > 1
raise SystemExit(0 if seen == WANT else f"changed: bytes vary {seen}, expected {WANT}")
PY
venv/bin/python save.py
