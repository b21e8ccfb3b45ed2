import os
import re
import signal
import subprocess
import sys

import psutil
import pytest
import stub_stages
from click.testing import CliRunner
from waiting import wait_until

from pipeline.cli import alexnet

HEAVY = ("tensorflow", "keras", "mlflow", "apache_beam", "matplotlib", "pandas", "dvc")


def test_help_is_quick_and_imports_nothing_heavy(root):
    code = f"""
import sys, time
sys.path.insert(0, {str(root)!r})
started = time.process_time()
from pipeline.cli import alexnet
try:
    alexnet(["--help"])
except SystemExit:
    pass
print("seconds", time.process_time() - started)
print("heavy", [name for name in {HEAVY!r} if name in sys.modules])
"""
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(text.split("seconds ")[1].split()[0]) < 0.5
    assert "heavy []" in text


def test_checking_the_parameters_imports_nothing_heavy(root):
    code = f"""
import sys
sys.path.insert(0, {str(root)!r})
from pathlib import Path
from pipeline.config.load import load
load(Path({str(root)!r}))
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def _commands():
    for name, command in alexnet.commands.items():
        yield name
        yield from (f"{name} {below}" for below in getattr(command, "commands", ()))


@pytest.mark.parametrize("name", list(_commands()))
def test_every_command_has_help_with_an_example(name):
    result = CliRunner().invoke(alexnet, [*name.split(), "--help"])
    assert result.exit_code == 0
    examples = result.output.partition("  Example:\n")[2].partition("\n\n")[0].splitlines()
    assert any(line.startswith(f"    alexnet {name}") for line in examples)
    assert [line for line in examples if not line.startswith("    ") or line[4] == " "] == []  # all in one column
    assert "--debug" in result.output or "COMMAND" in result.output


JSON = {"use", "params", "summary", "report", "predict", "verify", "doctor", "results figure1"} | {
    f"track {name}" for name in ("sync", "relocate", "rebuild", "keep", "import")
}
CHANGES = {"download", "validate", "preprocess", "statistics", "train", "evaluate", "compare", "export"} | {
    "convert",
    "params",
    "summary",
}


@pytest.mark.parametrize(("option", "having"), [("--json", JSON), ("-S", CHANGES)])
def test_commands_that_tell_have_json_and_those_that_read_params_yaml_have_its_changes(option, having):
    def found(group, above=""):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from found(command, f"{name} ")
            elif any(option in parameter.opts for parameter in command.params):
                yield above + name

    assert set(found(alexnet)) == having


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["trian", "faithful"], ["No such command 'trian'", "Did you mean"]),
        (["train"], ["Missing argument 'VARIANT'"]),
        (["train", "faithfull"], ["faithfull", "did you mean faithful?"]),
        (["train", "faithful", "-S", "sed=1"], ["did you mean seed?"]),
        (["params", "-S", "variants.faithful.training.epochs=x"], ["a whole number", "'x'"]),
        (["convert", "nowhere", "squares"], ["nowhere: expected a folder of images, found none"]),
        (["promote", "optimised"], ["did you mean optimized?"]),
        (["verify", "--tolerance", "-1"], ["--tolerance", "-1"]),
        (["track", "import", "nowhere"], ["nowhere", "does not exist"]),
        (["ui", "--port", "70000"], ["--port", "70000"]),
        (["summary", "fatihful"], ["did you mean faithful?"]),
        (["use", "smaple"], ["no experiment 'smaple'"]),
        (["train", "--nonsense"], ["No such option"]),
        (["verify", ""], ["an argument is empty"]),
        (["predict", "--pretrained", "", "photo.jpg"], ["an argument is empty"]),
        (["predict", "--pretrained=", "photo.jpg"], ["an argument is empty"]),
    ],
)
def test_wrong_usage_is_one_sentence_and_exits_with_2(workspace, monkeypatch, arguments, parts):
    monkeypatch.chdir(workspace.root)
    (workspace.root / "experiments").mkdir()
    result = CliRunner().invoke(alexnet, arguments)
    assert result.exit_code == 2, result.output
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.output
    assert not (workspace.root / "data").exists()


def test_a_failure_exits_with_1_and_debug_shows_where(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    result = CliRunner().invoke(alexnet, ["validate"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: validate: data/dataset is missing")
    assert CliRunner().invoke(alexnet, ["validate", "--debug"]).exc_info[0].__name__ == "AlexNetError"


def test_outside_a_repository_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (["download"], ["params"], ["use", "sample"], ["doctor"], ["report"], ["setup"], ["ui"]):
        result = CliRunner().invoke(alexnet, arguments)
        assert result.exit_code == 1
        assert "dvc.yaml with stages of alexnet; change into a clone or a project" in result.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    (workspace.root / "data").write_text("in the way of a folder")
    result = CliRunner().invoke(alexnet, ["download"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: download:")


def test_a_stage_by_hand_runs_the_code_of_the_tree_it_is_called_in(repository, root, tmp_path):
    """With another tree's `pipeline` installed, as in a queued experiment, the current tree's code runs."""
    folder = stub_stages.make_repository(tmp_path / "copy")
    done = _alexnet(folder, "download", path=str(root), MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert (folder / "data/dataset/params.json").is_file()  # only the stubs write this
    assert "dvc commit download" in done.stderr
    assert "stub: 2/2 epochs" in done.stderr


def test_a_tree_whose_code_is_a_link_runs_it(repository, tmp_path):
    """As in the scratch folders of `--kill-test`, which are kept where bytes differ."""
    for name in ("params.yaml", "dvc.yaml", "pipeline", "components", "alexnet_tf"):
        (tmp_path / name).symlink_to(repository / name)
    done = _alexnet(tmp_path, "params", path=str(repository))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_stage_says_so_and_leaves_nothing(tmp_path, number, code):
    folder = stub_stages.make_repository(tmp_path / "copy")
    (folder / "components/download.py").write_text(
        "import pathlib, stub_stages, sys, time\n"
        "stub = stub_stages.modules()['components.download']\n"
        "def run(inputs, outputs, params, runtime):\n"
        "    outputs.dataset.mkdir()\n"
        "    pathlib.Path('started').touch()\n"
        "    time.sleep(30)\n"
        "stub.run = run\n"
        "sys.modules[__name__] = stub\n"
    )
    with _start(folder, "download", MLFLOW_TRACKING_URI="http://127.0.0.1:9") as process:
        try:
            wait_until((folder / "started").exists, 120)
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == code
    assert "download: interrupted; no partial output is kept" in errors
    assert "Traceback" not in errors
    assert list((folder / "data").iterdir()) == []


def _start(folder, *arguments, path=None, **environment):
    command = [sys.executable, "-m", "pipeline", *arguments]
    if path:
        command = [sys.executable, "-c", "from pipeline.cli import main; main()", *arguments]
    search = path or str(folder)
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": search} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _alexnet(folder, *arguments, **settings):
    process = _start(folder, *arguments, **settings)
    output, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm")])
def test_colours_can_be_turned_off_on_a_terminal(root, variable, value):
    import pty

    main, terminal = pty.openpty()
    environment = {name: word for name, word in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    environment |= {"TERM": "xterm", variable: value}
    command = [sys.executable, "-m", "pipeline", "predict", "--pretrained", "nothing", "photo.jpg"]
    with subprocess.Popen(command, cwd=root, env=environment, stdout=terminal, stderr=terminal, stdin=terminal) as done:
        done.wait(60)
        os.close(terminal)
        shown = os.read(main, 10_000)
    os.close(main)
    assert b"--pretrained nothing" in shown
    assert (b"\x1b[" in shown) == (value == "xterm")


def test_without_standard_streams_a_stage_runs_and_its_children_write_into_no_file_of_ours(tmp_path):
    folder = stub_stages.make_repository(tmp_path / "copy")
    command = f"{sys.executable} -m pipeline download <&- >&- 2>&-"
    variables = {"PYTHONPATH": str(folder), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=os.environ | variables, check=False, timeout=60)
    assert done.returncode == 0
    assert (folder / "data/dataset/params.json").is_file()


def test_a_folder_that_was_removed_is_one_sentence_and_its_way_out_works(repository, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    alexnet_help = f"{sys.executable} -m pipeline --help"
    script = f'rmdir {here}; {alexnet_help}; echo "code $?"; mkdir {here}; cd "$PWD"; {alexnet_help}; echo "code $?"'
    variables = {"PYTHONPATH": str(repository)}
    done = subprocess.run(
        ["sh", "-c", script], cwd=here, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[0] == "code 1"
    assert done.stdout.splitlines()[-1] == "code 0"
    assert re.fullmatch(r"error: the current folder was removed; .*\n", done.stderr), done.stderr


def test_what_standard_output_cannot_hold_is_written_as_escapes(repository, tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {download: {cmd: alexnet download}}\n")
    (tmp_path / "experiments/own.yaml").write_text("# EXPERIMENT own: α\n", encoding="utf-8")
    done = _alexnet(tmp_path, "use", path=str(repository), PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout) == (0, "own: \\u03b1\n"), done.stderr


ODD_PATHS = [
    ["init", "new", "--source-folder", "{odd}"],
    ["init", "{odd}"],
    ["use", "bare", "--source-folder", "{odd}"],
    ["convert", ".", "{odd}/squares"],
    ["convert", "{odd}", "squares"],
    ["predict", "{odd}", "--pretrained", "cifar10"],
    ["predict", "dvc.yaml", "--pretrained", "cifar10", "--sheet", "{odd}/sheet.png"],
    ["results", "figure1", "bare", "--plot", "{odd}/figure.png"],
]


@pytest.mark.parametrize(
    ("arguments", "odd"),
    [
        *((arguments, "loop") for arguments in ODD_PATHS),
        *((arguments, "~no-such-user/photos") for arguments in ODD_PATHS if arguments != ["init", "{odd}"]),  # a name
    ],
)
def test_a_link_to_itself_and_the_home_of_nobody_are_one_sentence(workspace, monkeypatch, tmp_path, arguments, odd):
    folder = tmp_path / "elsewhere" if arguments[0] == "init" else workspace.root
    (folder / "experiments").mkdir(parents=True)
    (folder / "experiments/bare.yaml").write_text(stub_stages.TEXT)
    (folder / "loop").symlink_to(folder / "loop")
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(alexnet, [each.format(odd=odd) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert odd in result.stderr, result.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_command_that_is_ended_clears_away_what_it_has_begun(tmp_path, root, number, code):
    (tmp_path / "command.py").write_text(
        "import click, pathlib, subprocess, sys\n"
        "from pipeline.commands.base import Command\n"
        "@click.command('wait', cls=Command)\n"
        "def command():\n"
        "    try:\n"
        "        subprocess.run(['sh', '-c', 'echo $$ > child.tmp; mv child.tmp child; exec sleep 60'])\n"
        "    finally:\n"
        "        pathlib.Path('cleared').touch()\n"
        "command()\n"
    )
    with subprocess.Popen(
        [sys.executable, "command.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until((tmp_path / "child").exists)
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, errors) == (code, "error: command.py: interrupted\n")
    assert (tmp_path / "cleared").exists()
    child = int((tmp_path / "child").read_text() or 0)
    assert child
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
