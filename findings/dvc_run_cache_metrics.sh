#!/usr/bin/env bash
# dvc==3.67.1, dvc-data==3.18.3, dvc-objects==5.2.0
#
# Behaviour: a stage whose metrics file says `cache: false` still takes part in the run cache. After
# runs with input A, then B, then A again, the third `dvc repro` runs nothing: it restores the output
# and the metrics file from .dvc/cache, where a copy of the "uncached" file was put all the same.
#
# One would guess: the stage runs again, or its metrics are missing. The documentation of the run cache
# says that `cache: false` on an output deactivates the run cache for that stage.
#
# Why it matters: `cache: false` is the usual setting for metrics kept in Git. Timings, dates or random
# results in them come from an earlier run and not from this one, and going back to an earlier
# parameter never measures again. `dvc repro --force` or `--no-run-cache` does.
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
want="1 2 1 --no-run-cache:3 copies:2"

"$dvc" init -q --no-scm >"$work/init.log" 2>&1
cat >train.sh <<'S'
echo ran >>../runs.log
cp lr.txt model.txt
echo "{\"run\": $(($(wc -l <../runs.log)))}" >metrics.json
S
cat >dvc.yaml <<'Y'
stages:
  train:
    cmd: sh train.sh
    deps: [lr.txt]
    outs: [model.txt]
    metrics:
    - metrics.json:
        cache: false
Y
seen=""
for lr in A B A; do
    echo "$lr" >lr.txt
    "$dvc" repro >"$work/repro.log" 2>&1 || { cat "$work/repro.log" >&2; exit 2; }
    run=$(tr -dc 0-9 <metrics.json)
    echo "input $lr: metrics.json is from run $run; $(grep -E "^(Running stage|Stage )" "$work/repro.log")"
    seen="$seen$run "
done
# The two metrics files that the runs wrote, found by content in the cache that they are kept out of.
copies=$(grep -rl '"run"' .dvc/cache/files | wc -l)
echo "copies of a metrics file in .dvc/cache: $((copies))"
echo B >lr.txt
"$dvc" repro --no-run-cache >"$work/repro.log" 2>&1 || { cat "$work/repro.log" >&2; exit 2; }
run=$(tr -dc 0-9 <metrics.json)
echo "input B, --no-run-cache: metrics.json is from run $run"
seen="$seen--no-run-cache:$run copies:$((copies))"
if [ "$seen" != "$want" ]; then
    echo "changed: $seen, expected $want" >&2
    exit 1
fi
