import contextlib
import os
import signal

import click
import pytest
from click.testing import CliRunner

from alexnet_tf.errors import DataError
from pipeline.commands.base import Command
from pipeline.environment import interruption


@pytest.mark.parametrize("note", ["", "the way out"])
def test_a_note_follows_the_sentence_without_its_full_stop(note):
    def fail():
        error = DataError("the data are damaged.")
        if note:
            error.add_note(note)
        raise error

    said = CliRunner().invoke(Command("fail", callback=fail), []).stderr
    assert said == ("error: the data are damaged; the way out\n" if note else "error: the data are damaged.\n")


@pytest.mark.parametrize("options", [[], ["--debug"]])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_decides_the_exit_code_with_debug_as_well(options, number, code):
    command = Command("wait", callback=lambda: os.kill(os.getpid(), number))
    assert CliRunner().invoke(command, options).exit_code == code


@pytest.mark.parametrize(("seconds", "heard"), [(0.0, True), (60.0, False)])
def test_a_second_signal_counts_only_if_the_first_is_long_ago(monkeypatch, seconds, heard):
    """The first may be lost, in a `__del__` for example; `timeout` sends two at once."""
    monkeypatch.setattr(interruption, "_PATIENCE_SECONDS", seconds)

    def lose():
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        click.echo("went on")

    done = CliRunner().invoke(Command("lose", callback=lose), [])
    assert (done.exit_code, done.stdout) == ((143, "") if heard else (0, "went on\n"))
