"""What the documents say is true: every command of the README runs, every page is what its command prints."""

import importlib
import os
import re
import shlex
import signal
import subprocess
import time
import urllib.request

import pytest
from clone import ROOT, Clone

COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for line in block.splitlines()
]
DRY = {"make repro": "make -n repro", "make test": "make -n test", "source .venv/bin/activate": "true"}
"""`make` would build an environment here; that it does is CI's own first step. test_end_to_end runs what it calls."""
END_TO_END = {"alexnet report"}
"""Needs the whole pipeline, so test_end_to_end runs it."""
SERVERS = {"mlflow ui": ["--port", "{port}"], "alexnet ui": ["--port", "{port}"]}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    made = Clone(tmp_path_factory.mktemp("docs"))
    made.run("dvc", "repro", "validate", "train@optimized")
    return made


def test_the_readme_is_short_and_has_commands():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
    assert {"make repro", "make test", "dvc repro", "mlflow ui"} <= set(COMMANDS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in {*SERVERS, *END_TO_END}])
def test_a_readme_command_runs(clone, command):
    if command == "dvc repro" or command.startswith("dvc exp run"):
        command += " download"  # test_end_to_end runs them whole
    command = DRY.get(command, command)
    if command.startswith("alexnet use"):
        command += " --dry-run --force"
    clone.run("bash", "-c", command)


@pytest.mark.parametrize("command", sorted(SERVERS))
def test_a_readme_server_answers_on_loopback(clone, command, free_port):
    arguments = [part.format(port=free_port) for part in SERVERS[command]]
    server = subprocess.Popen(
        [*command.split(), *arguments], cwd=clone.root, env=clone.environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(360):
            time.sleep(0.5)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/health", timeout=5) as answer:
                    assert answer.status == 200
                    return
            except OSError:
                assert server.poll() is None, "the server ended"
        raise AssertionError("no answer within three minutes")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def test_the_page_on_scale_shows_the_job_scripts_whole():
    shown = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)
    scripts = sorted((ROOT / "docs/slurm").iterdir())
    assert [script.name for script in scripts] == ["driver.sbatch", "workers.sbatch"]
    for script in scripts:
        assert script.read_text() in shown, f"docs/scale.md shows {script.name} otherwise"


def test_every_beam_flag_of_the_page_on_scale_is_one_that_beam_knows(caplog):
    from apache_beam.options.pipeline_options import PipelineOptions

    importlib.import_module("apache_beam.runners.dask.dask_runner")  # adds its flags
    page = (ROOT / "docs/scale.md").read_text()
    listed = " ".join(re.findall(r"beam_options[:=] ?\[(.*?)\]", page, re.DOTALL))
    flags = re.findall(r"--\w+(?:=[^\s\"',]+)?", listed)
    assert {"--flink_submit_uber_jar", "--dask_scheduler_file=.alexnet/scheduler.json"} <= set(flags)
    PipelineOptions(flags).get_all_options()
    assert "unparseable" not in caplog.text.lower()


@pytest.mark.parametrize("engine", ["Dask", "Portable", "Flink", "Spark", "Dataflow"])
def test_a_command_of_the_page_on_scale_is_taken_as_it_stands(engine, caplog):
    from components.beam.run import _options
    from components.interfaces import BeamRuntime
    from pipeline.cli import alexnet
    from pipeline.config.load import load

    importlib.import_module("apache_beam.runners.dask.dask_runner")  # adds its flags
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)
    (command,) = [block[block.index("alexnet ") :] for block in blocks if f"beam_runner={engine}Runner" in block]
    name, stage, *arguments = shlex.split(command.replace("\\\n", " "))
    context = alexnet.commands[stage].make_context(f"{name} {stage}", arguments)
    assert context.params["entry"] in load(ROOT / "params.yaml").values["images"]
    settings = load(ROOT / "params.yaml", context.params["overrides"]).runtime
    _options(BeamRuntime(runner=settings.beam_runner, options=settings.beam_options))
    assert "unparseable" not in caplog.text.lower()
    assert settings.beam_runner == f"{engine}Runner"
    assert len(settings.beam_options) == {"Dask": 1, "Portable": 3, "Flink": 7, "Spark": 5, "Dataflow": 10}[engine]


def test_the_page_on_scale_shows_the_image_whole():
    shown = re.findall(r"```dockerfile\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)
    assert shown == [(ROOT / "docs/docker/Dockerfile").read_text()]


def test_every_file_that_the_page_on_scale_names_is_there():
    named = re.findall(r"`((?:tests|components|docs|benchmarks)/[\w/.]+)`", (ROOT / "docs/scale.md").read_text())
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_experiment_is_valid_and_the_sample_is_the_active_one(root):
    from pipeline.config.load import check
    from pipeline.environment.yaml_file import read

    active = read(root / "params.yaml")
    for path in sorted((root / "experiments").glob("*.yaml")):
        assert path.read_text().startswith(f"# EXPERIMENT {path.stem}: ")
        check({**read(path), "runtime": active["runtime"]}, name=path.name)
    assert read(root / "experiments/sample.yaml") == {k: v for k, v in active.items() if k != "runtime"}


def test_plain_make_lists_every_target():
    command = ["make", "--no-print-directory"]  # a make within make names its folder
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[:2] for line in listed.splitlines()] == [["make", target] for target in targets]
    assert {"help", "repro", "test", "ui"} <= set(targets)
