#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; no GPU needed: two logical CPUs stand for two devices
#
# Behaviour: under tf.distribute.MirroredStrategy, Keras 3's LossScaleOptimizer looks for an overflow in the gradients
# of the first replica only, before the replicas' gradients are summed. If the first replica's gradients overflow, the
# step is skipped and the scale halved, as on one device. If another replica's do, the step is taken, and all weights
# become infinite or NaN.
#
# One would guess: a step with an overflow on any replica is skipped, which is what this optimizer is for. Its source
# takes the gradients for summed and equal on all replicas by then; they are not.
#
# Why it matters: with the policy mixed_float16, `compile` wraps every optimizer in this one. It doubles its scale after
# every 2,000 finite steps until a gradient overflows, so overflows are a part of every long training, and on N equal
# replicas all but one in N of them end it. Train in bfloat16, which needs no loss scale, or on one device.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >overflow.py <<'PY'
import keras
import numpy as np
import tensorflow as tf

# After one step, by replicas and by the image whose gradient overflows: whether the weights are finite, and the scale.
WANT = {(1, 0): (True, 16384.0), (1, 3): (True, 16384.0), (2, 0): (True, 16384.0), (2, 3): (False, 32768.0)}
WANT_TRAINED = {1: True, 2: False}  # whether the weights are finite after a training in which the scale grows

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategies = {1: tf.distribute.get_strategy(), 2: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])}
keras.config.set_dtype_policy("mixed_float16")


def fitted(replicas, optimizer, images, labels, batch):
    with strategies[replicas].scope():
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        model = keras.Sequential([keras.Input(images.shape[1:]), layer])
        model.compile(optimizer(), "mse")  # the policy makes SGD a LossScaleOptimizer here
    loss = model.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch), verbose=0).history["loss"][0]
    weights = model.get_weights()[0].ravel()
    return weights, float(model.optimizer.dynamic_scale.numpy()), loss


seen, trained = {}, {}
for replicas, large in WANT:
    images, labels = np.ones((4, 2), "float32"), np.full((4, 1), 1.9, "float32")
    images[large] = 20.0  # its gradient, some hundreds, times the scale is more than float16 can hold
    # One batch of four: with two replicas, images 0 and 1 are those of the first one, 2 and 3 those of the second.
    weights, scale, _ = fitted(replicas, lambda: keras.optimizers.SGD(1e-6), images, labels, batch=4)
    print(f"{replicas} replica(s), overflow by image {large}: weights {weights}, loss scale {scale:.0f}")
    seen[replicas, large] = (bool(np.isfinite(weights).all()), scale)

rng = np.random.default_rng(0)
images = rng.normal(size=(8192, 8)).astype("float32")
labels = 2 * images.sum(axis=1, keepdims=True) + rng.normal(size=(8192, 1)).astype("float32")


def growing():  # doubles the scale every 5 finite steps instead of every 2,000, as there are only 128 steps
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), dynamic_growth_steps=5)


for replicas in WANT_TRAINED:
    weights, scale, loss = fitted(replicas, growing, images, labels, batch=64)
    print(f"{replicas} replica(s), 128 steps: loss {loss:.2f}, loss scale {scale:.3g}, first weights {weights[:3]}")
    trained[replicas] = bool(np.isfinite(weights).all())
assert trained == WANT_TRAINED, f"changed: weights finite after the training {trained}, expected {WANT_TRAINED}"
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python overflow.py 2>tf.log || { cat tf.log >&2; exit 1; }
