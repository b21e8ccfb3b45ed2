"""What Git knows of this checkout; None or nothing where there is no Git or no commit."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# DVC's lock and the metrics beside it are written while stages run, so a change there says nothing about what ran.
CODE_AND_PARAMS = ("--", ".", ":(exclude)dvc.lock", ":(exclude)metrics.json")


def uncommitted_changes(root: Path) -> str:
    """What tracked files but dvc.lock and metrics.json hold that the commit does not, as a patch; "" without commit."""
    return git(root, "diff", "HEAD", *CODE_AND_PARAMS) or ""


def changed_files(root: Path, among: Sequence[str] = CODE_AND_PARAMS[1:]) -> list[str]:
    """Name the tracked files that differ from the commit, by default all but dvc.lock and metrics.json."""
    return (git(root, "diff", "--name-only", "--relative", "HEAD", "--", *among) or "").splitlines()


def committed(root: Path, revision: str, path: str) -> str | None:
    """The text of a file in a commit, or None where it is not there."""
    return git(root, "show", f"{revision}:./{path}", exact=True)


def commit_of(root: Path, revision: str) -> str | None:
    """The commit that a Git revision names, or None where it names none."""
    return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def experiments_named(root: Path, name: str) -> dict[str, str]:
    """Find the DVC experiments of a name: the commit that each started from -> its own commit."""
    listed = git(root, "for-each-ref", "--format=%(refname) %(objectname)", f"refs/exps/*/*/{name}") or ""
    found = {}
    for line in listed.splitlines():
        reference, commit = line.split()
        _, _, head, rest, *named = reference.split("/")
        if named == [name]:
            found[head + rest] = commit
    return found


def experiment_revision(root: Path) -> str | None:
    """The commit that DVC made of the experiment that this process belongs to, or None where there is none (yet)."""
    name, base = os.environ.get("DVC_EXP_NAME"), os.environ.get("DVC_EXP_BASELINE_REV", "")
    return git(root, "rev-parse", "--verify", "--quiet", f"refs/exps/{base[:2]}/{base[2:]}/{name}") if name else None


def git(root: Path, *arguments: str, exact: bool = False) -> str | None:
    """Return what a git command prints, or None where it fails; without the last line break unless `exact`."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return done.stdout if exact else done.stdout.rstrip()
