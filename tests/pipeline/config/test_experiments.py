import json
import re
from pathlib import Path

import pytest
import stub_stages
from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.config import experiments, load
from pipeline.environment import git, yaml_file
from tests.commits import commit_all

ROOT = Path(__file__).parents[3]
RUNTIME = (ROOT / "pipeline/config/runtime.yaml").read_text()
OTHER = stub_stages.TEXT.replace("seed: 2012", "seed: 7").replace("EXPERIMENT stub", "EXPERIMENT other")
BARE = OTHER.partition("\nruntime:")[0] + "\n"


@pytest.fixture
def here(workspace, monkeypatch):
    folder = workspace.root / "experiments"
    folder.mkdir()
    (folder / "stub.yaml").write_text(stub_stages.TEXT)
    (folder / "other.yaml").write_text(OTHER)
    (folder / "bare.yaml").write_text(BARE)
    monkeypatch.chdir(workspace.root)
    return workspace.root


def _use(*arguments):
    return CliRunner().invoke(alexnet, ["use", *arguments])


def test_use_writes_the_experiment_and_prints_its_heading(here):
    text = OTHER.replace(
        "# EXPERIMENT other: for tests\n", "# EXPERIMENT other: with seed 7.\n#\n# It costs an hour.\n"
    )
    (here / "experiments/other.yaml").write_text(text)
    result = _use("other")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("EXPERIMENT other: with seed 7.\n\nIt costs an hour.\n")
    assert "seed: 7" not in result.output
    assert (here / "params.yaml").read_text() == text
    assert "already" in _use("other").output


def test_a_dry_run_prints_the_difference_and_writes_nothing(here):
    result = _use("other", "--dry-run")
    assert "-seed: 2012\n" in result.output
    assert "+seed: 7\n" in result.output
    assert (here / "params.yaml").read_text() == stub_stages.TEXT


def test_the_runtime_of_this_machine_stays_where_the_experiment_has_none(here):
    (here / "params.yaml").write_text(stub_stages.TEXT.replace("beam_workers: 0", "beam_workers: 3"))
    assert _use("bare").exit_code == 0
    text = (here / "params.yaml").read_text()
    assert "seed: 7" in text
    assert "runtime:  # of this machine" in text
    assert "beam_workers: 3" in text


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("/mnt/images", "  source_folder: /mnt/images"),
        ("a b's", "  source_folder: 'a b''s'"),
        ("12", "  source_folder: '12'"),
    ],
)
def test_the_source_folder_is_kept_outside_of_what_git_sees(here, folder, line):
    assert _use("other", "--source-folder", folder).exit_code == 0
    assert line in (here / "params.local.yaml").read_text().splitlines()
    assert (here / "params.yaml").read_text() == OTHER
    assert load.load(here).runtime.source_folder == folder
    assert _use("stub", "--source-folder", "elsewhere").exit_code == 0
    assert _use("other").exit_code == 0
    assert load.load(here).runtime.source_folder == "elsewhere"


def test_a_source_folder_is_one_of_the_current_folder(here, monkeypatch):
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    assert _use("other", "--source-folder", "../images").exit_code == 0
    assert load.load(here).runtime.source_folder == "images"
    assert _use("stub", "--source-folder", "images").exit_code == 0
    assert load.load(here).runtime.source_folder == "below/images"


def test_a_project_among_its_own_images_is_refused(here, monkeypatch):
    text = (here / "experiments/other.yaml").read_text()
    (here / "experiments/mine.yaml").write_text(text.replace("source: sample", "source: image_folder"))
    result = _use("mine", "--source-folder", "..")
    assert result.exit_code == 2
    assert "--source-folder ..: expected a folder of images, found one that this project is in" in result.stderr
    assert not (here / "params.local.yaml").exists()


def test_a_dry_run_keeps_no_source_folder(here):
    assert "runtime.source_folder: /mnt/images" in _use("other", "--source-folder", "/mnt/images", "--dry-run").output
    assert not (here / "params.local.yaml").exists()


def test_a_source_folder_in_params_yaml_moves(here):
    """As earlier versions wrote it: it counts as it is, and the next `use` takes it out."""
    before = stub_stages.TEXT.replace("source_folder: data/sources", "source_folder: /home/me/images")
    (here / "params.yaml").write_text(before)
    assert load.load(here).runtime.source_folder == "/home/me/images"
    moved = _use("bare")
    assert moved.exit_code == 0, moved.output
    assert "/home/me" not in (here / "params.yaml").read_text()
    assert load.load(here).runtime.source_folder == "/home/me/images"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("image_folder", "; `alexnet download` says what to put there"),
        ("tfds:mnist", "; `alexnet download` makes it and fetches what it lacks"),
        ("sample", "; this experiment reads no folder"),
    ],
)
def test_a_source_folder_that_is_not_there_is_told(here, source, told):
    (here / "experiments/other.yaml").write_text(OTHER.replace("source: sample", f"source: {source}"))
    (here / "images").mkdir()
    assert "does not exist" not in _use("other", "--source-folder", "images", "--force").output
    used = _use("other", "--source-folder", "imagse", "--force")
    assert used.exit_code == 0
    assert "".join(re.findall("imagse does not exist yet(.*)", used.output)) == told


def test_a_source_folder_of_an_earlier_experiment_is_told(here):
    (here / "experiments/bare.yaml").write_text(BARE.replace("source: sample", "source: tfds:mnist"))
    kept = "runtime.source_folder is still"
    assert kept not in _use("bare").output
    (here / "params.local.yaml").write_text("runtime: {source_folder: /imagenet}\n")
    for arguments in (["--dry-run"], []):
        assert f"{kept} /imagenet; `alexnet use bare --source-folder DIR` changes it" in _use("bare", *arguments).output
    assert kept not in _use("bare", "--source-folder", "/digits").output
    assert kept not in _use("other", "--force").output  # the sample reads none


def test_the_experiments_are_listed_in_lines_or_as_json(here):
    names = experiments.names(here)
    assert [line.partition(": ")[0] for line in _use().output.splitlines()] == [
        f"{name} (active)" if name == "stub" else name for name in names
    ]
    listed = json.loads(_use("--json").output)
    assert [each["name"] for each in listed] == names
    assert [each["name"] for each in listed if each["active"]] == ["stub"]
    (here / "params.yaml").unlink()
    assert not [each for each in json.loads(_use("--json").output) if each["active"]]
    refused = _use("other", "--json")
    assert (refused.exit_code, "leave EXPERIMENT out" in refused.output) == (2, True)


def test_a_source_folder_that_is_a_file_or_has_no_experiment_is_refused(here):
    (here / "images.txt").touch()
    refused = _use("other", "--source-folder", "images.txt")
    assert (refused.exit_code, "expected a folder, found a file" in refused.output) == (2, True)
    alone = _use("--source-folder", ".")
    assert (alone.exit_code, "expected an EXPERIMENT beside it" in alone.output) == (2, True)
    assert not (here / "params.local.yaml").exists()


@pytest.mark.parametrize("local", ["runtime: {bogus: 1}\n", "runtime: {beam_workers: many}\n"])
def test_a_wrong_local_file_stops_before_anything_is_written(here, local):
    (here / "params.local.yaml").write_text(local)
    told = _use("other", "--source-folder", "images")
    assert told.exit_code == 2
    assert "params.local.yaml" in told.output
    assert (here / "params.yaml").read_text() == stub_stages.TEXT
    assert (here / "params.local.yaml").read_text() == local


def test_without_a_params_file_the_runtime_is_that_of_a_new_machine(here):
    (here / "params.yaml").unlink()
    assert _use("bare").exit_code == 0
    assert (here / "params.yaml").read_text() == BARE.rstrip("\n") + "\n\n" + RUNTIME


@pytest.mark.parametrize(
    "broken",
    [b"seed: [2012\n", b"\xff\xfe", b"runtime:\n  beam_workers: many\n", b"runtime: {{\n", b"runtime:\n- a\n"],
)
def test_force_replaces_a_broken_params_file(here, broken):
    (here / "params.yaml").write_bytes(broken)
    refused = _use("bare")
    assert refused.exit_code in (1, 2)
    assert "--force" in refused.stderr
    assert (here / "params.yaml").read_bytes() == broken
    assert _use("bare", "--force").exit_code == 0
    assert (here / "params.yaml").read_text() == BARE.rstrip("\n") + "\n\n" + RUNTIME


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository")
def test_the_runtime_of_a_new_machine_is_the_committed_one():
    committed = git.committed(ROOT, "HEAD", "params.yaml")
    assert yaml_file.parse(RUNTIME, "runtime.yaml")["runtime"] == yaml_file.parse(committed, "params.yaml")["runtime"]


def test_edits_are_not_lost_without_force(here):
    edited = stub_stages.TEXT.replace("epochs: 12", "epochs: 13")
    (here / "params.yaml").write_text(edited)
    result = _use("other")
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert (here / "params.yaml").read_text() == edited
    assert _use("other", "--force").exit_code == 0


def test_committed_edits_may_go(here):
    (here / "params.yaml").write_text(stub_stages.TEXT.replace("epochs: 12", "epochs: 13"))
    commit_all(here)
    assert _use("other").exit_code == 0


def test_an_invalid_experiment_is_not_taken(here):
    (here / "experiments/broken.yaml").write_text(OTHER.replace("seed: 7", "sed: 7"))
    result = _use("broken")
    assert result.exit_code == 2
    assert "experiments/broken.yaml" in result.stderr
    assert (here / "params.yaml").read_text() == stub_stages.TEXT


@pytest.mark.parametrize("broken", ["", "a: [", "- 1"])
def test_a_broken_experiment_keeps_no_other_from_being_used(here, broken):
    (here / "experiments/a_draft.yaml").write_text(broken)  # before the others
    listed = _use()
    assert listed.exit_code == 0, listed.output
    assert f"a_draft: {broken}" in listed.output
    assert _use("other").exit_code == 0  # params.yaml is `stub`, which has no edits to lose
    assert (here / "params.yaml").read_text() == OTHER


def test_without_a_name_the_experiments_are_listed(here):
    lines = _use().output.splitlines()
    assert "stub (active): for tests" in lines
    assert "other: for tests" in lines


def test_files_that_editors_and_other_systems_leave_beside_experiments_are_none(here):
    (here / "experiments/.#other.yaml").symlink_to("somebody@host.1:2")
    (here / "experiments/._other.yaml").write_bytes(b"\x00\x05\x16\x07\xff")
    assert experiments.names(here) == ["bare", "other", "stub"]
    assert _use().exit_code == 0


def test_an_experiment_that_is_no_text_is_one_sentence_and_keeps_no_other_from_its_use(here):
    (here / "experiments/mine.yaml").write_bytes(b"# caf\xe9\n")
    result = _use("mine")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "experiments/mine.yaml: expected UTF-8 text" in result.stderr
    assert _use("other").exit_code == 0


def test_a_source_folder_that_yaml_cannot_hold_is_refused_before_anything_is_written(here):
    result = _use("other", "--source-folder", "/data/caf\udce9")
    assert result.exit_code == 2
    assert "expected UTF-8 text on one line, found '/data/caf\\udce9'; rename the folder" in result.stderr
    assert (here / "params.yaml").read_text() == stub_stages.TEXT


def test_a_first_line_longer_than_a_file_name_names_no_experiment(here):
    assert experiments.named_experiment(here, "# EXPERIMENT " + "x" * 300) is None
