#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6
#
# Behaviour: with the TensorFlow backend, keras.remat runs the wrapped function again for the backward pass, with the
# next random numbers. Dropout in it drops other units than in the forward pass, so that the gradient is not that of the
# network that made the loss. BatchNormalization in it moves its moving mean twice per step. Both hold eagerly, in
# `fit`, and with jit_compile=True. Nothing is said.
#
# One would guess: recomputing trades time for memory and changes no number, as in PyTorch, where torch.utils.checkpoint
# restores the state of the random generator first. The documentation of keras.remat and RematScope has no word about
# random numbers or state.
#
# Why it matters: one wraps the blocks that need the most memory, and most blocks have Dropout or batch normalization.
# The training runs on without an error, but at a rate of 0.5 half of the units with a gradient had no part in the loss.
# Call Dropout and BatchNormalization outside of the wrapped function.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >recomputed.py <<'PY'
import keras
import numpy as np

# Whether the units that got a gradient are those that Dropout kept, and the moving mean after one step on a mean of 2.
WANT = {
    "plain": (True, 1.0),
    "remat, eager": (False, 1.5),
    "remat, fit": (False, 1.5),
    "remat, jit_compile": (False, 1.5),
    "Dropout outside of remat, fit": (True, 1.5),
}
UNITS = 64


class Net(keras.Model):
    """Scales its input by a weight and drops half of the units; it normalizes, too, without effect on the output."""

    def __init__(self, recompute, dropout_inside):
        super().__init__()
        self.scale = self.add_weight(shape=(UNITS,), initializer="ones", name="scale")
        self.kept = self.add_weight(shape=(UNITS,), initializer="zeros", trainable=False, name="kept")
        self.norm = keras.layers.BatchNormalization(momentum=0.5, center=False, scale=False)
        self.dropout = keras.layers.Dropout(0.5, seed=1)
        self.norm.build((None, UNITS))
        self.dropout_inside = dropout_inside
        self.function = keras.remat(self.block) if recompute else self.block

    def block(self, inputs):
        outputs = inputs + 0.0 * self.norm(inputs, training=True)
        return self.dropout(outputs, training=True) if self.dropout_inside else outputs

    def call(self, inputs):
        outputs = self.function(inputs * self.scale)
        if not self.dropout_inside:
            outputs = self.dropout(outputs, training=True)
        self.kept.assign(outputs[0])
        return outputs


def step(recompute=True, dropout_inside=True, **how):
    net = Net(recompute, dropout_inside)
    # The loss is the sum of the outputs and the rate is 1, so a weight moves by what Dropout multiplied its unit by.
    net.compile(keras.optimizers.SGD(1.0), loss=lambda labels, outputs: keras.ops.sum(outputs, axis=-1), **how)
    net.fit(np.full((1, UNITS), 2.0, "float32"), np.zeros((1, UNITS), "float32"), verbose=0)
    kept, moved = net.kept.numpy() > 0, net.scale.numpy() < 1
    print(f"  {kept.sum()} of {UNITS} units kept, {moved.sum()} have a gradient, {(kept & moved).sum()} both")
    return bool((kept == moved).all()), round(float(net.norm.moving_mean.numpy()[0]), 3)


def show(label, *arguments, **keywords):
    print(label)
    seen[label] = step(*arguments, **keywords)
    print(f"  moving mean {seen[label][1]}")


seen = {}
show("plain", recompute=False)
show("remat, eager", run_eagerly=True)
show("remat, fit", jit_compile=False)
show("remat, jit_compile", jit_compile=True)
show("Dropout outside of remat, fit", dropout_inside=False, jit_compile=False)
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python recomputed.py 2>tf.log || { cat tf.log >&2; exit 1; }
