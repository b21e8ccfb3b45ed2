#!/usr/bin/env bash
# dvc==3.67.1, hydra-core==1.3.8, scikit-learn==1.9.1, numpy==2.4.6, PyYAML==6.0.3; git on the PATH
#
# Behaviour: DVC compares parameters as Python does, where 1, 1.0 and true are equal. If 1 becomes 1.0 in params.yaml,
# `dvc status` says that all is up to date, `dvc params diff` shows nothing, and `dvc repro` runs nothing.
# `dvc exp run -S max_features=1.0` records an experiment with 1.0 among its parameters and the result of 1.
#
# One would guess: a parameter counts as changed if params.yaml and dvc.lock do not say the same, and a tool in doubt
# trains once too often rather than shows the result of other parameters.
#
# Why it matters: to scikit-learn, max_features=1 is one feature per split and max_features=1.0 is all of them, and
# max_samples is like it. Among the experiments the row of 1.0 has the score of 1, here 81.5 % instead of 91.5 %, and
# whoever corrects 1 to 1.0 commits the old model with it. `dvc repro --force` trains.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dvc==3.67.1 hydra-core==1.3.8 scikit-learn==1.9.1 numpy==2.4.6 PyYAML==6.0.3 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
export GIT_AUTHOR_NAME=me GIT_AUTHOR_EMAIL=me@example.com GIT_COMMITTER_NAME=me GIT_COMMITTER_EMAIL=me@example.com
mkdir -p "$HOME" "$work/project"
cd "$work/project"
python="$work/venv/bin/python"
dvc() { "$work/venv/bin/dvc" "$@" 2>"$work/dvc.log" || { cat "$work/dvc.log" >&2; exit 1; }; }

echo "max_features: 1" >params.yaml
cat >train.py <<'P'
import json

import yaml
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

value = yaml.safe_load(open("params.yaml"))["max_features"]
inputs, labels = make_classification(n_samples=400, n_features=20, n_informative=5, random_state=0)
forest = RandomForestClassifier(max_features=value, n_estimators=20, random_state=0).fit(inputs[:200], labels[:200])
metrics = {"trained_with": repr(value), "accuracy": forest.score(inputs[200:], labels[200:])}
json.dump(metrics, open("metrics.json", "w"))
P
cat >dvc.yaml <<Y
stages:
  train:
    cmd: $python train.py
    deps: [train.py]
    params: [max_features]
    metrics: [metrics.json]
Y
git init -q -b main .
dvc init -q
dvc repro -q
git add .
git commit -qm start

trained() { "$python" -c "import json; print('{trained_with}/{accuracy}'.format(**json.load(open('metrics.json'))))"; }
first=$(trained)
echo "params.yaml has 1: the metrics are of $first"
seen=""
for value in 1.0 true 2; do
    echo "max_features: $value" >params.yaml
    status=$(dvc status --json)
    diff=$(dvc params diff --json)
    echo "params.yaml has $value: dvc status $status, dvc params diff $diff"
    [ "$status$diff" = "{}{}" ] && seen="$seen $value:unchanged" || seen="$seen $value:changed"
done

echo "max_features: 1.0" >params.yaml
dvc repro -q
echo "params.yaml has 1.0, after dvc repro: the metrics are of $(trained)"
[ "$(trained)" = "$first" ] && seen="$seen repro:nothing" || seen="$seen repro:trained"

git checkout -q params.yaml
dvc exp run -q -n float -S max_features=1.0
row=$(dvc exp show --json | "$python" -c "
import json, sys
rows = [r for b in json.load(sys.stdin) for e in b['experiments'] or [] for r in e['revs'] if r['name'] == 'float']
params, metrics = rows[0]['data']['params']['params.yaml'], rows[0]['data']['metrics']['metrics.json']
print(repr(params['data']['max_features']) + ':' + metrics['data']['trained_with'])")
echo "dvc exp show has an experiment with max_features ${row%:*} and the metrics of ${row#*:}"
seen="$seen experiment:$row"

dvc repro -q --force
echo "after dvc repro --force: the metrics are of $(trained)"
[ "$(trained)" != "$first" ] && seen="$seen force:trained" || seen="$seen force:nothing"

want="1.0:unchanged true:unchanged 2:changed repro:nothing experiment:1.0:1 force:trained"
[ "${seen# }" = "$want" ] || { echo "changed: ${seen# }, expected $want"; exit 1; }
