"""What Git knows of this checkout; None or nothing where there is no Git or no commit, or Git fails.

Nothing else starts Git.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.errors import AlexNetError

# DVC's lock and the metrics beside it are written while stages run, so a change there says nothing about what ran.
CODE_AND_PARAMS = ("--", ".", ":(exclude)dvc.lock", ":(exclude)metrics.json")
_PACKAGES = ("alexnet_tf", "components", "pipeline")

# Whatever the user's settings are, `git apply` takes what Git then prints.
_AS_A_PATCH = (
    "--binary", "--unified=3", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/",
    "--submodule=short",
)  # fmt: skip


class GitProblem(NamedTuple):
    """Why Git does not work in a repository that is there, and what to type."""

    told: str
    fix: str


def is_in_repository(root: Path) -> bool:
    """Whether a folder or one above it holds `.git`; Git need not be installed."""
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def problem(root: Path) -> GitProblem | None:
    """What keeps Git from working in the repository that `root` is in; None where it works or there is none."""
    if not is_in_repository(root):
        return None
    look = f"git -C {shlex.quote(str(root))} status"
    try:
        done = _run(root, "rev-parse", "--git-dir")
    except FileNotFoundError:
        return GitProblem("Git is not installed", "install it with the system's packages")
    except (OSError, subprocess.TimeoutExpired) as error:
        return GitProblem(f"Git cannot be started ({error})", look)
    if done.returncode == 0:
        return None
    said = [line.strip() for line in done.stderr.decode(errors="replace").splitlines()] or [f"code {done.returncode}"]
    trust = [line for line in said if line.startswith("git config")]  # of a checkout that another user owns
    return GitProblem(f"Git says: {said[0].removeprefix('fatal: ')}", (trust or [look])[0])


def require_working(root: Path) -> None:
    """See that Git works, for what needs its commits.

    Raises:
        AlexNetError: There is a `problem`.
    """
    if found := problem(root):
        raise AlexNetError(f"{root}: {found.told}; the way out: {found.fix}")


def uncommitted_changes(root: Path) -> bytes | None:
    """What `changed_files` hold that the commit does not, as a patch for `git apply`."""
    difference = ("-c", "diff.relative=false", "diff", *_AS_A_PATCH, "HEAD", *CODE_AND_PARAMS)
    if not (new := _new_code(root)):
        done = _or_none(root, *difference)
        return None if done is None else done.stdout
    try:
        with tempfile.TemporaryDirectory() as place:  # `git diff` shows what an index names: a copy of the user's
            own = Path(place) / "index"
            shutil.copyfile(root / (git(root, "rev-parse", "--git-path", "index") or ""), own)
            variables = {"GIT_INDEX_FILE": str(own)}
            _or_none(root, "add", "--intent-to-add", "--", *new, variables=variables)
            done = _or_none(root, *difference, variables=variables)
    except OSError:  # there is no index before the first `git add`, or the disk is full
        return None
    return None if done is None else done.stdout


def changed_files(root: Path, among: Sequence[str] = ()) -> list[str]:
    """Name the files that differ from the commit.

    Args:
        root: The folder of the project.
        among: Tracked files to look at; by default all but dvc.lock and metrics.json, and new files of code.
    """
    listed = git(root, "diff", "--name-only", "--relative", "HEAD", "--", *(among or CODE_AND_PARAMS[1:])) or ""
    return listed.splitlines() + ([] if among else _new_code(root))


def _new_code(root: Path) -> list[str]:
    """Name the files of the packages that Git neither tracks nor ignores."""
    return (git(root, "ls-files", "--others", "--exclude-standard", "--", *_PACKAGES) or "").splitlines()


def committed(root: Path, revision: str, path: str) -> str | None:
    """The text of a file in a commit, or None where it is not there."""
    return git(root, "show", f"{revision}:./{path}", exact=True)


def is_committed(root: Path, path: str) -> bool:
    """Whether a file is as the commit has it; one that Git does not track is not."""
    return has_object(root, f"HEAD:./{path}") and git(root, "diff", "--quiet", "HEAD", "--", path) is not None


def has_object(root: Path, name: str) -> bool:
    """Whether the repository has what a Git revision names, such as `COMMIT:./PATH`."""
    return git(root, "cat-file", "-e", name) is not None


def setting(root: Path, key: str) -> str:
    """The value of a setting; "" where it is not set, or there is no Git."""
    return git(root, "config", "--get", key) or ""


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


def check_out(root: Path, commit: str, folder: Path) -> None:
    """Write a commit's files into a folder, by an index of its own: neither `git worktree` nor a hook leaves a trace.

    Raises:
        AlexNetError: Git cannot, for example since the disk is full.
    """
    repository, tree = git(root, "rev-parse", "--absolute-git-dir"), git(root, "rev-parse", f"{commit}:./")
    with tempfile.TemporaryDirectory() as place:
        own = {"GIT_INDEX_FILE": f"{place}/index", "GIT_WORK_TREE": str(folder), "GIT_DIR": repository or ""}
        for command in (["read-tree", tree or commit], ["checkout-index", "--all"]):
            words = ["git", "-c", "core.hooksPath=", *command]
            done = subprocess.run(
                words, cwd=folder, env=os.environ | own, capture_output=True, text=True, errors="replace", check=False
            )
            if done.returncode:
                told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
                raise AlexNetError(
                    f"{folder}: the files of commit {commit[:12]} cannot be written here ({told}); `df -h {folder}` "
                    "shows whether the disk is full, `git fsck` whether the repository has all of the commit, and "
                    "`git fetch --refetch` brings what is missing from a remote"
                )


def git(root: Path, *arguments: str, exact: bool = False) -> str | None:
    """Return what a git command prints, or None where it fails; without the last line break unless `exact`.

    What is not UTF-8, such as lines of an older text file in a diff, has U+FFFD in place of each such byte.
    """
    done = _or_none(root, *arguments)
    if done is None:
        return None
    told = done.stdout.decode(errors="replace").replace("\r\n", "\n")  # as where text is read from a file
    return told if exact else told.rstrip()


def _or_none(
    root: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes] | None":
    try:
        done = _run(root, *arguments, variables=variables)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done


def _run(
    root: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    # Names are printed as they are, also those that are not ASCII.
    words = ["git", "-c", "core.quotePath=false", *arguments]
    environment = {**os.environ, **variables} if variables else None
    return subprocess.run(words, cwd=root, env=environment, capture_output=True, timeout=20, check=False)
