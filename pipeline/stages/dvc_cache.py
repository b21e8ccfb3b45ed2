"""Reads what DVC keeps by content: outputs as they were committed, whatever is in their places now."""

import functools
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.environment.processes import run_module
from pipeline.environment.workspace import Workspace
from pipeline.stages.claims import claimed_lock
from pipeline.stages.dvc_lock import dvc_md5


def bring(workspace: Workspace, folder: Path, path: str, revision: str = "HEAD") -> bool:
    """Put an output as a commit has it into another folder, by links; return whether it could be had."""
    claimed, place = claimed_lock(workspace.root, revision).hashes.get(path, ""), folder / path
    if claimed and dvc_md5(workspace.root / path) == claimed:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(workspace.root / path)
        return True
    return bool(claimed) and link(workspace, claimed, place)


def link(workspace: Workspace, digest: str, place: Path) -> bool:
    """Put what the cache has by that hash, a file or a folder, at a place, by links; return whether it could be had."""
    place.parent.mkdir(parents=True, exist_ok=True)
    cached = _cached(workspace, digest)
    if not digest.endswith(".dir"):
        if cached.is_file():
            place.symlink_to(cached)
        return cached.is_file()
    listed = _listed(cached)
    if listed is None:
        return False
    for entry in listed:
        source = _cached(workspace, entry["md5"])
        if not source.is_file():
            shutil.rmtree(place, ignore_errors=True)
            return False
        (place / entry["relpath"]).parent.mkdir(parents=True, exist_ok=True)
        (place / entry["relpath"]).symlink_to(source)
    return True


def holds(workspace: Workspace, hashes: Iterable[str]) -> bool:
    """Whether the cache has an output of each hash; of a folder its list counts, which goes with the files."""
    return all(_cached(workspace, digest).is_file() for digest in hashes)


def _cached(workspace: Workspace, digest: str) -> Path:
    return _folder(workspace.root) / "files" / "md5" / digest[:2] / digest[2:]


@functools.cache
def _folder(root: Path) -> Path:
    done = run_module("dvc", "cache", "dir", cwd=root, capture_output=True)
    return Path(done.stdout.strip() or root / ".dvc/cache")


def _listed(path: Path) -> list[dict[str, str]] | None:
    """Read DVC's list of a folder's files; None where it is missing or damaged."""
    try:
        return [{"md5": each["md5"], "relpath": each["relpath"]} for each in json.loads(path.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError):
        return None
