"""What Git knows of this checkout; None or nothing where there is no Git or no commit."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# DVC's lock and the metrics beside it are written while stages run, so a change there says nothing about what ran.
_CODE_AND_PARAMS = ("--", ".", ":(exclude)dvc.lock", ":(exclude)metrics.json")


def uncommitted_changes(root: Path) -> str:
    """What tracked files but dvc.lock and metrics.json hold that the commit does not, as a patch; "" without commit."""
    return git(root, "diff", "HEAD", *_CODE_AND_PARAMS) or ""


def changed_files(root: Path, among: Sequence[str] = _CODE_AND_PARAMS[1:]) -> list[str]:
    """Name the tracked files that differ from the commit, by default all but dvc.lock and metrics.json."""
    return (git(root, "diff", "--name-only", "--relative", "HEAD", "--", *among) or "").splitlines()


def committed(root: Path, revision: str, path: str) -> str | None:
    """The text of a file in a commit, or None where it is not there."""
    return git(root, "show", f"{revision}:./{path}", exact=True)


def experiment_revision(root: Path) -> str | None:
    """The commit that DVC made of the experiment that this process belongs to, or None where there is none (yet)."""
    name, base = os.environ.get("DVC_EXP_NAME"), os.environ.get("DVC_EXP_BASELINE_REV", "")
    return git(root, "rev-parse", "--verify", "--quiet", f"refs/exps/{base[:2]}/{base[2:]}/{name}") if name else None


def git(root: Path, *arguments: str, exact: bool = False) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return done.stdout if exact else done.stdout.rstrip()
