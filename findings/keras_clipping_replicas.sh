#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; no GPU needed: two logical CPUs stand for two devices
#
# Behaviour: under tf.distribute.MirroredStrategy, a Keras 3 optimizer with clipnorm, global_clipnorm or clipvalue clips
# the gradient of each replica and sums the replicas' gradients after that. The step of N replicas may be N times as
# large as the bound, and has another direction than that of one device with the same batch. Without clipping, the
# steps of one and two replicas are the same.
#
# One would guess: the bound holds for the gradient that is applied, that of the global batch, so that the number of
# devices changes nothing. Keras of TensorFlow 2.2 refused clipping under strategies to avoid just this order.
#
# Why it matters: clipping is what keeps a training stable. On eight GPUs a bound of 1 is one of up to 8, each replica's
# outliers are cut by themselves, and a run that is tuned on one device differs on several, without a word.
# In a loop of one's own: sum the gradients with all_reduce, then clip.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >clip.py <<'PY'
import keras
import numpy as np
import tensorflow as tf

# Of the step of two replicas: whether it stays within the bound, and whether its direction is that of one replica.
WANT = {"none": (None, True), "clipnorm": (False, False), "global_clipnorm": (False, False), "clipvalue": (False, False)}
BOUND, RATE = 1.0, 1.0

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategies = {1: tf.distribute.get_strategy(), 2: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])}
images = 5 * np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
labels = images.sum(axis=1, keepdims=True)


def step(replicas, **clipping):
    with strategies[replicas].scope():
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile(keras.optimizers.SGD(RATE, **clipping), "mse")
    model.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(8), verbose=0)  # one batch, so one step
    return model.get_weights()[0].ravel()


seen = {}
for name in WANT:
    clipping = {} if name == "none" else {name: BOUND}
    one, two = step(1, **clipping), step(2, **clipping)
    print(f"{name}: step of one replica {one.round(3)}, of two {two.round(3)}")
    size = {"none": None, "clipvalue": np.abs(two).max()}.get(name, np.linalg.norm(two))
    within = None if size is None else bool(size <= BOUND * 1.0001)
    if name == "none":
        assert np.allclose(one, two, rtol=1e-4), f"changed: without clipping, the steps are {one} and {two}"
    one, two = one / np.linalg.norm(one), two / np.linalg.norm(two)
    seen[name] = (within, bool(one @ two > 0.999))
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python clip.py 2>tf.log || { cat tf.log >&2; exit 1; }
