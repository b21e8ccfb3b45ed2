"""DVC's settings of a tree: whether it works with Git there, and whose commits it makes."""

import configparser
import os
from pathlib import Path

from alexnet_tf.errors import AlexNetError
from pipeline.environment.git import is_in_repository, setting
from pipeline.environment.processes import run_module

# Of this clone alone: it works where there is no home folder, and changes no settings of other repositories.
NO_IDENTITY = "Git does not know your name and e-mail, which `git commit` needs, and `dvc exp` once a file is changed"
IDENTITY = 'git config user.name "Your Name" && git config user.email you@example.org'

DVC_FOLDER = "copy .dvc from a clone, or from a new project that `alexnet init FOLDER` makes elsewhere"


def match_git(root: Path) -> None:
    """Have DVC work with Git where there is a repository, without where there is none.

    Raises:
        AlexNetError: DVC refuses.
    """
    without = not is_in_repository(root)
    if without == is_no_scm(root):
        return
    change = ["core.no_scm", "true"] if without else ["--unset", "core.no_scm"]
    done = run_module("dvc", "config", "--local", *change, cwd=root, capture_output=True)
    if done.returncode:
        raise AlexNetError(f"`dvc config --local {' '.join(change)}` failed: {done.stderr.strip()}")


def has_identity(root: Path) -> bool:
    """Whether Git knows whose commits are made, which `dvc exp` asks before it stashes changes.

    Unlike Git, it takes no name from the machine.
    """
    return all(
        os.environ.get(f"GIT_{role}_{what.upper()}") or setting(root, f"user.{what}")
        for role in ("AUTHOR", "COMMITTER")
        for what in ("name", "email")
    )


def is_no_scm(root: Path) -> bool:
    """Whether DVC's own settings for this tree say that there is no Git.

    Raises:
        AlexNetError: They cannot be read, not by DVC either.
    """
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(root / ".dvc/config.local", encoding="utf-8")
        return settings.getboolean("core", "no_scm", fallback=False)
    except (configparser.Error, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise AlexNetError(f".dvc/config.local: expected settings of DVC ({reason}); correct or remove it") from error
