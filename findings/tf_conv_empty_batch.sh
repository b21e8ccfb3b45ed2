#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; any x86 processor: oneDNN is turned on and off by its variable
#
# Behaviour: with oneDNN's kernels, which TensorFlow for Linux turns on by itself on most processors, tf.nn.conv2d of a
# batch without images returns a tensor of the shape of its INPUT: for (0, 9, 9, 3) and eight kernels it is (0, 9, 9, 3)
# where (0, 4, 4, 8) is right, eagerly, within a tf.function and with a bias after it. A bias of eight values then passes
# too. With TF_ENABLE_ONEDNN_OPTS=0 the shape is right.
#
# One would guess: the shape of an output does not depend on how many images there are, nor on the kernels in use; most
# operations of TensorFlow take batches of none, for example tf.nn.max_pool2d, which is checked here.
#
# Why it matters: batches of none occur where images are filtered (no face found), and under tf.distribute whenever the
# last batch has fewer images than there are replicas: Keras' fit then ends, after a whole epoch, with an error about
# incompatible shapes in some later layer, and not with one about the data (not checked here). Batch with
# drop_remainder=True.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >shapes.py <<'PY'
import json
import sys

import tensorflow as tf

KERNEL, BIAS = tf.ones((3, 3, 3, 8)), tf.zeros(8)


def conv(x):
    return tf.nn.conv2d(x, KERNEL, 2, "VALID")


def conv_and_bias(x):
    return tf.nn.bias_add(conv(x), BIAS)


def compiled(function):
    return tf.function(function, input_signature=[tf.TensorSpec((None, 9, 9, 3))])


ways = {
    "conv2d": conv,
    "conv2d in tf.function": compiled(conv),
    "conv2d and bias in tf.function": compiled(conv_and_bias),
    "max_pool2d": lambda x: tf.nn.max_pool2d(x, 3, 2, "VALID"),
}
for images in (1, 0):
    found = {name: list(way(tf.zeros((images, 9, 9, 3))).shape) for name, way in ways.items()}
    print(json.dumps({"images": images, **found}))
PY
for onednn in 1 0; do
    CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=$onednn \
        venv/bin/python shapes.py >"seen$onednn" 2>tf.log || { cat tf.log >&2; exit 1; }
    echo "TF_ENABLE_ONEDNN_OPTS=$onednn"
    cat "seen$onednn"
done
venv/bin/python - <<'PY'
import json

RIGHT = [4, 4, 8]
WANT = {("1", 1): RIGHT, ("1", 0): [9, 9, 3], ("0", 1): RIGHT, ("0", 0): RIGHT}  # (oneDNN, images): without the batch
for onednn in ("1", "0"):
    for line in open(f"seen{onednn}"):
        seen = json.loads(line)
        images = seen.pop("images")
        pooled = seen.pop("max_pool2d")
        assert pooled == [images, 4, 4, 3], f"changed: max_pool2d of {images} images has {pooled}"
        for way, shape in seen.items():
            want = [images, *WANT[onednn, images]]
            assert shape == want, f"changed: oneDNN {onednn}, {way} of {images} images: {shape}, expected {want}"
PY
