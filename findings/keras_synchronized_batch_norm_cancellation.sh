#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; no GPU needed: two logical CPUs stand for two devices
#
# Behaviour: keras.layers.BatchNormalization(synchronized=True) computes the variance as E(x²) − E(x)² in float32. Values
# around 30,000 have squares of which float32 keeps multiples of 64 only, so a standard deviation of 5 is lost: the
# layer's output has one of 0.4 instead of 1. On one device the same layer with synchronized=True is off as well; without
# it, and with values around 0, the output is right. Nothing is said.
#
# One would guess: synchronized=True takes the mean and the variance over all replicas instead of each replica's own, and
# with a single replica changes nothing; both are computed in the same, stable way.
#
# Why it matters: radiometric thermal images count hundredths of a kelvin, so a room is 30,000 and an even wall differs by
# 5; height maps and 16-bit scans are like that, too. With this layer in front, to normalize them, the network that
# trained on one GPU sees other values as soon as the layer is synchronized for several.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >normalized.py <<'PY'
import keras
import numpy as np
import tensorflow as tf

# (mean of the values, synchronized, replicas): whether the output has a standard deviation of 1, within a tenth.
WANT = {
    (0, False, 1): True,
    (0, True, 1): True,
    (0, True, 2): True,
    (30_000, False, 1): True,
    (30_000, True, 1): False,
    (30_000, True, 2): False,
}
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategies = {1: tf.distribute.get_strategy(), 2: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])}
noise = 5 * np.random.default_rng(0).normal(size=(32, 64, 64, 1))
seen = {}
for mean, synchronized, replicas in WANT:
    strategy = strategies[replicas]
    images = (mean + noise).astype("float32")
    exact = (images - images.mean(dtype="float64")) / images.std(dtype="float64")
    with strategy.scope():
        layer = keras.layers.BatchNormalization(synchronized=synchronized)
        layer.build((None, 64, 64, 1))
    halves = iter(np.split(images, replicas))
    values = strategy.experimental_distribute_values_from_function(lambda context: tf.constant(next(halves)))
    found = strategy.run(tf.function(lambda inputs: layer(inputs, training=True)), args=(values,))
    found = np.concatenate([each.numpy() for each in strategy.experimental_local_results(found)])
    seen[mean, synchronized, replicas] = bool(abs(found.std(dtype="float64") - 1) < 0.1)
    words = f"mean {mean:6}, synchronized {synchronized!s:5}, replicas {replicas}"
    print(f"{words}: standard deviation {found.std(dtype='float64'):.3f}, exactly {exact.std():.3f}")
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python normalized.py 2>tf.log || { cat tf.log >&2; exit 1; }
