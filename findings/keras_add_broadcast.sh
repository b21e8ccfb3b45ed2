#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6
#
# Behaviour: with the TensorFlow backend, keras.ops.add(x, y), and + on Keras' symbolic tensors, take a second operand with
# a single axis longer than 1 for the bias of a layer, whichever axis that is: it is added along the last axis of x where
# the lengths agree, else along axis 1 where they agree there. So a (4, 1) column is added to a (4, 4) matrix as a row,
# and (224, 1, 1) to (224, 224, 3) along axis 1 instead of 0: wrong values, without a word. Shapes that NumPy refuses, as
# (2, 3, 4) + (3,), are added, too. The other order, ops.add(y, x), and subtract are right.
#
# One would guess: add follows NumPy's rules of broadcasting, as keras.ops documents, as its other operations do, and as
# it does itself on tensors that are not square.
#
# Why it matters: a column added to a square matrix (similarities of a batch with itself, an attention mask, distances),
# or something of each row added to square images, is plain code in this field, and a test with other sizes passes. Put
# the smaller operand first, or use tf.add.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >add.py <<'PY'
import keras
import numpy as np
from keras import ops

RIGHT, WRONG, REFUSED = "right", "wrong values", "refused"
# (shape of x, shape of y): what add(x, y) is, held against NumPy; then what NumPy itself does.
WANT = {
    ((4, 3), (4, 1)): (RIGHT, RIGHT),
    ((4, 4), (4, 1)): (WRONG, RIGHT),
    ((6, 5, 3), (6, 1, 1)): (RIGHT, RIGHT),
    ((6, 6, 3), (6, 1, 1)): (WRONG, RIGHT),
    ((2, 8, 8, 3), (8, 1, 1)): (RIGHT, RIGHT),
    ((2, 8, 8, 8), (8, 1, 1)): (WRONG, RIGHT),
    ((2, 3, 4), (3,)): (WRONG, REFUSED),
}
rng = np.random.default_rng(0)


def held(function, x, y, exact):
    try:
        found = np.asarray(function(x, y))
    except Exception as error:
        return f"{REFUSED} ({type(error).__name__})"
    return RIGHT if exact is not None and np.allclose(found, exact) else WRONG


seen = {}
for shapes in WANT:
    x, y = (rng.normal(size=shape).astype("float32") for shape in shapes)
    try:
        exact, numpy_does = x + y, RIGHT
    except ValueError:
        exact, numpy_does = None, REFUSED
    seen[shapes] = (held(ops.add, x, y, exact), numpy_does)
    print(f"add{shapes}: {seen[shapes][0]}; NumPy: {numpy_does}")
    if exact is not None:
        found = held(ops.add, y, x, exact), held(ops.subtract, x, -y, exact)
        assert found == (RIGHT, RIGHT), f"changed: the other order and subtract of {shapes} are {found}"

matrix, column = rng.normal(size=(4, 4)).astype("float32"), rng.normal(size=(4, 1)).astype("float32")
inputs = keras.Input((4,), batch_size=4)
symbolic = np.asarray(keras.Model(inputs, inputs + column)(matrix))
print(f"symbolic (4, 4) + (4, 1): {RIGHT if np.allclose(symbolic, matrix + column) else WRONG}")
assert not np.allclose(symbolic, matrix + column), "changed: + on symbolic tensors is right"
assert np.allclose(symbolic, matrix + column.T), "changed: the column is not added as a row"
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python add.py 2>tf.log || { cat tf.log >&2; exit 1; }
