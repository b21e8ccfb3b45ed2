"""code.json: what stands for the code in a project that `alexnet init` made, whose code is the installed package.

In a clone DVC sees the Python files of each stage. A project has none, and paths of an environment differ from machine
to machine, so there each stage depends on its own line of code.json. `alexnet setup` renews the file after an upgrade;
until then a stage whose code changed refuses, so that no result is of other code than its dvc.lock says.
"""

import functools
import hashlib
import json
from pathlib import Path

import alexnet_tf
from alexnet_tf.errors import AlexNetError
from pipeline.environment.workspace import code_folder
from pipeline.stages.outputs import write_text
from pipeline.stages.table import STAGES

CODE_FILE = "code.json"
_VERSION = "alexnet-tf"


def code_root(root: Path) -> Path:
    """Return the folder of the stages' code: a clone's own, a project's that of the installed packages."""
    return code_folder() if (root / CODE_FILE).is_file() else root


def installed_code() -> dict[str, str]:
    """Name the installed version, and of each stage the SHA-256 of the Python files that decide what it writes."""
    return {_VERSION: alexnet_tf.__version__} | {name: _digest(name) for name in STAGES}


@functools.cache  # the code of a process is what it has imported
def _digest(stage: str) -> str:
    total = hashlib.sha256()
    for path in STAGES[stage].code(code_folder()):
        total.update(f"{path}\0".encode() + hashlib.sha256((code_folder() / path).read_bytes()).digest())
    return total.hexdigest()


def pinned_code(root: Path) -> dict[str, str]:
    """Read code.json; empty in a clone, or where it is broken."""
    try:
        content = json.loads((root / CODE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write(root: Path) -> None:
    """Write code.json as the installed package has it."""
    write_text(root / CODE_FILE, json.dumps(installed_code(), indent=1) + "\n")


def renew(root: Path) -> list[str]:
    """Bring code.json up to date; return the stages whose code changed, none in a clone."""
    if not (root / CODE_FILE).is_file() or (pinned := pinned_code(root)) == installed_code():
        return []
    write(root)
    return [name for name in STAGES if pinned.get(name) != _digest(name)]


def require_current(root: Path, stage: str) -> None:
    """Refuse to run a stage with other code than code.json names.

    Raises:
        AlexNetError: The package was upgraded, or changed, since code.json was written.
    """
    if not (root / CODE_FILE).is_file() or pinned_code(root).get(stage) == _digest(stage):
        return
    raise AlexNetError(
        f"{CODE_FILE}: expected the code of {stage} in the installed alexnet-tf {alexnet_tf.__version__}, found that "
        f"of {pinned_code(root).get(_VERSION, 'no version')}; `alexnet setup` renews it, and `dvc repro` then "
        "reruns the stages that changed"
    )
