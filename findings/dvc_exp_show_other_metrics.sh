#!/usr/bin/env bash
# dvc==3.67.1, dvc-data==3.18.3, dvc-objects==5.2.0
#
# Behaviour: an experiment that is asked for one stage, `dvc exp run -S lr=0.2 train`, keeps the metrics
# file and the entries of dvc.lock of the stages after it. `dvc exp show` then has a line with the new
# parameter beside the error, and the hash of the model, of the old one, and nothing marks them.
# The same holds with `--temp`.
#
# One would guess: metrics of stages that are out of date are left out or marked, as `dvc status` names
# these stages.
#
# Why it matters: to train alone first and evaluate later is usual where evaluation is slow. In the table
# by which experiments are compared, each of them has the error of the baseline, as if the parameter had
# no effect. Run the evaluation, too, before you look.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dvc==3.67.1 dvc-data==3.18.3 dvc-objects==5.2.0 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
unset XDG_CONFIG_HOME GIT_CONFIG_GLOBAL EMAIL
export GIT_AUTHOR_NAME=someone GIT_AUTHOR_EMAIL=someone@example.org
export GIT_COMMITTER_NAME=someone GIT_COMMITTER_EMAIL=someone@example.org
mkdir -p "$HOME" project
cd project
dvc="$work/venv/bin/dvc"
want="0.1:1.0 0.2:1.0 0.2:1.0 0.2:2.0"

git init -q
"$dvc" init -q >"$work/init.log" 2>&1
cat >evaluate.sh <<'S'
sed 's/lr: 0\.\(.\)/{"error": \1.0}/' model.txt >metrics.json
S
cat >dvc.yaml <<'Y'
stages:
  train:
    cmd: cp params.yaml model.txt
    params: [lr]
    outs: [model.txt]
  evaluate:
    cmd: sh evaluate.sh
    deps: [model.txt]
    metrics:
    - metrics.json:
        cache: false
Y
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 2; }; }
echo "lr: 0.1" >params.yaml
quietly "$dvc" repro
git add -A && git commit -qm baseline
quietly "$dvc" exp run -n a-part -S lr=0.2 train
git checkout -q .
quietly "$dvc" exp run --temp -n b-part-temp -S lr=0.2 train
quietly "$dvc" exp run -n c-whole -S lr=0.2
git checkout -q .
"$dvc" exp show --csv --no-pager >table.csv
seen=$("$work/venv/bin/python" - <<'PY'
import csv

rows = {row["Experiment"] or row["rev"]: row for row in csv.DictReader(open("table.csv"))}
names = ["workspace", "a-part", "b-part-temp", "c-whole"]
print(*(f"{rows[name]['lr']}:{rows[name]['error']}" for name in names))
PY
)
echo "lr and error of the baseline, train alone, train alone in a folder of its own, and all stages: $seen"
if [ "$seen" != "$want" ]; then
    echo "changed: $seen, expected $want" >&2
    exit 1
fi
