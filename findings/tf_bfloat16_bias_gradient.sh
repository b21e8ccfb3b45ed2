#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; any x86 processor
#
# Behaviour: on the CPU, the gradient of tf.nn.bias_add adds up in bfloat16 itself. A sum of bfloat16 stops growing where a
# term is at most half of its last digit, so a million ones make 256 a thread. tf.math.cumsum and unsorted_segment_sum do
# the same, while tf.reduce_sum adds up in float32. So Keras layers with the policy mixed_bfloat16 have wrong gradients of
# their biases: Dense always, with and without oneDNN, eagerly and in a tf.function; a convolution in each case but one:
# in a tf.function with oneDNN, on processors with bfloat16 instructions, the gradient of its kernel, where it is asked
# for, brings the right one with it (not checked here).
#
# One would guess: bfloat16 rounds results, and sums of many terms are float32 inside everywhere, as the neighbouring
# operations have it. Nor would one guess that the same layer has other gradients with and without tf.function.
#
# Why it matters: the bias of a first convolution gets the sum of a million positions. It then learns a part of what it
# should, and no loss says so. Adding the bias with + has a gradient by tf.reduce_sum, which was right in all cases.
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
# Whether the gradient of the bias is within 1 % of the sum in float64.
WANT_RIGHT = {"Conv2D": False, "Dense": False, "conv2d and +": True}
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
conv = keras.layers.Conv2D(FILTERS, 3, padding="same", dtype="mixed_bfloat16")
dense = keras.layers.Dense(FILTERS, dtype="mixed_bfloat16")
for layer in (conv, dense):
    layer.build(images.shape)


def plus(images):
    return tf.nn.conv2d(images, tf.cast(conv.kernel.value, tf.bfloat16), 1, "SAME") + tf.cast(conv.bias.value, tf.bfloat16)


right = {}
for name, function, bias in (
    ("Conv2D", conv, conv.bias.value),
    ("Dense", dense, dense.bias.value),
    ("conv2d and +", plus, conv.bias.value),
):

    def gradient(images, slopes):
        with tf.GradientTape() as tape:
            maps = function(images)
        return tape.gradient(maps, bias, output_gradients=slopes)

    found = {"eager": gradient(images, slopes).numpy(), "tf.function": tf.function(gradient)(images, slopes).numpy()}
    right[name] = all(np.allclose(each, true, rtol=0.01) for each in found.values())
    assert right[name] or not any(np.allclose(each, true, rtol=0.01) for each in found.values()), f"changed: {name} {found}"
    told = ", ".join(f"{mode} {each[0]:.0f}" for mode, each in found.items())
    print(f"gradient of the first bias, {name}: {told}, exactly {true[0]:.0f}")
assert whole == WANT_OF_ONES, f"changed: {whole}, expected {WANT_OF_ONES}"
assert right == WANT_RIGHT, f"changed: {right}, expected {WANT_RIGHT}"
PY
for onednn in 0 1; do
    echo "TF_ENABLE_ONEDNN_OPTS=$onednn"
    CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=$onednn KERAS_BACKEND=tensorflow \
        venv/bin/python sums.py 2>tf.log || { cat tf.log >&2; exit 1; }
done
