"""What the documents say is true. That every command of the README runs is in test_end_to_end."""

import importlib
import re
import shlex
import subprocess

import pytest
from clone import PARAMS, README_COMMANDS, ROOT


def test_the_readme_is_short_and_has_commands():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
    assert {"make repro", "make test", "dvc repro", "mlflow ui"} <= set(README_COMMANDS)


def test_every_finding_is_listed_and_names_the_versions_that_it_is_about():
    scripts = {path.name: path.read_text() for path in (ROOT / "findings").glob("*.sh")}
    listed = re.findall(r"^- `(\w+\.sh)`: ", (ROOT / "findings/README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(scripts)
    for name, script in scripts.items():
        assert "==" in script.splitlines()[1], name


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
def test_a_command_of_the_page_on_scale_is_taken_as_it_stands(engine, caplog, sample_project):
    from components.beam.run import _options
    from components.interfaces import BeamRuntime
    from pipeline.cli import alexnet
    from pipeline.config.load import load

    importlib.import_module("apache_beam.runners.dask.dask_runner")  # adds its flags
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)
    (command,) = [block[block.index("alexnet ") :] for block in blocks if f"beam_runner={engine}Runner" in block]
    name, stage, *arguments = shlex.split(command.replace("\\\n", " "))
    context = alexnet.commands[stage].make_context(f"{name} {stage}", arguments)
    assert context.params["entry"] in load(sample_project).values["images"]
    settings = load(sample_project, context.params["overrides"]).runtime
    _options(BeamRuntime(runner=settings.beam_runner, options=settings.beam_options))
    assert "unparseable" not in caplog.text.lower()
    assert settings.beam_runner == f"{engine}Runner"
    assert len(settings.beam_options) == {"Dask": 1, "Portable": 3, "Flink": 7, "Spark": 5, "Dataflow": 10}[engine]


def test_the_page_on_scale_shows_the_image_whole():
    shown = re.findall(r"```dockerfile\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)
    assert shown == [(ROOT / "docs/docker/Dockerfile").read_text()]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/reproducing.md", "docs/scale.md", "docs/sources.md"])
def test_every_file_that_a_page_names_is_there(page):
    packages = "tests|components|alexnet_tf|pipeline|docs|benchmarks|findings"
    named = re.findall(rf"`((?:{packages})/[\w/.]+)`", (ROOT / page).read_text())
    assert len(named) >= 3
    assert [name for name in named if not (ROOT / name).exists()] == []


def anchors(page):
    """The names by which links reach its headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_lead_somewhere():
    found = 0
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for name, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
            target = page.parent / name if name else page
            assert target.exists(), f"{page.name}: {name}"
            assert not anchor or anchor in anchors(target), f"{page.name}: {name}#{anchor}"
            found += bool(anchor)
    assert found > 10


def test_every_experiment_is_valid(root):
    from pipeline.config.load import check
    from pipeline.config.local_params import defaults
    from pipeline.environment.yaml_file import read

    for path in sorted((root / "experiments").glob("*.yaml")):
        assert path.read_text().startswith(f"# EXPERIMENT {path.stem}: ")
        check({**read(path), "runtime": defaults()}, name=path.name)


def test_the_sample_is_the_active_experiment_of_a_clone(root):
    from pipeline.environment.git import is_committed
    from pipeline.environment.yaml_file import parse, read

    if not is_committed(root, "params.yaml"):
        pytest.skip("params.yaml is not as it was committed, as after `alexnet use cifar10`")
    assert read(root / "params.yaml") == parse(PARAMS, "the sample")


def test_plain_make_lists_every_target():
    command = ["make", "--no-print-directory"]  # a make within make names its folder
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[:2] for line in listed.splitlines()] == [["make", target] for target in targets]
    assert {"help", "repro", "test", "ui"} <= set(targets)
