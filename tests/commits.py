"""Repositories of Git that tests make, with commits of someone, as no settings of the user reach them."""

import subprocess
from pathlib import Path


def commit_all(root: Path, message: str = "x") -> None:
    """Commit all that a folder holds, even if nothing is new; it becomes a repository if it is none."""
    person = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", message, "--allow-empty"]):
        subprocess.run(["git", *person, *command], cwd=root, check=True)
