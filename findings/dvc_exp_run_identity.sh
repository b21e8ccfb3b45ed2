#!/usr/bin/env bash
# dvc==3.67.1, scmrepo==3.6.2, pygit2==1.21.0, dulwich==1.2.21; git on the PATH
#
# Behaviour: without a Git identity `dvc exp run` works while the work tree is clean, and fails once a
# tracked file is changed ("Git user name and email must be configured"): it then stashes the change
# first, and only the stash asks who you are. GIT_AUTHOR_NAME and GIT_AUTHOR_EMAIL do not help;
# GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL alone do.
#
# One would guess: an identity is needed always, since every experiment is a commit, or never; and the
# author's variables are the ones that count, or both pairs as for `git commit`.
#
# Why it matters: a fresh container or CI job passes its first, clean experiment and then fails on the
# one that somebody edited for, far from the step that set the identity up.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dvc==3.67.1 scmrepo==3.6.2 pygit2==1.21.0 dulwich==1.2.21 >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }
cd "$work"
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
unset XDG_CONFIG_HOME GIT_CONFIG_GLOBAL EMAIL GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
mkdir -p "$HOME" project
cd project
dvc="$work/venv/bin/dvc"
want="clean:ok changed:fails changed+author:fails changed+committer:ok"

git init -q .
"$dvc" init -q >"$work/init.log" 2>&1
cat >dvc.yaml <<'Y'
stages:
  train:
    cmd: cp params.yaml metrics.json
    deps: [params.yaml]
    metrics:
    - metrics.json:
        cache: false
Y
echo 'lr: 1' >params.yaml
echo 'first note' >notes.txt
"$dvc" repro -q >"$work/repro.log" 2>&1
git add .
git -c user.name=me -c user.email=me@example.com commit -qm start

seen=""
try() { # label, then assignments for env
    local label=$1 result=ok
    shift
    env "$@" "$dvc" exp run -f >"$work/run.log" 2>&1 </dev/null || result=fails
    echo "$label: $result; $(git status --short | wc -l) changed file(s)$(grep -o 'Git user name.*' "$work/run.log" | sed 's/^/; /')"
    seen="$seen${seen:+ }$label:$result"
}
try clean LC_ALL=C
echo 'second note' >>notes.txt
try changed LC_ALL=C
try changed+author GIT_AUTHOR_NAME=me GIT_AUTHOR_EMAIL=me@example.com
try changed+committer GIT_COMMITTER_NAME=me GIT_COMMITTER_EMAIL=me@example.com
if [ "$seen" != "$want" ]; then
    echo "changed: $seen, expected $want" >&2
    cat "$work/run.log" >&2
    exit 1
fi
