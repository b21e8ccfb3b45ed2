#!/usr/bin/env bash
# dvc==3.67.1, dvc-data==3.18.3, dvc-objects==5.2.0
#
# Behaviour: `dvc repro` reads params.yaml and hashes the files a stage depends on when the command has
# ended, and not when it started. If one of them is edited while the stage runs, dvc.lock pairs the
# edited value with outputs that the former one made; `dvc status` then finds everything up to date, and
# the next `dvc repro` runs nothing.
#
# One would guess: what the stage started with is recorded, so that an edit makes it out of date, as with
# make; or DVC complains.
#
# Why it matters: while a training runs for hours, one prepares the next experiment in params.yaml. The
# model in dvc.lock, in the cache and in Git then carries parameters that it was not trained with, and
# the new experiment is taken for done.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dvc==3.67.1 dvc-data==3.18.3 dvc-objects==5.2.0 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
unset XDG_CONFIG_HOME GIT_CONFIG_GLOBAL EMAIL GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
mkdir -p "$HOME" project
cd project
dvc="$work/venv/bin/dvc"
want="model: 1 one | lock: 2 | status: up to date | second repro: nothing to run"

"$dvc" init -q --no-scm >"$work/init.log" 2>&1
echo "epochs: 1" >params.yaml
echo one >data.txt
cat >train.sh <<'S'
echo "$(tr -dc 0-9 <params.yaml) $(cat data.txt)" >model.txt
touch ../started
until [ -e ../edited ]; do sleep 0.1; done
S
cat >dvc.yaml <<'Y'
stages:
  train:
    cmd: sh train.sh
    params: [epochs]
    deps: [data.txt]
    outs: [model.txt]
Y
"$dvc" repro >"$work/repro.log" 2>&1 &
repro=$!
until [ -e "$work/started" ]; do kill -0 "$repro" 2>/dev/null || { cat "$work/repro.log" >&2; exit 2; }; sleep 0.1; done
echo "epochs: 2" >params.yaml
echo two >data.txt
touch "$work/edited"
wait "$repro" || { cat "$work/repro.log" >&2; exit 2; }

model=$(cat model.txt)
lock=$(sed -n 's/^ *epochs: //p' dvc.lock)
status=$("$dvc" status 2>"$work/status.log" | grep -q "up to date" && echo "up to date" || echo "out of date")
again=$("$dvc" repro 2>&1 | grep -q "Running stage" && echo "runs the stage" || echo "nothing to run")
echo "the stage read 'epochs: 1' and 'one', and wrote: $model"
echo "params.yaml and data.txt, edited while it ran: $(cat params.yaml), $(cat data.txt)"
echo "dvc.lock says of model.txt: epochs: $lock"
echo "dvc status: $status; dvc repro: $again"
seen="model: $model | lock: $lock | status: $status | second repro: $again"
if [ "$seen" != "$want" ]; then
    echo "changed: $seen, expected $want" >&2
    exit 1
fi
