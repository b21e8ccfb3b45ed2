#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; CPU, two logical devices
#
# Behaviour: each MirroredStrategy of a process numbers its sums of gradients from the same number on, and the runtime
# remembers the shapes under these numbers. A second strategy over the same devices fails in its first sum with
# "Shape mismatch in the collective instance 100" if its model has other shapes, and the first strategy fails from then
# on, too, with the model that it has trained before. With one strategy for both models, both train.
#
# One would guess: a strategy is a value like an optimizer, made anew for each model as the tutorials do. It works
# with a single device, and with equal models.
#
# Why it matters: a search over widths in one process, a notebook cell that is run again after an edit, or a test suite
# with replicas stops with an error about "different input shapes at different members", which are not different.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >second.py <<'PY'
import re
import sys

import keras
import numpy as np
import tensorflow as tf

(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


def strategy():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def model(units, within):
    with within.scope():
        made = keras.Sequential([keras.Input((8,)), keras.layers.Dense(units), keras.layers.Dense(1)])
        made.compile("sgd", "mse", jit_compile=False)
    return made


def trained(name, made):
    try:
        made.fit(np.ones((64, 8), "float32"), np.ones(64), batch_size=16, verbose=0)
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r"Shape mismatch in the collective instance \d+", str(error))
        print(f"{name}: {found[0] if found else error}")
    else:
        print(f"{name}: trained")


if sys.argv[1] == "one":
    shared = strategy()
    trained("one strategy, 4 units", model(4, shared))
    trained("one strategy, 6 units", model(6, shared))
else:
    first = model(4, strategy())
    trained("first strategy, 4 units", first)
    trained("second strategy, 4 units", model(4, strategy()))
    trained("third strategy, 6 units", model(6, strategy()))
    trained("first strategy again", first)
PY
export CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3
for strategies in one many; do
  venv/bin/python second.py "$strategies" 2>tf.log | grep 'strategy' || { cat tf.log >&2; exit 1; }
done | tee seen
cat >want <<'WANT'
one strategy, 4 units: trained
one strategy, 6 units: trained
first strategy, 4 units: trained
second strategy, 4 units: trained
third strategy, 6 units: Shape mismatch in the collective instance 100
first strategy again: Shape mismatch in the collective instance 100
WANT
diff seen want || { echo "changed: the lines marked > were expected" >&2; exit 1; }
