#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; any x86 processor
#
# Behaviour: on the CPU, the gradient of tf.nn.bias_add adds up in bfloat16 itself. A sum of bfloat16 stops growing when a
# term is below half of its last digit, so a million ones make 256 a thread. tf.math.cumsum and unsorted_segment_sum do
# the same, while tf.reduce_sum, matrix products and convolutions add up in float32. So a Keras Conv2D with the policy
# mixed_bfloat16 has a wrong gradient of its bias when it runs eagerly, and within a tf.function without oneDNN; within a
# tf.function with oneDNN the kernel's gradient, where it is asked for, brings the right one with it (not checked here).
#
# One would guess: bfloat16 rounds results, and sums of many terms are float32 inside everywhere, as the neighbouring
# operations have it. Nor would one guess that the same layer has other gradients with and without tf.function.
#
# Why it matters: the bias of a first convolution gets the sum of a million positions. It then learns a part of what it
# should, and no loss says so. Adding the bias with + has a gradient by tf.reduce_sum, which is right in all cases.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >sums.py <<'PY'
import keras
import numpy as np
import tensorflow as tf

# Whether a million ones make a million, to three digits.
WANT_OF_ONES = {"bias_add's gradient": False, "cumsum": False, "unsorted_segment_sum": False, "reduce_sum": True}
# Whether the gradient of the bias is within 1 % of the sum in float64; without oneDNN.
WANT_RIGHT = {"bias_add, eager": False, "bias_add, tf.function": False, "plus, eager": True, "plus, tf.function": True}
NUMBER, FILTERS = 1_000_000, 8

ones = tf.ones((NUMBER, FILTERS), tf.bfloat16)
sums = {
    "bias_add's gradient": tf.raw_ops.BiasAddGrad(out_backprop=ones),
    "cumsum": tf.math.cumsum(ones)[-1],
    "unsorted_segment_sum": tf.math.unsorted_segment_sum(ones, tf.zeros(NUMBER, tf.int32), 1)[0],
    "reduce_sum": tf.reduce_sum(ones, 0),
}
sums = {name: int(value.numpy()[0]) for name, value in sums.items()}
print(f"sum of {NUMBER} ones in bfloat16: {sums}")
whole = {name: abs(value / NUMBER - 1) < 0.005 for name, value in sums.items()}

rng = np.random.default_rng(0)
images = tf.constant(rng.normal(size=(64, 27, 27, 3)), tf.bfloat16)
slopes = tf.constant(rng.normal(0.1, 1.0, size=(64, 27, 27, FILTERS)), tf.bfloat16)
true = tf.cast(slopes, tf.float64).numpy().sum((0, 1, 2))
layer = keras.layers.Conv2D(FILTERS, 3, padding="same", dtype="mixed_bfloat16")
layer.build(images.shape)
kernel, bias = layer.kernel.value, layer.bias.value


def by_keras(images, slopes):
    with tf.GradientTape() as tape:
        maps = layer(images)
    return tape.gradient(maps, bias, output_gradients=slopes)


def by_plus(images, slopes):
    with tf.GradientTape() as tape:
        maps = tf.nn.conv2d(images, tf.cast(kernel, tf.bfloat16), 1, "SAME") + tf.cast(bias, tf.bfloat16)
    return tape.gradient(maps, bias, output_gradients=slopes)


right = {}
for name, function in {"bias_add": by_keras, "plus": by_plus}.items():
    for mode, run in {"eager": function, "tf.function": tf.function(function)}.items():
        found = run(images, slopes).numpy()
        right[f"{name}, {mode}"] = bool(np.allclose(found, true, rtol=0.01))
        print(f"gradient of the first bias by {name}, {mode}: {found[0]:.0f}, exactly {true[0]:.0f}")
assert whole == WANT_OF_ONES, f"changed: {whole}, expected {WANT_OF_ONES}"
assert right == WANT_RIGHT, f"changed: {right}, expected {WANT_RIGHT}"
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=0 KERAS_BACKEND=tensorflow venv/bin/python sums.py 2>tf.log || { cat tf.log >&2; exit 1; }
