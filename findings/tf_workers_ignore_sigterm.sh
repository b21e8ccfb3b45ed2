#!/usr/bin/env bash
# tensorflow==2.21.0, keras==3.15.1, numpy==2.4.6; Linux
#
# Behaviour: making a MultiWorkerMirroredStrategy takes over SIGTERM for the whole process, even with a single worker
# and without a PreemptionCheckpointHandler. From then on SIGTERM does nothing: the process neither ends nor says a
# word, and a handler that Python code had set before is not called. A MirroredStrategy leaves the signal alone.
#
# One would guess: SIGTERM ends a process unless its own code handles it; TensorFlow handles preemption for those who
# make a PreemptionCheckpointHandler.
#
# Why it matters: Slurm, Kubernetes and systemd send SIGTERM, wait, and kill. A training that saves a checkpoint in its
# own handler saves none once it has several workers, and every cancelled job waits for the whole period of grace.
# Setting the handler after the strategy is made gives it back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
cat >worker.py <<'PY'
import json
import os
import signal
import socket
import sys
import time

import tensorflow as tf


def set_handler():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the handler was called"))


which, when = sys.argv[1:]
if when == "before":
    set_handler()
if which == "workers":
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": [address]}, "task": {"type": "worker", "index": 0}})
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
else:
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
if when == "after":
    set_handler()
print("ready", flush=True)
time.sleep(600)
PY
cat >probe.py <<'PY'
import subprocess
import sys

for which, when in (
    ("mirrored", "never"), ("mirrored", "before"), ("workers", "never"), ("workers", "before"), ("workers", "after")
):  # fmt: skip
    command = [sys.executable, "worker.py", which, when]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if not any(line == "ready\n" for line in process.stdout):
            sys.exit(process.stderr.read())
        process.terminate()
        try:
            code = process.wait(20)
            called = "the handler was called" in process.stderr.read()
            end = "the handler ends it" if called else f"ends with {code}"
        except subprocess.TimeoutExpired:
            end = "goes on"
            process.kill()
    print(f"{which}, own handler {when}: {end}", flush=True)
PY
export CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3
venv/bin/python probe.py | tee seen
cat >want <<'WANT'
mirrored, own handler never: ends with -15
mirrored, own handler before: the handler ends it
workers, own handler never: goes on
workers, own handler before: goes on
workers, own handler after: the handler ends it
WANT
diff seen want || { echo "changed: the lines marked > were expected" >&2; exit 1; }
