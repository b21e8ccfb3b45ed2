#!/usr/bin/env bash
# dvc==3.67.1, ruamel.yaml==0.19.1 and 0.18.16, ruamel.yaml.clib==0.2.15, ruamel.yaml.clibz==0.3.7; CPython
#
# Behaviour: ruamel.yaml 0.18 brought its parser in C with it, ruamel.yaml.clib; 0.19, which a new `pip install dvc`
# takes, does not. DVC reads dvc.yaml and dvc.lock with YAML(typ="safe"), which is in C if that package is there and in
# Python if not, without a word: every read of a dvc.lock then takes several times as long. The extra that is named for
# it, ruamel.yaml[libyaml], installs another package, ruamel.yaml.clibz, sets ruamel.yaml.__with_libyaml__ to True, and
# changes nothing: YAML() does not use that one. `pip install ruamel.yaml.clib`, the extra `oldlibyaml`, brings the
# parser in C back; what is read is the same. But that one does not read all: it refuses a list such as
# [GPU:0, GPU:1], without quotes, which the parser in Python takes for two words.
#
# One would guess: installing DVC brings what DVC is fast with, "safe" loading is in C on CPython as it was for years,
# and where __with_libyaml__ is True it is.
#
# Why it matters: an environment that is made anew from the same requirements spends more of every DVC command on
# reading dvc.lock, in a package that nobody has changed, and the remedy that the package names is none. The one that
# works can stop a params.yaml that names devices.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
python="$work/venv/bin/python"
install() { "$python" -m pip install -q "$@" >"$work/pip.log" 2>&1 || { cat "$work/pip.log" >&2; exit 2; }; }
export HOME="$work/home" DVC_NO_ANALYTICS=1
export DVC_GLOBAL_CONFIG_DIR="$work/global" DVC_SYSTEM_CONFIG_DIR="$work/system" DVC_SITE_CACHE_DIR="$work/site"
mkdir -p "$HOME" "$work/project"
cd "$work/project"
want="0.18.16:C 0.19.1:Python/False libyaml:Python/True oldlibyaml:C/True ratio:above-2 content:same status:same devices:2/refused"

cat >"$work/make.py" <<'P'
"""A pipeline of 40 stages that all have run: three dependencies, four parameters and two outputs each."""
import hashlib
import json
import pathlib

names = [f"part{number:03d}" for number in range(40)]
params = {name: {f"setting_{letter}": [ord(letter), 0.25] for letter in "abcd"} for name in names}


def entry(path, content):
    pathlib.Path(path).write_bytes(content)
    return {"path": path, "hash": "md5", "md5": hashlib.md5(content).hexdigest(), "size": len(content)}


code = [entry(f"code{number}.py", b"pass\n" * number) for number in (1, 2)]
stages, lock = {}, {}
for name in names:
    source = entry(f"{name}.in", f"source of {name}\n".encode())
    outs = [entry(f"{name}.{end}", f"{end} of {name}\n".encode()) for end in ("model", "scores")]
    deps = sorted([*code, source], key=lambda each: each["path"])
    command = f"python code1.py {name}"
    stages[name] = {"cmd": command, "deps": [each["path"] for each in deps], "params": [name]}
    stages[name]["outs"] = [each["path"] for each in outs]
    lock[name] = {"cmd": command, "deps": deps, "params": {"params.yaml": {name: params[name]}}, "outs": outs}

from ruamel.yaml import YAML

writer = YAML(typ="safe", pure=True)
writer.default_flow_style = False
for path, content in (
    ("params.yaml", params), ("dvc.yaml", {"stages": stages}), ("dvc.lock", {"schema": "2.0", "stages": lock}),
):
    with open(path, "w") as stream:
        writer.dump(content, stream)
P

cat >"$work/measure.py" <<'P'
"""Read dvc.lock as DVC does, and print the parser, the least processor seconds of seven, digests of content and status."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

import ruamel.yaml
from dvc.utils.serialize import YAMLFileCorruptedError, load_yaml

seconds = []
for _ in range(7):
    start = time.process_time()
    content = load_yaml("dvc.lock")
    seconds.append(time.process_time() - start)
before = os.times()
said = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, text=True)
after = os.times()
whole = after.children_user + after.children_system - before.children_user - before.children_system
parser = "C" if ruamel.yaml.YAML(typ="safe").Parser.__name__ == "CParser" else "Python"
digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
answer = f"{said.returncode}-{hashlib.sha256((said.stdout + said.stderr).encode()).hexdigest()[:12]}"
size = os.path.getsize("dvc.lock") // 1024
print(
    f"{sys.argv[1]}: safe parser in {parser}, __with_libyaml__ {ruamel.yaml.__with_libyaml__}; dvc.lock of {size} KiB: "
    f"{min(seconds):.2f} s of processor time; `dvc status` {whole:.1f} s in all",
    file=sys.stderr,
)
pathlib.Path("devices.yaml").write_text("devices: [GPU:0, GPU:1]\n")
try:
    devices = len(load_yaml("devices.yaml")["devices"])
except YAMLFileCorruptedError:
    devices = "refused"
print(f"{parser}/{ruamel.yaml.__with_libyaml__}", min(seconds), digest, answer, devices)
P

how='import ruamel.yaml as r; print("C" if r.YAML(typ="safe").Parser.__name__ == "CParser" else "Python")'
# What 0.18 brought, without DVC.
install --target "$work/old" ruamel.yaml==0.18.16
old=$(PYTHONPATH="$work/old" "$python" -c "$how")
echo "ruamel.yaml 0.18.16 alone: its safe parser is in $old"

install dvc==3.67.1 ruamel.yaml==0.19.1
"$python" "$work/make.py"
"$python" -m dvc init -q --no-scm >"$work/init.log" 2>&1
read -r bare slow content answer devices < <("$python" "$work/measure.py" "with nothing else")
install "ruamel.yaml[libyaml]==0.19.1" ruamel.yaml.clibz==0.3.7
read -r libyaml _ < <("$python" "$work/measure.py" "with [libyaml]")
install "ruamel.yaml[oldlibyaml]==0.19.1" ruamel.yaml.clib==0.2.15
read -r oldlibyaml fast content_after answer_after devices_after < <("$python" "$work/measure.py" "with [oldlibyaml]")

ratio=$("$python" -c "print(f'{$slow / $fast:.1f}')")
echo "with nothing else, dvc.lock takes $ratio times as long as with [oldlibyaml]"
seen="0.18.16:$old 0.19.1:$bare libyaml:$libyaml oldlibyaml:$oldlibyaml"
seen="$seen ratio:$("$python" -c "print('above' if $ratio > 2 else 'not-above')")-2"
seen="$seen content:$([ "$content" = "$content_after" ] && echo same || echo different)"
seen="$seen status:$([ "$answer" = "$answer_after" ] && echo same || echo different) devices:$devices/$devices_after"
[ "$seen" = "$want" ] || { echo "changed: $seen, expected $want"; exit 1; }
