#!/usr/bin/env bash
# dvc==3.67.1, hydra-core==1.3.8, omegaconf==2.3.1, ruamel.yaml==0.19.1, PyYAML==6.0.3; git on the PATH
#
# Behaviour: `dvc exp run -S lr=0.00001` writes `lr: 1e-05` into params.yaml. That is a number for DVC, which reads YAML 1.2,
# and the word '1e-05' for PyYAML, which reads YAML 1.1 and wants a point in a number with an exponent. The same holds for
# every value below 0.0001 that has one digit; 0.000015 becomes 1.5e-05, which both read as a number.
#
# One would guess: a number that was typed as 0.00001 arrives as one, whatever reads the file.
#
# Why it matters: learning rates and weight decays are such numbers, and most training scripts read params.yaml by
# `yaml.safe_load`. Of a sweep over 0.001, 0.0001 and 0.00001 the last one fails in the optimizer, or formats and logs a
# word; `dvc params diff`, `dvc exp show` and `dvc.api.params_show` all show a number.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dvc==3.67.1 hydra-core==1.3.8 omegaconf==2.3.1 ruamel.yaml==0.19.1 PyYAML==6.0.3 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
export GIT_AUTHOR_NAME=me GIT_AUTHOR_EMAIL=me@example.com GIT_COMMITTER_NAME=me GIT_COMMITTER_EMAIL=me@example.com
mkdir -p "$HOME" "$work/project"
cd "$work/project"
dvc="$work/venv/bin/dvc"
want="0.001:float/float 0.0001:float/float 0.00001:str/float 0.000015:float/float"

echo "lr: 0.01" >params.yaml
cat >train.py <<'P'
import json, yaml
import dvc.api

of_script, of_dvc = yaml.safe_load(open("params.yaml"))["lr"], dvc.api.params_show()["lr"]
json.dump([type(of_script).__name__, type(of_dvc).__name__, repr(of_script)], open("seen.json", "w"))
P
cat >dvc.yaml <<Y
stages:
  train:
    cmd: $work/venv/bin/python train.py
    deps: [train.py]
    params: [lr]
    outs: [seen.json]
Y
git init -q -b main .
"$dvc" init -q >"$work/init.log" 2>&1
"$dvc" repro -q >"$work/repro.log" 2>&1
git add .
git commit -qm start

seen=""
for value in 0.001 0.0001 0.00001 0.000015; do
    "$dvc" exp run -q -S "lr=$value" >"$work/run.log" 2>&1 || { cat "$work/run.log" >&2; exit 1; }
    types=$("$work/venv/bin/python" -c "import json; print('/'.join(json.load(open('seen.json'))[:2]))")
    echo "-S lr=$value writes '$(cat params.yaml)': PyYAML and DVC read $types"
    seen="$seen $value:$types"
    git checkout -q params.yaml dvc.lock
    "$dvc" checkout -q
done
[ "${seen# }" = "$want" ] || { echo "changed: ${seen# }, expected $want"; exit 1; }
