"""Advice on what to type works where the environment is not activated, under make too."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.environment.typed import typed

BIN = Path(sys.executable).parent


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("CALLER_PATH", raising=False)


def test_an_activated_environment_needs_no_path(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin")
    assert typed("alexnet ui") == "alexnet ui"


def test_without_it_the_whole_path_is_named(elsewhere):
    assert typed("alexnet ui") == f"{BIN}/alexnet ui"


def test_a_path_with_a_space_is_quoted(elsewhere, tmp_path, monkeypatch):
    own = tmp_path / "my environment/bin/python"
    own.parent.mkdir(parents=True)
    own.with_name("alexnet").touch()
    monkeypatch.setattr(sys, "executable", str(own))
    assert typed("alexnet ui") == "'my environment/bin/alexnet' ui"
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert typed("alexnet ui") == f"'{own.parent}/alexnet' ui"


def test_a_command_that_starts_others_gets_the_path_itself(elsewhere, monkeypatch):
    command = "mlflow models serve -m models:/alexnet-optimized@challenger"
    assert typed(command, starts_others=True) == f'PATH="{BIN}:$PATH" {command}'
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin")
    assert typed(command, starts_others=True) == command


def test_under_make_the_path_of_its_caller_counts(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin")
    monkeypatch.setenv("CALLER_PATH", "/usr/bin")
    assert typed("alexnet ui") == f"{BIN}/alexnet ui"


def test_a_path_below_the_current_folder_is_short(elsewhere, monkeypatch):
    monkeypatch.chdir(BIN.parent)
    assert typed("alexnet ui") == "bin/alexnet ui"


def test_another_program_of_that_name_is_not_ours(elsewhere, tmp_path, monkeypatch):
    (tmp_path / "alexnet").write_text("#!/bin/sh\n")
    (tmp_path / "alexnet").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    assert typed("alexnet ui") == f"{BIN}/alexnet ui"


def test_a_program_that_the_environment_lacks_is_named_as_it_is(elsewhere):
    assert typed("nothing-like-it at all") == "nothing-like-it at all"


def test_make_names_the_way_out_of_an_environment_that_moved(tmp_path, root):
    shutil.copy(root / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/.ready").touch()
    script = tmp_path / ".venv/bin/alexnet"

    def told(*targets):
        done = subprocess.run(["make", "-n", *targets], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    script.write_text("#!/former/folder/.venv/bin/python\n")
    code, words = told("report")
    assert code
    assert "`rm -r .venv`" in words
    assert told("help") == (0, "")
    script.write_text(f"#!{tmp_path}/.venv/bin/python\n")
    assert "rm -r" not in told("report")[1]
