#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; no GPU needed
#
# Behaviour: a subclassed keras.Model that was frozen (`trainable = False`) says after saving and loading
# that it is frozen, and its variables train. Setting `trainable = False` again changes nothing; True and
# then False does.
#
# One would guess: what says trainable=False does not train, and setting it is the way to be sure.
#
# Why it matters: in transfer learning a loaded model goes on to train the network below its new layer,
# and its optimizer's state is dropped, as it is of other variables (only a UserWarning says so). The
# setter passes the value on to sublayers, but TensorFlow's attribute tracking skips an assignment of
# the object that an attribute has already, and False is always the same object.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >frozen.py <<'PY'
import keras
import numpy as np

WANT = {"built": 2, "loaded": 4, "frozen again": 4, "thawed and frozen": 2}
seen = {}


@keras.saving.register_keras_serializable("findings")
class Body(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(4)

    def call(self, x):
        return self.dense(x)


def count(label, model):
    assert model.layers[0].trainable is False
    seen[label] = len(model.trainable_variables)
    print(f"{label}: the body says trainable=False, {seen[label]} variables train (2 are the new layer's)")


body = Body()
body(np.zeros((1, 3)))
body.trainable = False
model = keras.Sequential([keras.Input((3,)), body, keras.layers.Dense(2)])
count("built", model)
model.save("model.keras")
loaded = keras.saving.load_model("model.keras")
count("loaded", loaded)
loaded.layers[0].trainable = False
count("frozen again", loaded)
loaded.layers[0].trainable = True
loaded.layers[0].trainable = False
count("thawed and frozen", loaded)
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python frozen.py 2>tf.log || { cat tf.log >&2; exit 1; }
