"""What a TensorFlow whose import writes to descriptor 2, as C++ code does, leaves on the screen."""

import os
import signal
import subprocess
import sys

import pytest
import stub_stages

NOISE = "import ctypes, os\nctypes.CDLL(None).write(2, b'I0000 port.cc: noise\\n', 21)\nimport sys\n"
NOISE += "print('a warning of Python', file=sys.stderr)\n"
IMPORT = "from pipeline.environment.lean_imports import lean_imports\nlean_imports()\nimport os, sys\n"
IMPORT += "os.write(2, b'before\\n')\nimport tensorflow\nassert tensorflow.__file__\nos.write(2, b'after\\n')\n"
UNUSED = "try:\n    import pandas, sklearn\nexcept ImportError:\n    pandas = None\nassert pandas is None\n"


def run(folder, root, module, code=IMPORT):
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow/__init__.py").write_text(NOISE + module)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(root)])}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_what_an_import_writes_is_dropped(tmp_path, root):
    done = run(tmp_path, root, "")
    assert (done.returncode, done.stderr) == (0, "before\nafter\n")


def test_an_import_that_fails_shows_all_that_it_wrote(tmp_path, root):
    done = run(tmp_path, root, "raise ImportError('no such symbol')")
    before, _, after = done.stderr.partition("I0000 port.cc: noise\na warning of Python\n")
    assert before == "before\n"
    assert "Traceback" in after
    assert "no such symbol" in after
    assert done.returncode == 1


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 4)"])
def test_an_import_that_ends_the_process_shows_all_that_it_wrote(tmp_path, root, end):
    done = run(tmp_path, root, f"sys.stderr.flush()\n{end}")
    assert done.returncode in (-signal.SIGABRT, -signal.SIGKILL, -signal.SIGILL)
    assert done.stderr == "before\nI0000 port.cc: noise\na warning of Python\n"


def test_what_only_keras_would_use_is_not_imported_with_it_and_is_there_afterwards(tmp_path, root):
    for name in ("pandas", "sklearn", "matplotlib"):
        (tmp_path / f"{name}.py").write_text("")
    before = "import matplotlib\nloaded = matplotlib\n"
    after = "import pandas, sklearn, matplotlib\nassert matplotlib is loaded\nassert pandas and sklearn\n"
    done = run(tmp_path, root, UNUSED + "import matplotlib\n", before + IMPORT + after)
    assert (done.returncode, done.stderr) == (0, "before\nafter\n")


def test_beam_is_imported_without_pandas(tmp_path, root):
    for name, content in (("pandas.py", ""), ("apache_beam.py", NOISE + UNUSED)):
        (tmp_path / name).write_text(content)
    code = IMPORT.replace("tensorflow", "apache_beam") + "import pandas\nassert pandas\n"
    done = run(tmp_path, root, "", code)
    assert (done.returncode, done.stderr) == (0, "before\nafter\n")


COLLECTOR = "import gc\nassert not gc.isenabled()\n"
FROZEN = "import gc\nfrozen = gc.get_freeze_count()\n"


def test_an_import_and_those_inside_it_run_without_the_garbage_collector(tmp_path, root):
    (tmp_path / "keras.py").write_text(COLLECTOR)
    after = "assert gc.isenabled()\nassert gc.get_freeze_count() > frozen + 1000\n"
    done = run(tmp_path, root, f"import keras\n{COLLECTOR}", FROZEN + IMPORT + after)
    assert (done.returncode, done.stderr) == (0, "before\nafter\n")


def test_a_collector_that_was_off_stays_off(tmp_path, root):
    after = "assert not gc.isenabled()\nassert gc.get_freeze_count() == frozen\n"
    done = run(tmp_path, root, COLLECTOR, FROZEN + "gc.disable()\n" + IMPORT + after)
    assert (done.returncode, done.stderr) == (0, "before\nafter\n")


def test_an_import_that_fails_turns_the_collector_on_again(tmp_path, root):
    code = IMPORT.replace("import tensorflow\n", "try:\n    import tensorflow\nexcept ImportError:\n    import gc\n")
    done = run(tmp_path, root, "raise ImportError", code.partition("assert")[0] + "assert gc.isenabled()\n")
    assert done.returncode == 0, done.stderr


def test_ctrl_c_during_the_import_shows_nothing_of_it(tmp_path, root):
    done = run(tmp_path, root, "raise KeyboardInterrupt")
    assert "noise" not in done.stderr
    assert "KeyboardInterrupt" in done.stderr


def test_a_stage_drops_it_and_debug_shows_it(tmp_path):
    folder = stub_stages.make_repository(tmp_path / "repository")
    path = folder / "components/download.py"
    path.write_text(
        "import stub_stages, sys\nstub = stub_stages.modules()['components.download']\n"
        "def run(*arguments):\n    import tensorflow\n    return stub_stages.run(*arguments)\n"
        "stub.run = run\nsys.modules[__name__] = stub\n"
    )
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow/__init__.py").write_text(NOISE)
    environment = os.environ | {"PYTHONPATH": str(folder), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    told = [
        subprocess.run(
            [sys.executable, "-m", "pipeline", "download", *debug],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True,
        ).stderr
        for debug in ([], ["--debug"])
    ]  # fmt: skip
    assert [text.count("noise") for text in told] == [0, 1]
    for text in told:
        assert "download: stub wrote dataset" in text
