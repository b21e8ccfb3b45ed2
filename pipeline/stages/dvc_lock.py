"""What dvc.lock says: the hash of every output, and which stages are as they were locked."""

import functools
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet_tf.errors import ConfigError
from pipeline.environment.dotted import at
from pipeline.environment.yaml_file import parse, read
from pipeline.stages.installed_code import CODE_FILE, pinned_code
from pipeline.stages.table import PARAMS_FILE, Item

LOCK_FILE = "dvc.lock"
_MAX_CHECKED_BYTES = 50_000_000


class Lock:
    """The content of one dvc.lock.

    Args:
        content: The file as it was parsed.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._stages: Mapping[str, Any] = content.get("stages") or {}

    @functools.cached_property
    def hashes(self) -> dict[str, str]:
        """Path -> DVC's hash of it, for every output."""
        return {
            out["path"]: out["md5"] for stage in self._stages.values() for out in stage.get("outs", []) if "md5" in out
        }

    def outputs(self, item: Item) -> dict[str, str]:
        """Path -> hash of what a stage wrote; empty where it is not locked."""
        outs = self._entry(item.address).get("outs", [])
        return {out["path"]: out["md5"] for out in outs if "md5" in out}

    def inputs(self, item: Item) -> dict[str, str]:
        """Path -> hash of the data that a stage was last run on."""
        paths = set(item.inputs().values())
        return {dep["path"]: dep["md5"] for dep in self._entry(item.address).get("deps", []) if dep["path"] in paths}

    def is_consistent(self, address: str, stages: Collection[str]) -> bool:
        """Whether the outputs that a stage was last run on are those in this lock.

        Of an input that is a folder of several outputs the lock lists no files, so that their sizes have to do. DVC
        keeps the entries of variants that are no more; the folder may hold the outputs of any of them.

        Args:
            address: The stage.
            stages: The addresses of all stages that there are.
        """
        named = {name: stage.get("outs", []) for name, stage in self._stages.items()}
        outs = {out["path"]: out for each in named.values() for out in each}
        present = {out["path"] for name, each in named.items() if name in stages for out in each}
        for dep in self._entry(address).get("deps", []):
            inside = [out for path, out in outs.items() if path.startswith(f"{dep['path']}/")]
            if inside and _size(dep) not in _possible_sizes(inside, present):
                return False
            if dep.get("md5") != outs.get(dep["path"], dep).get("md5"):
                return False
        return True

    def has_params(self, item: Item, written: Mapping[str, Any]) -> bool:
        """Whether `item` was last run with the parameters that are in params.yaml now.

        Args:
            item: The run.
            written: The content of params.yaml as it is written, the word `profile` in its place.
        """
        locked = self._entry(item.address).get("params")
        if locked is None:
            return False
        return all(_has(written, key, value) for key, value in locked.get(PARAMS_FILE, {}).items())

    def is_current(self, root: Path, item: Item, written: Mapping[str, Any]) -> bool:
        """Whether `item` is as it was locked: its parameters, code, inputs and outputs.

        It says what `dvc status` says, for one stage and without DVC's lock on the repository. What is over 50 MB is
        only looked for; of an input that is a stage's output, what counts is the hash that this has in the lock.
        """
        if not self.has_params(item, written):
            return False
        locked_code = self._entry(item.address)["params"].get(CODE_FILE, {})
        if not locked_code.items() <= pinned_code(root).items():
            return False
        for dep in self._entry(item.address).get("deps", []):
            path = dep["path"]
            if path in self.hashes:
                if self.hashes[path] != dep.get("md5"):
                    return False
            elif not _is_as_locked(root / path, dep):  # code, what Git holds, and the folders of all variants' reports
                return False
        return all(_is_as_locked(root / out["path"], out) for out in self._entry(item.address).get("outs", []))

    def _entry(self, address: str) -> Mapping[str, Any]:
        return self._stages.get(address, {})


def _possible_sizes(outs: Sequence[Mapping[str, Any]], present: Collection[str]) -> set[tuple[int, int]]:
    """What a folder may hold that has the outputs at `present` paths and any of the others."""
    sizes = {(0, 0)}
    for out in outs:
        with_it = {(size + _size(out)[0], files + _size(out)[1]) for size, files in sizes}
        sizes = with_it if out["path"] in present else sizes | with_it
    return sizes


def _size(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Bytes and number of files."""
    return entry.get("size", 0), entry.get("nfiles", 0)


def read_lock(root: Path) -> Lock:
    """Read dvc.lock; one without stages where there is none yet, or it is half-written."""
    lock = root / LOCK_FILE
    try:
        return _read(lock, lock.stat().st_mtime_ns)
    except OSError:
        return Lock({})


def parse_lock(text: str) -> Lock:
    """Parse the text of a dvc.lock.

    Raises:
        ConfigError: It is no YAML.
    """
    return Lock(parse(text, LOCK_FILE))


@functools.lru_cache(maxsize=4)
def _read(lock: Path, _modified: int) -> Lock:
    try:
        return Lock(read(lock))
    except ConfigError:  # in the middle of a merge, for example: DVC says so better
        return Lock({})


def dvc_md5(path: Path) -> str | None:
    """Hash a file or folder as DVC does: a folder is the JSON list of its files. None where nothing is there."""
    if not path.is_dir():
        return _file_md5(path)
    files = sorted((each for each in path.rglob("*") if each.is_file()), key=lambda each: each.relative_to(path).parts)
    listed = [{"md5": _file_md5(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _is_as_locked(path: Path, locked: Mapping[str, Any]) -> bool:
    if not path.exists():
        return False
    return locked.get("size", 0) > _MAX_CHECKED_BYTES or dvc_md5(path) == locked.get("md5")


def _file_md5(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError:
        return None


def _has(values: Mapping[str, Any], key: str, value: Any) -> bool:
    try:
        return at(values, key) == value
    except KeyError:
        return value is None
