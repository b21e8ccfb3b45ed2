"""What a run of a stage is made from, as one hash: equal fingerprints mean equal outputs."""

import functools
import hashlib
import json
from pathlib import Path

from components.interfaces import StageParams
from pipeline.stages.installed_code import code_root
from pipeline.stages.table import Item


def fingerprint(root: Path, item: Item, params: StageParams) -> str:
    """Hash the stage, its parameters, the content of its inputs and the code that it runs.

    Args:
        root: Folder of the repository.
        item: The run.
        params: Its parameters, profiles resolved.

    Returns:
        64 hexadecimal digits.

    Raises:
        FileNotFoundError: An input is not there.
    """
    code = code_root(root)
    made_from = {
        "stage": item.stage.name,
        "params": params.model_dump(mode="json"),
        "inputs": {field: content_digest(root / path) for field, path in item.inputs().items()},
        "code": {path: _file_digest(code / path) for path in item.stage.code(code) if (code / path).is_file()},
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def code_digest(root: Path) -> str:
    """Hash the Python files that stages are made of, those that no stage of now needs included."""
    code = code_root(root)
    files = sorted(file for package in ("components", "alexnet_tf") for file in (code / package).rglob("*.py"))
    listed = [f"{file.relative_to(code).as_posix()}\0{_file_digest(file)}\n" for file in files]
    return hashlib.sha256("".join(listed).encode()).hexdigest()


def content_digest(path: Path) -> str:
    """Hash a file, or a folder: its manifest where it has one, for that names the content, else every file.

    Raises:
        FileNotFoundError: There is nothing at `path`.
    """
    manifest = path / "manifest.json"
    if manifest.is_file():
        return _file_digest(manifest)
    if not path.is_dir():
        return _file_digest(path)
    total = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        name = file.relative_to(path).as_posix()
        if not any(part.startswith(".") for part in name.split("/")):
            total.update(f"{name}\0{_file_digest(file)}\n".encode())
    return total.hexdigest()


def _file_digest(path: Path) -> str:
    status = path.stat()
    return _digest(str(path), status.st_mtime_ns, status.st_size, status.st_ino)


@functools.lru_cache(maxsize=4096)
def _digest(path: str, *_identity: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
