"""What all commands share: the form of errors, and common options."""

import re
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from alexnet_tf.errors import AlexNetError, ConfigError
from pipeline.commands import completion
from pipeline.environment.interruption import Interrupted, as_ctrl_c
from pipeline.environment.lean_imports import lean_imports

overrides = click.option(
    "-S",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=completion.overrides,
    help="Use VALUE for a key of params.yaml, for example -S seed=7. Can be repeated.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Command(click.Command):
    """A command whose errors are one sentence; with `--debug` they come with a traceback, and TensorFlow's log shows.

    Exit codes: 0 done, 1 failed, 2 wrong usage or parameters, 130 interrupted by Ctrl-C, 143 by SIGTERM, 129
    by a closed terminal.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        about = "Show tracebacks and TensorFlow's log."
        self.params.append(click.Option(["--debug"], is_flag=True, help=about))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an empty argument, which an unset variable of a shell leaves and which would pass for none."""
        if any(re.fullmatch(r"(--[\w-]+=)?", each) for each in args) and not ctx.resilient_parsing:
            raise click.UsageError("an argument is empty, expected a value; fill it in or leave it out", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and say what went wrong."""
        debug = ctx.params.pop("debug", False)
        with as_ctrl_c() as heard:
            if debug:
                try:
                    return super().invoke(ctx)
                except KeyboardInterrupt:
                    ctx.exit(_interrupted(heard))
            lean_imports()
            return _guarded(lambda: super(Command, self).invoke(ctx), ctx, heard)


def _guarded(action: Callable[[], Any], ctx: click.Context, heard: Sequence[int]) -> Any:
    try:
        return action()
    except KeyboardInterrupt:
        message, code = f"{ctx.info_name}: interrupted", _interrupted(heard)
    except BrokenPipeError:
        raise
    except OSError as error:
        from pipeline.environment.os_errors import os_error_sentence

        message, code = str(os_error_sentence(error, ctx.info_name or "alexnet", Path.cwd())), 1
    except Interrupted as error:
        message, code = str(error), error.exit_code
    except AlexNetError as error:
        notes = getattr(error, "__notes__", ())
        message = "; ".join([str(error).removesuffix(".") if notes else str(error), *notes])
        code = 2 if isinstance(error, ConfigError) else 1
    say(message, error=True)
    ctx.exit(code)


def _interrupted(heard: Sequence[int]) -> int:
    """Return the exit code of a command that a signal ended, as shells have it."""
    return 128 + (heard[0] if heard else signal.SIGINT)


def say(message: str, *, error: bool = False) -> None:
    """Print a line for a person to standard error, so that standard output stays for results.

    Where a terminal or a pipe is gone, nobody can be told, and that changes no exit code.
    """
    prefix = click.style("error: ", fg="red", bold=True) if error else ""
    with suppress(OSError):
        click.echo(prefix + message, err=True)


def example(*lines: str) -> str:
    """Write the examples at the end of a command's help, one a line."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)
