#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6
#
# Behaviour: keras.optimizers.SGD(rate, momentum=0.9, weight_decay=d) takes rate·d of a weight off at each step, outside
# of the velocity. In the rule of AlexNet's paper (§5), as in cuda-convnet, Caffe and PyTorch's SGD, decay goes into
# the velocity like a gradient, so that momentum 0.9 makes ten times as much of it: 2,000 steps at rate 0.01
# and d = 0.0005 take 1 % off a weight here and 9.5 % by that rule. Biases decay, too.
#
# One would guess: weight_decay of an optimizer called SGD is that of the papers that trained with SGD, and AdamW's kind
# is that of AdamW. The documentation says "if set, weight decay is applied", and gives the update without it.
#
# Why it matters: whoever takes momentum 0.9 and decay 0.0005 from a paper, such as AlexNet's or VGG's, trains with a
# tenth of its decay. With plain SGD, momentum 0, both rules are one. The paper's rule in Keras: an L2 penalty of
# d/2·w² as kernel_regularizer, or weight_decay = d / (1 - momentum), which is nearly it while the rate is constant.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >decay.py <<'PY'
import keras
import numpy as np
import tensorflow as tf

RATE, DECAY, STEPS = 0.01, 0.0005, 2000
# Of the decay by the paper's rule, Keras has this part, by momentum; and whether biases decay like kernels.
WANT = {0.0: 1.0, 0.9: 0.1}
WANT_BIASES = True


def by_keras(momentum):
    layer = keras.layers.Dense(1, kernel_initializer="ones", bias_initializer="ones")
    layer.build((None, 1))
    optimizer = keras.optimizers.SGD(RATE, momentum=momentum, weight_decay=DECAY)
    optimizer.build(layer.trainable_variables)
    for _ in range(STEPS):  # without a gradient, so that only decay moves the weights
        optimizer.apply([tf.zeros_like(v) for v in layer.trainable_variables], layer.trainable_variables)
    return float(layer.kernel.numpy().squeeze()), float(layer.bias.numpy().squeeze())


def by_the_paper(momentum):
    weight, velocity = 1.0, 0.0
    for _ in range(STEPS):
        velocity = momentum * velocity - DECAY * RATE * weight  # and less RATE times the gradient
        weight += velocity
    return weight


for momentum, want in WANT.items():
    (kernel, bias), paper = by_keras(momentum), by_the_paper(momentum)
    part = np.log(kernel) / np.log(paper)
    print(f"momentum {momentum}: of 1, Keras leaves {kernel:.4f} (of a bias {bias:.4f}), the paper {paper:.4f}: {part:.3f} of its decay")
    assert abs(part - want) < 0.01, f"changed: {part:.3f} of the paper's decay, expected {want}"
    assert (abs(bias - kernel) < 1e-6) == WANT_BIASES, f"changed: the bias is {bias}, the kernel {kernel}"
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python decay.py 2>tf.log || { cat tf.log >&2; exit 1; }
