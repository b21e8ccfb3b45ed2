"""docs/daily.md: its examples run one after the other; and every command of all pages exists with its options."""

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest
from clone import PARAMS, ROOT
from dvc_repository import Repository
from waiting import wait_until

PAGE = (ROOT / "docs/daily.md").read_text()
EXAMPLES = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
NAMED = re.findall(r"`((?:dvc|alexnet|make) [^`]+)`", PAGE)
COMPLETION = [line for line in EXAMPLES if line.startswith("eval ")]
DOCKER = [line for line in EXAMPLES if "docker " in line]
RUN = [line for line in EXAMPLES if line not in COMPLETION + DOCKER]


def commands(block: str) -> Iterator[list[str]]:
    """The words of each command of a block of shell lines, without those of another commit and those in quotes."""
    text = re.sub(r"(^|\s)#( .*)?$", "", block.replace("\\\n", " "), flags=re.MULTILINE)
    words = shlex.shlex(text, posix=True, punctuation_chars=";&|()\n")
    words.whitespace, words.whitespace_split, words.commenters = " \t", True, ""
    command, elsewhere = [], False
    for word in [*words, "\n"]:
        if not set(word) <= set(";&|()\n"):
            command.append(word)
            continue
        if command[:1] == ["do"]:
            del command[0]
        elsewhere |= command[:2] == ["git", "checkout"]
        if command and not elsewhere:
            yield command
        command, elsewhere = [], elsewhere and "\n" not in word


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [block for page in PAGES for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)]
ALL = {shlex.join(words): words for block in [*BLOCKS, *NAMED] for words in commands(block)}
"""Commands of all pages, each once."""


def test_commands_are_found_in_every_form_of_the_pages():
    block = "a b  # c\ngit checkout 1 && x\nfor i in 1; do dvc y -S 'k=[1,\n 2]' \\\n  $i && z; done\n"
    found = [["a", "b"], ["for", "i", "in", "1"], ["dvc", "y", "-S", "k=[1,\n 2]", "$i"], ["z"], ["done"]]
    assert list(commands(block)) == found


@pytest.mark.parametrize("command", [line for line, words in ALL.items() if words[0] == "dvc"])
def test_dvc_knows_a_command_with_its_options(command):
    from dvc.cli.parser import get_main_parser

    words = ALL[command][1:]
    assert get_main_parser().parse_args(words).cmd in words[:2]  # it raises at an option that is unknown


@pytest.mark.parametrize("command", [line for line, words in ALL.items() if words[0] == "alexnet"])
def test_alexnet_knows_a_command_with_its_options(command, monkeypatch):
    import click

    from pipeline.cli import alexnet

    monkeypatch.chdir(ROOT)
    found, words = alexnet, ALL[command][1:]
    while isinstance(found, click.Group) and words[0] != "--help":
        name, *words = words
        found = found.commands[name]
    if words != ["--help"]:
        found.make_context(name, words)


def test_every_key_of_the_page_is_one_of_params_yaml():
    from pipeline.environment.yaml_file import parse, with_overrides

    keys = re.findall(r"-S '?([\w.]+)=", PAGE)
    assert len(keys) > 3
    with_overrides(parse(PARAMS, "params.yaml"), [f"{key}=1" for key in keys])


def test_a_changed_value_has_dvc_write_the_file_anew_with_its_values_and_comments(tmp_path):
    from dvc.utils.hydra import apply_overrides

    from pipeline.environment.yaml_file import parse, read

    assert "values and comments stay, but lists get a line for each entry, and `key: null` becomes `key:`" in PAGE
    before, path = PARAMS, tmp_path / "params.yaml"
    path.write_text(before)
    apply_overrides(path, ["seed=7"])  # as `dvc exp run -S` does
    after = path.read_text()
    assert read(path) == parse(PARAMS, "params.yaml") | {"seed": 7}
    assert [re.findall("#.*", text) for text in (before, after)] == [re.findall("#.*", before)] * 2
    assert "null" not in re.sub("#.*", "", after)
    assert len(after.splitlines()) > len(before.splitlines()) + 20


def test_plots_of_dvc_need_the_network_that_the_page_names():
    from dvc_render.vega import VegaRenderer

    (host,) = set(re.findall(r"https://([\w.]+)/", VegaRenderer.SCRIPTS))
    assert f"scripts from {host}, so it is empty without a network" in PAGE


def test_the_image_takes_the_steps_of_the_makefile(tmp_path):
    """No Docker is needed: what it adds to Python is make, and what it runs are targets."""
    text = (ROOT / "docs/docker/repro.Dockerfile").read_text()
    assert re.findall(r"```dockerfile\n(.*?)```", PAGE, re.DOTALL) == [text]
    steps = dict(re.findall(r"^(FROM|COPY|WORKDIR|CMD) (.*)$", text, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text()
    version = re.fullmatch(r"python:(3\.\d+)-slim", steps["FROM"])[1]
    assert f"python{version} " in re.search(r"foreach name,(.*?),", makefile)[1] + " "
    assert steps["COPY"] == f". {steps['WORKDIR']}"
    installed, made = re.findall(r"^RUN (.*)$", text, re.MULTILINE)
    assert installed.split()[-1] == "make"
    assert [made, steps["CMD"]] == ["make setup", '["make", "repro"]']
    for target, command in (("setup", "alexnet setup"), ("repro", "dvc repro")):
        shown = ["make", "-n", target, f"VENV={tmp_path / 'venv'}"]
        lines = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        (made,) = (number for number, line in enumerate(lines) if line.endswith(f" -m venv {tmp_path / 'venv'}"))
        assert made < lines.index(command)
    assert next(line for line in DOCKER if "build" in line).split()[-2] == "docs/docker/repro.Dockerfile"
    assert f":{steps['WORKDIR']}/reports/report.html" in DOCKER[-1]


def test_the_lines_for_completion_are_taken_by_bash(tmp_path):
    shell = Repository(tmp_path)
    said = shell.run("bash", "--norc", "-ec", "\n".join([*COMPLETION, "complete -p alexnet dvc"])).stdout
    assert [line.split()[-1] for line in said.splitlines()] == ["alexnet", "dvc"]


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(tmp_path):
    """With stub stages and the real `dvc`, from a committed run on, as the page has them."""
    repository = Repository(tmp_path)
    repository.run("dvc", "repro")
    repository.commit()
    params, model = repository.root / "params.yaml", repository.root / "models/optimized/params.json"
    former = params.read_text(), model.read_text()
    said = {}
    assert len(RUN) > 12
    for command in RUN:
        done = repository.run("bash", "-c", command)
        said[command] = done.stdout + done.stderr
        if command == "dvc queue start":
            _wait_for_the_queue(repository)
        if command == "alexnet train optimized -S variants.optimized.training.epochs=2":
            assert RUN[RUN.index(command) + 1] in said[command]
            assert model.read_text() != former[1]
    assert (params.read_text(), model.read_text()) == former
    assert repository.run("git", "status", "--porcelain").stdout == ""
    table = said["dvc exp show --only-changed --hide-workspace"]
    assert re.search(r"longer.* 15 ", table), table
    names = repository.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert sorted(names) == ["epochs-1", "epochs-2", "longer"]
    cached = [path for path in (repository.root / ".dvc/cache/files").rglob("*") if path.is_file()]
    assert model.is_symlink() or any(path.samefile(model) for path in cached)


def _wait_for_the_queue(repository: Repository) -> None:
    def both_ran() -> bool:
        status = repository.run("dvc", "queue", "status").stdout
        assert "Failed" not in status, status
        return status.count("Success") == 2

    wait_until(both_ran, 600, every=2)
