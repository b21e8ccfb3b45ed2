#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; no GPU needed: the strategy has the CPU as its only device
#
# Behaviour: under a tf.distribute strategy, `evaluate` and `fit` of a Keras 3 model take batches out of a Python
# generator to learn their shapes, and do not put them back when they start again. The third batch is lost, and the next
# ones as far as prefetching had come: one to three of twenty here, not always as many. `predict` loses none, nor
# does a PyDataset or a tf.data.Dataset. Nothing says so: the warning that the input ran out of data appears without
# a strategy, too, where nothing is lost.
#
# One would guess: every batch that a generator yields is used once, and a strategy with one device changes nothing.
#
# Why it matters: a generator is the simplest way to evaluate on images that do not fit into memory. Under
# MirroredStrategy, also with one device, the accuracy is that of a part of the images, and two evaluations of the same
# weights differ. Use a PyDataset, or Dataset.from_generator with a function that makes a new generator.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >batches.py <<'PY'
import keras
import numpy as np
import tensorflow as tf

BATCHES = 20
# Whether all batches are used.
WANT = {
    "no strategy": {"evaluate": True, "fit": True, "predict": True, "PyDataset": True, "from_generator": True},
    "one device": {"evaluate": False, "fit": False, "predict": True, "PyDataset": True, "from_generator": True},
}


def batch(number):
    return np.zeros((8, 1), "float32"), np.full((8, 1), number, "float32")


def generator():
    return (batch(number) for number in range(BATCHES))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return BATCHES

    def __getitem__(self, number):
        return batch(number)


class Count(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def count(self, step, logs=None):
        self.steps += 1

    on_train_batch_end = on_test_batch_end = on_predict_batch_end = count


seen = {}
for name, strategy in {
    "no strategy": tf.distribute.get_strategy(), "one device": tf.distribute.MirroredStrategy(["CPU:0"])
}.items():  # fmt: skip
    with strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])  # answers 0, so the error is the mean label
    dataset = tf.data.Dataset.from_generator(generator, output_signature=(tf.TensorSpec((8, 1)),) * 2)
    seen[name] = {}
    for call, method, data in [
        ("evaluate", model.evaluate, generator()),
        ("fit", model.fit, generator()),
        ("predict", model.predict, ((images,) for images, _ in generator())),
        ("PyDataset", model.evaluate, Batches()),
        ("from_generator", model.evaluate, dataset),
    ]:
        counter = Count()
        result = method(data, verbose=0, callbacks=[counter])
        print(f"{name}, {call}: {counter.steps} of {BATCHES} batches")
        if call != "predict":
            error = result.history["mae"][0] if call == "fit" else result[1]
            print(f"  mean absolute error {error:.3f}, that of all batches is {(BATCHES - 1) / 2}")
        seen[name][call] = counter.steps == BATCHES
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python batches.py 2>tf.log || { cat tf.log >&2; exit 1; }
