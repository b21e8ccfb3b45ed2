#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; no GPU needed: two logical CPUs stand for two devices
#
# Behaviour: under tf.distribute.MirroredStrategy a keras.layers.Dropout drops the same units in every
# replica, step after step, with a seed and without one. The mask differs from step to step only.
#
# One would guess: each replica draws its own mask, as a tf.random.Generator made in the same scope does
# (checked here too), so that a batch over N devices is regularised like the same batch on one device.
#
# Why it matters: on N devices the global batch sees one mask pattern N times, so the noise that dropout
# and other random keras layers are there for is correlated between the replicas, without a word, and
# a run on more devices is not the run on one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >replicas.py <<'PY'
import numpy as np
import tensorflow as tf
import keras

WANT = {"seed=7": "same", "seed=None": "same", "tf.random.Generator": "different"}
STEPS, UNITS = 3, 64

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
seen = {}


def watch(label, draw):
    @tf.function
    def step():
        return strategy.run(draw)

    steps = [[np.asarray(v) for v in strategy.experimental_local_results(step())] for _ in range(STEPS)]
    assert all(len(replicas) == 2 for replicas in steps)
    assert not np.array_equal(steps[0][0], steps[1][0])  # from step to step the draw does change
    equal = [np.array_equal(first, second) for first, second in steps]
    seen[label] = "same" if all(equal) else "different" if not any(equal) else "mixed"
    print(f"{label}: {seen[label]} draw in both replicas, {STEPS} steps of {UNITS} units")


ones = tf.ones((1, UNITS))
for seed in (7, None):
    with strategy.scope():
        layer = keras.layers.Dropout(0.5, seed=seed)
    watch(f"seed={seed}", lambda: layer(ones, training=True) > 0)
with strategy.scope():
    generator = tf.random.Generator.from_seed(7)
watch("tf.random.Generator", lambda: generator.uniform((UNITS,)) > 0.5)
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python replicas.py 2>tf.log || { cat tf.log >&2; exit 1; }
