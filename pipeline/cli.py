"""The command line `alexnet`."""

import io
import os
import sys
from pathlib import Path

import click

from pipeline.commands import (
    convert,
    docs,
    doctor,
    init,
    params,
    predict,
    promote,
    report,
    results,
    setup,
    stages,
    summary,
    track,
    ui,
    use,
    verify,
)  # fmt: skip
from pipeline.commands.base import example
from pipeline.environment.workspace import is_root

_STDERR = 2
_HELP = f"""AlexNet (2012) as a pipeline: one command per stage, and commands to inspect and compare.

`dvc repro` runs all stages that are out of date. Each stage can also be run by hand.

{example("alexnet doctor", "dvc repro", "alexnet report")}"""


class Group(click.Group):
    """A group that lists its commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in pipeline order."""
        return list(self.commands)


@click.group(cls=Group, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alexnet-tf")
def alexnet() -> None:
    """Hold the commands together."""


for _command in (
    *stages.commands,
    init.command,
    use.command,
    convert.command,
    params.command,
    summary.command,
    report.command,
    predict.command,
    promote.command,
    ui.command,
    track.command,
    verify.command,
    results.command,
    docs.command,
    doctor.command,
    setup.command,
):
    alexnet.add_command(_command)


def main() -> None:
    """Run `alexnet`, with the code of the repository that it is called in."""
    _open_standard_streams()
    _use_code_of_this_tree()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    alexnet(prog_name="alexnet", color=False if plain else None)


def _open_standard_streams() -> None:
    """Open what `>&-` or a service left closed, so that no file of ours becomes the standard output of a child.

    Names that are not UTF-8, and characters that the locale lacks, are written as escapes.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in ((1, "stdout"), (_STDERR, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _use_code_of_this_tree() -> None:
    """Start over with the current tree's own `pipeline`, where the installed one is that of another tree.

    A queued DVC experiment runs in a copy of the repository; it must run the copy's code, which may differ.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:
        sys.exit('error: the current folder was removed; change into another, or by `cd "$PWD"` into its successor')
    for folder in (here, *here.parents):
        if is_root(folder) and (folder / "pipeline/cli.py").is_file():
            if not (folder / "pipeline/cli.py").samefile(__file__):
                from pipeline.environment.processes import search_path

                os.environ["PYTHONPATH"] = search_path(folder)
                os.execv(sys.executable, [sys.executable, "-P", "-m", "pipeline", *sys.argv[1:]])
            return
