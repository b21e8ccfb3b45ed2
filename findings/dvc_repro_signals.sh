#!/usr/bin/env bash
# dvc==3.67.1
#
# Behaviour: `dvc repro` treats the two signals that stop a job in opposite ways. SIGINT, sent to it alone,
# is ignored for as long as a stage runs. SIGTERM ends it at once and reaches nobody else: the stage goes
# on alone, with no parent that waits for it and records what comes out.
#
# One would guess: both stop the stage and then dvc, as Ctrl-C in a terminal does (which sends SIGINT to
# the whole process group, so that the stage ends by itself).
#
# Why it matters: a scheduler or a container runtime that ends a job sends SIGTERM to the process that it
# started. A training under `dvc repro` then keeps the GPU and keeps writing checkpoints into the folder
# from which the next job resumes.
set -euo pipefail
work=$(mktemp -d)
trap 'pkill -P $$ 2>/dev/null || true; [ -f "$work/project/pid" ] && kill "$(cat "$work/project/pid")" 2>/dev/null || true; rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dvc==3.67.1 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
export HOME="$work/home" DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
mkdir -p "$HOME" "$work/project"
cd "$work/project"
want="SIGINT:dvc-waits,stage-runs SIGTERM:dvc-gone,stage-runs"

"$work/venv/bin/dvc" init -q --no-scm >"$work/init.log" 2>&1
cat >dvc.yaml <<'Y'
stages:
  train:
    cmd: echo $$ > pid && exec sleep 60
    outs: [model]
Y
# A job in the background of a script would ignore SIGINT from the start, so Python starts it.
cat >start.py <<'P'
import os, signal, subprocess, sys, time
name, dvc = sys.argv[1:]
process = subprocess.Popen([dvc, "repro", "-q"], start_new_session=True, stderr=subprocess.DEVNULL,
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
while not (os.path.exists("pid") and open("pid").read().strip()):
    assert process.poll() is None, "dvc ended before its stage began"
    time.sleep(0.1)
time.sleep(1)
process.send_signal(getattr(signal, name))
time.sleep(5)
def runs(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
stage = int(open("pid").read())
print(f"{name}:dvc-{'waits' if process.poll() is None else 'gone'},stage-{'runs' if runs(stage) else 'gone'}")
if runs(stage):
    os.kill(stage, signal.SIGKILL)
process.wait()
P
seen=""
for name in SIGINT SIGTERM; do
    rm -f pid
    line=$("$work/venv/bin/python" start.py "$name" "$work/venv/bin/dvc")
    echo "$line"
    seen="$seen${seen:+ }$line"
done
if [ "$seen" != "$want" ]; then
    echo "changed: $seen, expected $want" >&2
    exit 1
fi
