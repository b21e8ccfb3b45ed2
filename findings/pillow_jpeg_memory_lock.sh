#!/usr/bin/env bash
# pillow==12.3.0, numpy==2.4.6; two processors that are idle
#
# Behaviour: Image.save into io.BytesIO compresses a JPEG while it holds Python's lock, so two threads take about
# twice as long as one thread with half of the work; into a real file, one that has a descriptor, the same call
# releases the lock, and two threads take as long as one. A file in memory (os.memfd_create) counts as real. Both
# give the same bytes.
#
# One would guess: Pillow releases the lock while it compresses, whatever it writes to, or memory is the faster of
# both.
#
# Why it matters: a data set that is compressed into TFRecords, HDF5 or a zip goes through BytesIO, mostly in a pool of
# threads because "Pillow releases the lock". The pool is then no faster than a loop.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pillow==12.3.0 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >lock.py <<'PY'
import io
import os
import statistics
import threading
import time

import numpy as np
from PIL import Image

if len(os.sched_getaffinity(0)) < 2:
    raise SystemExit("this needs two processors")
image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), np.uint8))


def to_memory():
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def to_file():
    with open(os.memfd_create("image"), "w+b") as stream:
        image.save(stream, "JPEG", quality=90)
        stream.seek(0)
        return stream.read()


def seconds(save, num_threads):
    threads = [threading.Thread(target=lambda: [save() for _ in range(10)]) for _ in range(num_threads)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


assert to_memory() == to_file()
ratios = {}
for num_threads in (1, 2):
    rounds = [seconds(to_memory, num_threads) / seconds(to_file, num_threads) for _ in range(5)]
    ratios[num_threads] = statistics.median(rounds)
    print(f"{num_threads} thread(s), ten images each: into memory takes {ratios[num_threads]:.2f} times what a file takes")
if not (ratios[1] < 1.2 and ratios[2] > 1.5):
    raise SystemExit("changed: expected about 1 with one thread and 2 with two")
PY
venv/bin/python lock.py
