#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; no GPU needed: two logical CPUs stand for two devices
#
# Behaviour: under tf.distribute.MirroredStrategy, if the last batch has fewer images than there are replicas, the scale
# (gamma) of a Keras BatchNormalization layer is NaN from then on, on all replicas, and so are the moving statistics on
# the replica without images. The loss that fit reports for that epoch is finite; evaluate then has NaN. With one
# replica, without the layer, or with drop_remainder=True, all weights stay finite.
#
# One would guess: a replica without images adds nothing, as it does in a network without batch normalization (checked
# here too), or else it is an error.
#
# Why it matters: it depends on the number of images, the batch size and the number of devices: 50,001 images in batches
# of 100 on two GPUs are enough, and the network is lost at the end of the first epoch, which looks fine in its log.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >empty.py <<'PY'
import keras
import numpy as np
import tensorflow as tf

# (replicas, batch normalization, drop_remainder): on each replica the weights with NaN, and whether evaluate's loss is
# finite. In each case the loss that fit reports is finite.
WANT = {
    (1, True, False): ([[]], True),
    (2, False, False): ([[], []], True),
    (2, True, True): ([[], []], True),
    (2, True, False): ([["gamma"], ["gamma", "moving_mean", "moving_variance"]], False),
}
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategies = {1: tf.distribute.get_strategy(), 2: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])}
rng = np.random.default_rng(0)
features, classes = rng.normal(size=(5, 6)).astype("float32"), rng.integers(0, 2, 5)  # two batches: four, and one
seen = {}
for replicas, normalized, dropped in WANT:
    with strategies[replicas].scope():
        layers = [keras.Input((6,)), keras.layers.Dense(4)]
        layers += [keras.layers.BatchNormalization()] if normalized else []
        model = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
        model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    data = tf.data.Dataset.from_tensor_slices((features, classes))
    loss = model.fit(data.batch(4, drop_remainder=dropped), verbose=0).history["loss"][0]
    copies = {v.path.split("/")[-1]: strategies[replicas].experimental_local_results(v.value) for v in model.variables}
    broken = [[name for name, each in copies.items() if np.isnan(each[place]).any()] for place in range(replicas)]
    later = model.evaluate(data.batch(4), verbose=0)
    seen[replicas, normalized, dropped] = (broken, bool(np.isfinite(later)))
    words = f"{replicas} replicas, batch normalization {normalized}, drop_remainder {dropped}"
    print(f"{words}: loss in fit {loss:.3f}, NaN in {broken}, loss in evaluate {later:.3f}")
    assert np.isfinite(loss), f"changed: the loss of fit is {loss}"
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python empty.py 2>tf.log || { cat tf.log >&2; exit 1; }
