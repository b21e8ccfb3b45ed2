#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6
#
# Behaviour: TFLiteConverter.from_concrete_functions(functions, model) with a Keras 3 model as the second argument
# writes a file without weights, with READ_VARIABLE operations in their place. It converts, loads and answers without
# an error or warning of that, and the answers are not the model's. Without the second argument, or with an unrelated,
# empty tf.Module there, the weights are in the file. With a tf.Module that owns the variables they are, too.
#
# One would guess: naming the owner of the variables is the safe form. The documentation says that a reference to it is
# needed, and the form without it is deprecated and warns.
#
# Why it matters: whoever exports one function of a model, as a forward pass with its own signature, gets a file of a
# few kilobytes, whose errors look like those of a wrong preprocessing. Compare its answers, or its size.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >convert.py <<'PY'
import contextlib
import io

import keras
import numpy as np
import tensorflow as tf

IMAGE = np.linspace(0, 1, 400, dtype=np.float32)[None]


class Dense(tf.Module):
    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(np.random.default_rng(1).random((400, 300), np.float32))

    def __call__(self, images):
        return images @ self.kernel


def report(name, network, *owner):
    shape = [tf.TensorSpec([1, 400], tf.float32)]
    function = tf.function(lambda images: network(images), input_signature=shape).get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([function], *owner).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], IMAGE)
    interpreter.invoke()
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    with contextlib.redirect_stdout(io.StringIO()) as text:
        tf.lite.experimental.Analyzer.analyze(model_content=content)
    weights = "with" if len(content) > 400 * 300 * 4 else "without"
    reads = "READ_VARIABLE" if "READ_VARIABLE" in text.getvalue() else "no READ_VARIABLE"
    equal = "as" if np.allclose(answer, network(IMAGE), rtol=1e-3) else "not as"
    print(f"{name}: {weights} weights, {reads}, answers {equal} the network")


keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((400,)), keras.layers.Dense(300)])
module = Dense()
report("Keras model, no owner", model)
report("Keras model, an empty module as owner", model, tf.Module())
report("Keras model, itself as owner", model, model)
report("tf.Module, no owner", module)
report("tf.Module, itself as owner", module, module)
PY
export CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3
venv/bin/python convert.py 2>tf.log | grep 'answers' >seen || { cat tf.log >&2; exit 1; }
cat seen
cat >want <<'WANT'
Keras model, no owner: with weights, no READ_VARIABLE, answers as the network
Keras model, an empty module as owner: with weights, no READ_VARIABLE, answers as the network
Keras model, itself as owner: without weights, READ_VARIABLE, answers not as the network
tf.Module, no owner: with weights, no READ_VARIABLE, answers as the network
tf.Module, itself as owner: with weights, no READ_VARIABLE, answers as the network
WANT
diff seen want || { echo "changed: the lines marked > were expected" >&2; exit 1; }
