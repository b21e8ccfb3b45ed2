#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, openvino==2026.4.1, numpy==2.4.6; CPU
#
# Behaviour: a TensorFlow Lite file with a convolution and the sigmoid form of GELU, z * sigmoid(1.702 * z), runs in
# OpenVINO with float32 weights. The same network with float16 weights does not compile: OpenVINO fuses the three
# steps to its Swish, whose factor must be a scalar, and the converted 1.702 has four dimensions. Written as
# u * sigmoid(u) / 1.702 with u = 1.702 * z it runs with either.
#
# One would guess: float16 weights only round; what a runtime reads in float32 it reads in float16.
#
# Why it matters: the float16 file is the one that is shipped, and TensorFlow's own interpreter runs it, so a check
# there, or of the float32 file in OpenVINO, passes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 openvino==2026.4.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >gelu.py <<'PY'
import numpy as np
import openvino
import tensorflow as tf

WANT = {
    ("z * sigmoid(1.702 z)", "float32"): "runs", ("z * sigmoid(1.702 z)", "float16"): "refused",
    ("u * sigmoid(u) / 1.702", "float32"): "runs", ("u * sigmoid(u) / 1.702", "float16"): "runs",
}
SHAPE = (1, 8, 8, 3)
kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 5)).astype("float32")
FORMS = {
    "z * sigmoid(1.702 z)": lambda z: z * tf.sigmoid(1.702 * z),
    "u * sigmoid(u) / 1.702": lambda z: (1.702 * z) * tf.sigmoid(1.702 * z) / 1.702,
}
x = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
seen = {}
for form, gelu in FORMS.items():
    answer = tf.function(
        lambda x, gelu=gelu: {"y": gelu(tf.nn.conv2d(x, kernel, 1, "SAME"))},
        input_signature=[tf.TensorSpec(SHAPE, tf.float32, name="x")],
    ).get_concrete_function()
    expected = answer(tf.constant(x))["y"].numpy()
    for weights in ("float32", "float16"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([answer], tf.Module())
        if weights == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        with open("gelu.tflite", "wb") as file:
            file.write(converter.convert())
        try:
            apart = np.abs(openvino.Core().compile_model("gelu.tflite", "CPU")(x)[0] - expected).max()
            word, said = ("runs" if apart < 0.05 else "differs"), f"at most {apart:.1e} from TensorFlow"
        except RuntimeError as error:
            word, said = "refused", [line for line in str(error).splitlines() if line.strip()][-1]
        print(f"{form}, {weights} weights: {word} ({said})")
        seen[form, weights] = word
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python gelu.py 2>tf.log || { cat tf.log >&2; exit 1; }
