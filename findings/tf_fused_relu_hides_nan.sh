#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; CPU, oneDNN on (TensorFlow's default on processors with AVX-512 VNNI)
#
# Behaviour: a convolution or dense layer with ReLU turns NaN into 0 inside a tf.function, since bias, ReLU
# and product become one oneDNN kernel there; the same layer called eagerly, compiled by XLA, or without
# oneDNN gives NaN. So a Keras model of which a weight is NaN predicts finite probabilities, `evaluate` has a
# finite loss, and `fit` trains on with a falling loss: TerminateOnNaN never stops it. model(x) gives NaN.
#
# One would guess: NaN spreads, as IEEE 754 says, so that a finite loss shows finite weights. That ReLU hides
# NaN is known of GPUs; the CPU's tf.nn.relu keeps it, and a check in eager mode confirms that.
#
# Why it matters: who watches the loss of a diverging network, by hand or by a callback, sees nothing, and keeps and
# exports a model of which units are dead. The weights themselves have to be looked at.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >hidden.py <<'PY'
import os

import keras
import numpy as np

images = np.random.default_rng(0).normal(size=(64, 16, 16, 3)).astype("float32")
labels = np.arange(64) % 4


def model(jit_compile):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    made = keras.Sequential([
        keras.Input((16, 16, 3)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(),
        layers.Dense(16, activation="relu"), layers.Dense(4, activation="softmax"),
    ])
    made.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", jit_compile=jit_compile)
    kernel, bias = made.layers[0].get_weights()
    kernel[0, 0, 0, 0] = np.nan
    made.layers[0].set_weights([kernel, bias])
    return made


def word(values):
    return "NaN" if np.isnan(values).any() else "finite"


for jit_compile in ("auto", False, True):
    made = model(jit_compile)
    called, predicted, scored = made(images), made.predict(images, verbose=0), made.evaluate(images, labels, verbose=0)
    history = made.fit(images, labels, epochs=3, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]).history
    losses = history["loss"]
    print(
        f"oneDNN {os.environ['TF_ENABLE_ONEDNN_OPTS']}, jit_compile {jit_compile}: called {word(called)}, "
        f"predict {word(predicted)}, evaluate {word(scored)}, fit {len(losses)} of 3 epochs, losses "
        f"{word(losses)}{' and falling' * (losses == sorted(losses, reverse=True) and len(losses) > 1)}"
    )
PY
export CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3
for onednn in 1 0; do
  TF_ENABLE_ONEDNN_OPTS=$onednn venv/bin/python hidden.py 2>tf.log | grep '^oneDNN' || { cat tf.log >&2; exit 1; }
done | tee seen
cat >want <<'WANT'
oneDNN 1, jit_compile auto: called NaN, predict finite, evaluate finite, fit 3 of 3 epochs, losses finite and falling
oneDNN 1, jit_compile False: called NaN, predict finite, evaluate finite, fit 3 of 3 epochs, losses finite and falling
oneDNN 1, jit_compile True: called NaN, predict NaN, evaluate NaN, fit 1 of 3 epochs, losses NaN
oneDNN 0, jit_compile auto: called NaN, predict NaN, evaluate NaN, fit 1 of 3 epochs, losses NaN
oneDNN 0, jit_compile False: called NaN, predict NaN, evaluate NaN, fit 1 of 3 epochs, losses NaN
oneDNN 0, jit_compile True: called NaN, predict NaN, evaluate NaN, fit 1 of 3 epochs, losses NaN
WANT
diff seen want || { echo "changed: the lines marked > were expected" >&2; exit 1; }
