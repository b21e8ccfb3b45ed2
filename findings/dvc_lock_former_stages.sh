#!/usr/bin/env bash
# dvc==3.67.1, dvc-data==3.18.3, dvc-objects==5.2.0
#
# Behaviour: where an entry of a `foreach` stage is renamed, the old entry stays in dvc.lock and its output
# on disk. A stage that depends on the folder of these outputs hashes the old one as well. At one commit,
# with everything pushed and pulled, `dvc status` says "up to date" in the first clone and "modified" in
# a fresh one, whose `dvc repro` changes dvc.lock again.
#
# One would guess: `dvc repro` takes stages that are no more out of dvc.lock, and what is up to date in
# one clone is so in another of the same commit.
#
# Why it matters: a table over all models, made from the folder of their reports, silently contains
# models that params.yaml no longer has; two colleagues who both commit dvc.lock undo each other's hash for
# ever. Remove the outputs of former entries before you commit.
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
want="first:0 table:abc locked:3 fresh:1 table:ac "

git init -q
"$dvc" init -q >"$work/init.log" 2>&1
"$dvc" remote add -q -d store "$work/remote"
cat >dvc.yaml <<'Y'
stages:
  train:
    foreach: ${models}
    do:
      cmd: mkdir -p reports && echo ${item} > reports/${item}
      outs:
      - reports/${item}
  compare:
    cmd: ls reports > table.txt
    deps: [reports]
    outs: [table.txt]
Y
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 2; }; }
for models in "[a, b]" "[a, c]"; do
    echo "models: $models" >params.yaml
    quietly "$dvc" repro
    git add -A && git commit -qm "$models"
done
quietly "$dvc" push
changed() { "$dvc" status --json | "$work/venv/bin/python" -c "import json, sys; print(len(json.load(sys.stdin)))"; }
seen="first:$(changed) table:$(tr -d '\n' <table.txt) locked:$(grep -c '^  train@' dvc.lock)"
git clone -q . ../fresh
cd ../fresh
quietly "$dvc" pull
seen="$seen fresh:$(changed)"
quietly "$dvc" repro
seen="$seen table:$(tr -d '\n' <table.txt) "
echo "params.yaml has the models a and c; b was renamed to c"
echo "stages out of date in the first clone, its table, its locked models; the same in a fresh clone: $seen"
if [ "$seen" != "$want" ]; then
    echo "changed: $seen, expected $want" >&2
    exit 1
fi
