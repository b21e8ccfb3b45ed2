"""Commands in messages, as they work where the user reads them."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def typed(command: str, *, starts_others: bool = False) -> str:
    """Write a command as it works in the user's shell: with the whole path where the environment is not activated.

    The Makefile puts the environment on the path of what it runs, and hands on the user's own path as `CALLER_PATH`.

    Args:
        command: A program of the environment and its arguments.
        starts_others: Whether it looks for other programs of the environment, as `mlflow models serve` does.
    """
    program, _, arguments = command.partition(" ")
    own = Path(sys.executable).with_name(program)
    found = shutil.which(program, path=os.environ.get("CALLER_PATH"))
    if not own.is_file() or (found and Path(found).samefile(own)):
        return command
    if starts_others:
        return f'PATH="{own.parent}:$PATH" {command}'
    here = own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own
    return f"{shlex.quote(str(here))} {arguments}"
