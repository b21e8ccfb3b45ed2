#!/usr/bin/env bash
# onnx==1.23.2, onnxruntime==1.32.0, openvino==2026.4.1, numpy==2.4.6; CPU
#
# Behaviour: of ONNX' operator LRN, the evaluator that comes with onnx as the reference gives other numbers than
# the operator's own formula, for every window. onnxruntime and OpenVINO keep to the formula for odd windows.
# For an even window onnxruntime refuses the model, and OpenVINO answers with other numbers, without a word.
#
# One would guess: `onnx.reference.ReferenceEvaluator` is what an operator means, so a file that agrees with it is
# right and a runtime that differs from it is wrong.
#
# Why it matters: AlexNet and its relatives have this operator. A test of an export against the reference evaluator
# fails for a right file, and "mending" the file until it passes breaks it in every runtime. A network with an even
# window classifies a little worse in OpenVINO and nothing says why.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >lrn.py <<'PY'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

WANT = {
    ("onnx reference", 3): "differs", ("onnxruntime", 3): "equal", ("OpenVINO", 3): "equal",
    ("onnx reference", 4): "differs", ("onnxruntime", 4): "refused", ("OpenVINO", 4): "differs",
    ("onnx reference", 5): "differs", ("onnxruntime", 5): "equal", ("OpenVINO", 5): "equal",
}
ALPHA, BETA, BIAS = 1.0, 0.75, 1.0


def formula(x, size):
    """The text of the operator: y = x / (bias + alpha / size * sum of squares in the window of channels) ** beta."""
    y, channels = np.empty_like(x), x.shape[1]
    for c in range(channels):
        first, last = max(0, c - (size - 1) // 2), min(channels - 1, c + -(-(size - 1) // 2))
        y[:, c] = x[:, c] / (BIAS + ALPHA / size * (x[:, first : last + 1] ** 2).sum(axis=1)) ** BETA
    return y


def model(size, shape):
    node = helper.make_node("LRN", ["x"], ["y"], alpha=ALPHA, beta=BETA, bias=BIAS, size=size)
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([node], "lrn", sides[:1], sides[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def run_openvino(content, x):
    core = openvino.Core()
    return core.compile_model(core.read_model(content), "CPU")(x)[0]


RUNTIMES = {
    "onnx reference": lambda content, x: ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"x": x})[0],
    "onnxruntime": lambda content, x: onnxruntime.InferenceSession(content).run(None, {"x": x})[0],
    "OpenVINO": run_openvino,
}
onnxruntime.set_default_logger_severity(4)
x = np.random.default_rng(0).normal(0, 2, (1, 8, 5, 5)).astype("float32")
seen = {}
for size in (3, 4, 5):
    for name, run in RUNTIMES.items():
        try:
            apart = np.abs(run(model(size, x.shape), x) - formula(x, size)).max()
            word, said = ("equal" if apart < 1e-5 else "differs"), f"at most {apart:.1e} from the formula"
        except Exception as error:
            word, said = "refused", next(line for line in str(error).splitlines() if line.strip())[:60]
        print(f"window {size}, {name}: {word} ({said})")
        seen[name, size] = word
raise SystemExit(0 if seen == WANT else f"changed: {seen}, expected {WANT}")
PY
venv/bin/python lrn.py
