#!/usr/bin/env bash
# dvc==3.67.1, hydra-core==1.3.8, omegaconf==2.3.1, ruamel.yaml==0.19.1; git on the PATH
#
# Behaviour: if one entry of params.yaml is merged into another (`small: {<<: *full}`), a mapping below it is the same
# object in both. `dvc exp run -S` then writes every value of the file, one entry after the other: setting a key below
# the first entry is lost without a word, and the experiment runs with the old value; setting it below the second entry
# changes both. A key that is not in a mapping below is set as asked.
#
# One would guess: -S sets the key that it names, however the rest of the file is written. Anchors and merges are the
# usual way to write models that differ in one thing, and DVC reads them.
#
# Why it matters: a sweep over `full.training.epochs` trains the same model each time, and its experiments differ in
# name only; a sweep over `small.training.epochs` changes the baseline that `small` is compared with, too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dvc==3.67.1 hydra-core==1.3.8 omegaconf==2.3.1 ruamel.yaml==0.19.1 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
export GIT_AUTHOR_NAME=me GIT_AUTHOR_EMAIL=me@example.com GIT_COMMITTER_NAME=me GIT_COMMITTER_EMAIL=me@example.com
mkdir -p "$HOME" "$work/project"
cd "$work/project"
dvc="$work/venv/bin/dvc"
want="full.training.epochs=3:10/10 small.training.epochs=5:5/5 full.width=128:128/32"

cat >params.yaml <<'Y'
full: &full
  width: 64
  training: {epochs: 10}
small:
  <<: *full
  width: 32
Y
cat >train.py <<'P'
import json, sys
from ruamel.yaml import YAML

params = YAML(typ="safe", pure=True).load(open("params.yaml"))
seen = {name: {"width": each["width"], "epochs": each["training"]["epochs"]} for name, each in params.items()}
json.dump(seen, open("seen.json", "w"))
P
cat >dvc.yaml <<Y
stages:
  train:
    cmd: $work/venv/bin/python train.py
    deps: [train.py]
    params: [full, small]
    outs: [seen.json]
Y
git init -q -b main .
"$dvc" init -q >"$work/init.log" 2>&1
"$dvc" repro -q >"$work/repro.log" 2>&1
git add .
git commit -qm start

seen=""
for change in full.training.epochs=3 small.training.epochs=5 full.width=128; do
    "$dvc" exp run -q -S "$change" >"$work/run.log" 2>&1 || { cat "$work/run.log" >&2; exit 1; }
    key=${change%%=*}
    key=${key##*.}
    values=$("$work/venv/bin/python" -c "import json; seen = json.load(open('seen.json')); print('/'.join(str(seen[n]['$key']) for n in ('full', 'small')))")
    echo "-S $change: exit 0; $key of full/small in the experiment: $values"
    seen="$seen $change:$values"
    git checkout -q params.yaml dvc.lock
    "$dvc" checkout -q
done
[ "${seen# }" = "$want" ] || { echo "changed: ${seen# }, expected $want"; exit 1; }
