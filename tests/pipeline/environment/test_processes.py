import os
import subprocess
import sys

import psutil
import pytest

from pipeline.environment import processes
from pipeline.environment.workspace import code_folder

SHOWN = "import os, sys; print(sys.argv[1:], *(os.environ.get(name) for name in ('ONE', 'TWO', 'PYTHONPATH')), sep='|')"


@pytest.fixture
def shows(tmp_path, monkeypatch):
    """A module that prints its arguments and its environment, on the path of this process."""
    (tmp_path / "shows.py").write_text(SHOWN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("ONE", "1")
    monkeypatch.setenv("TWO", "2")
    return tmp_path


def test_a_module_runs_with_this_code_before_any_other(shows):
    done = processes.run_module("shows", shows, 3, capture_output=True)
    path = os.pathsep.join([str(code_folder()), str(shows)])
    assert done.stdout.strip() == f"['{shows}', '3']|1|2|{path}"


def test_variables_are_set_and_taken_out(shows):
    done = processes.run_module("shows", variables={"ONE": None, "TWO": "3"}, capture_output=True)
    assert done.stdout.startswith("[]|None|3|")
    assert os.environ["ONE"] == "1"


def test_a_module_is_started_beside_this_process(shows):
    with processes.start_module("shows", "word", stdout=subprocess.PIPE) as started:
        assert started.stdout.read().startswith(b"['word']|1|2|")


def test_a_process_is_known_by_its_number_and_its_start():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        first = {"writer": processes.writer(child.pid)}
        number, started = first["writer"]
        assert processes.writer_is_alive(first)
        assert not processes.is_alive(number, started + 1)
        child.stdin.close()
    assert not processes.writer_is_alive(first)
    assert not processes.writer_is_alive({})


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the start is known by the clock alone")
def test_a_process_is_there_still_when_the_clock_was_set(monkeypatch):
    me = processes.writer(os.getpid())
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: 1e9)
    assert processes.writer_is_alive({"writer": me})
    number, started = processes.pipeline_process()
    assert processes.is_alive(number, started)


@pytest.mark.parametrize(
    ("line", "is_dvc"),
    [
        ("/env/bin/dvc repro", True),
        ("/env/bin/python3.13 /env/bin/dvc repro", True),
        ("/env/bin/python -P -m dvc repro", True),
        ("python -m dvc exp queue-worker", True),
        ("/Frameworks/Python.app/Contents/MacOS/Python /env/bin/dvc repro", True),
        ("pypy3 -W ignore -X dev /env/bin/dvc repro", True),
        ("make dvc", False),
        ("screen -S dvc", False),
        ("python train.py dvc", False),
        ("python -m pytest dvc", False),
        ("", False),
    ],
)
def test_a_command_line_is_that_of_dvc_by_what_it_runs(line, is_dvc):
    assert processes._is_dvc(line.split()) == is_dvc


def test_a_package_of_the_user_s_folder_is_not_taken_for_ours(tmp_path):
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").write_text("raise SystemExit('of the user')")
    done = processes.run_module("pipeline.tracking.flush", tmp_path, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_an_experiment_that_is_run_again_under_its_name_is_another_pipeline_run(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "wide")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123")
    keys = []
    for parent in ((7, 1.0, []), (7, 1.0, []), (8, 2.0, []), None):
        monkeypatch.setattr(processes, "dvc_process", lambda parent=parent: parent)
        processes.pipeline_key.cache_clear()
        keys.append(processes.pipeline_key())
    monkeypatch.setenv("DVC_EXP_NAME", "deep")
    processes.pipeline_key.cache_clear()
    keys.append(processes.pipeline_key())
    processes.pipeline_key.cache_clear()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
