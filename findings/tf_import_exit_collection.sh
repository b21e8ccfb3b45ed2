#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6 under CPython 3.11
#
# Behaviour: of the processor time of a process that only imports TensorFlow, a quarter or more is Python's cyclic
# garbage collector, and more of it at the exit than during the import: the interpreter's end traverses the hundreds of
# thousands of objects that the import made and takes them apart one by one. `gc.disable()` during the import saves the
# smaller part; `gc.freeze()` after it, which puts those objects out of the collector's sight, saves the larger one.
#
# One would guess: next to nothing. CPython delays a full collection until the objects that wait for it are a quarter
# of those it has seen, the import drops next to none, and a process that ends gives its memory back in one piece.
#
# Why it matters: every stage, command, worker and test process that uses TensorFlow pays it at each start and end, and
# no profile of imports shows the part at the exit.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cat >"$work/compare.py" <<'P'
import os, statistics, subprocess, sys

WAYS = {
    "as it is": "import tensorflow",
    "collector off during the import": "import gc; gc.disable(); import tensorflow; gc.enable()",
    "the same, then gc.freeze()": "import gc; gc.disable(); import tensorflow; gc.freeze(); gc.enable()",
}

def cpu_seconds(code):
    before = os.times()
    subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system

for code in WAYS.values():  # compiles, and reads the files into the page cache
    cpu_seconds(code)
rounds = [[cpu_seconds(code) for code in WAYS.values()] for _ in range(5)]
for way, column in zip(WAYS, zip(*rounds)):
    print(f"{statistics.median(column):.2f} CPU-seconds: {way}")
off, frozen = (statistics.median(1 - each[way] / each[0] for each in rounds) for way in (1, 2))
print(f"saved by the first: {off:.0%}; by both: {frozen:.0%}")
seen = f"both save a sixth or more: {frozen > 1 / 6}; most of it at the exit: {frozen > 2 * off}"
want = "both save a sixth or more: True; most of it at the exit: True"
if seen != want:
    sys.exit(f"changed: {seen}, expected {want}")
P
"$work/venv/bin/python" "$work/compare.py"
