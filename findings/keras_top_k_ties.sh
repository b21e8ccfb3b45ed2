#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6
#
# Behaviour: Keras' top-k metrics count an image as right if its class is among the k highest scores or tied with the last
# of them, however many classes are. Equal scores for all of 1000 classes have a top-5 accuracy of 1.0, and a top-1 accuracy
# of 1.0 by `SparseTopKCategoricalAccuracy(k=1)`, where `SparseCategoricalAccuracy`, which takes the first of the highest,
# says 0.001. Scores in bfloat16 often tie: of equal images, the accuracy is higher than in float32 by ties alone.
#
# One would guess: a top-5 accuracy of five guesses, so 0.005 for a network that knows nothing, and k=1 the same as accuracy.
#
# Why it matters: a deep network with small initial weights that has died (all units of its last hidden layer at 0, biases
# at 0) has equal scores; its top-5 error is reported as 0 %, the best possible, and a callback that keeps the best top-5 epoch
# keeps it. And a mixed_bfloat16 model without a float32 last layer is reported as better than it is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cat >"$work/ties.py" <<'P'
import keras
import numpy as np

NUM_IMAGES, NUM_CLASSES = 20_000, 1000
labels = np.arange(NUM_IMAGES) % NUM_CLASSES


def scored(metric, scores):
    metric.update_state(labels, scores)
    return round(float(metric.result()), 5)


def five_guesses(scores):
    """Exactly five classes an image: of tied ones, those with the lower numbers."""
    guesses = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    return round(float((guesses == labels[:, None]).any(axis=1).mean()), 5)


equal = np.zeros((NUM_IMAGES, NUM_CLASSES), np.float32)
found = {
    "equal, top-5": scored(keras.metrics.SparseTopKCategoricalAccuracy(5), equal),
    "equal, top-1 as top-k": scored(keras.metrics.SparseTopKCategoricalAccuracy(1), equal),
    "equal, accuracy": scored(keras.metrics.SparseCategoricalAccuracy(), equal),
    "equal, five guesses": five_guesses(equal),
}
scores = np.random.default_rng(0).normal(size=equal.shape).astype(np.float32)
scores[np.arange(NUM_IMAGES), labels] += 2
rounded = np.array(keras.ops.cast(keras.ops.cast(scores, "bfloat16"), "float32"))
for name, each in (("float32", scores), ("bfloat16", rounded)):
    found[f"{name}, top-5"] = scored(keras.metrics.SparseTopKCategoricalAccuracy(5), each)
    found[f"{name}, five guesses"] = five_guesses(each)
for name, value in found.items():
    print(f"{name}: {value}")
expected = [1.0, 1.0, 0.001, 0.005]
assert list(found.values())[:4] == expected, f"changed: {found}"
assert found["float32, top-5"] == found["float32, five guesses"], f"changed: {found}"
assert found["bfloat16, top-5"] > found["bfloat16, five guesses"] + 0.001, f"changed: {found}"
P
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/ties.py" 2>"$work/log" || { tail -n 3 "$work/log" >&2; exit 1; }
