"""params.local.yaml: what it may hold, what it gives way to, and who finds it."""

import pytest
from click.testing import CliRunner

from alexnet_tf.errors import ConfigError
from pipeline.cli import alexnet
from pipeline.config.load import load
from pipeline.config.local_params import LOCAL_FILE, LocalParamsError, defaults, read_local, write_source_folder


@pytest.mark.parametrize(
    ("local", "tracked", "overrides", "expected"),
    [
        ("", "data/sources", [], "data/sources"),
        ("runtime: {source_folder: /mine}", "data/sources", [], "/mine"),
        ("runtime: {source_folder: null}", "data/sources", [], None),
        ("runtime: {source_folder: /mine}", "/theirs", [], "/theirs"),  # as after `dvc exp run -S`
        ("runtime: {source_folder: /mine}", "data/sources", ["runtime.source_folder=/now"], "/now"),
        ("runtime: {source_folder: /mine}", "data/sources", ["runtime.source_folder=data/sources"], "data/sources"),
        ("runtime: {beam_workers: 3}", "data/sources", [], "data/sources"),
    ],
)
def test_the_nearest_value_counts(workspace, local, tracked, overrides, expected):
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("source_folder: data/sources", f"source_folder: {tracked}"))
    (workspace.root / LOCAL_FILE).write_text(local)
    config = load(path.parent, overrides)
    assert config.runtime.source_folder == expected
    assert config.runtime.beam_workers == (3 if "workers" in local else 0)


@pytest.mark.parametrize(
    ("local", "told"),
    [
        ("seed: 7\n", "expected only the section `runtime` with its keys, found seed"),
        ("runtime: {}\nseed: 7\n", "found runtime, seed; put what changes a result into params.yaml"),
        ("runtime: /mine\n", "with its keys"),
        ("- a\n", "expected only the section `runtime`"),
        ("runtime: {source_foldr: /mine}\n", "unknown key runtime.source_foldr; .* did you mean source_folder"),
        ("runtime: {beam_workers: many}\n", "runtime.beam_workers must be a whole number of at least 0, got 'many'"),
        ("runtime: {source_folder: 2020-01-01}\n", "runtime.source_folder is 2020-01-01; .* so quote it"),
        ("runtime: {devices: &a [*a]}\n", "runtime.devices is nested too deeply, or contains itself"),
        ("runtime: {\n", "line 2, column 1: .*correct the YAML there"),
        (b"\xff\xfe", "cannot be read .not UTF-8 text.; correct or remove it"),
    ],
)
def test_what_does_not_belong_there_is_one_sentence(workspace, monkeypatch, local, told):
    (workspace.root / LOCAL_FILE).write_bytes(local if isinstance(local, bytes) else local.encode())
    with pytest.raises(LocalParamsError, match=told) as caught:
        load(workspace.root)
    assert str(caught.value).startswith(LOCAL_FILE)
    monkeypatch.chdir(workspace.root)
    result = CliRunner().invoke(alexnet, ["params"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_queued_experiment_reads_that_of_its_checkout(workspace, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        (copy / name).write_bytes((workspace.root / name).read_bytes())
    write_source_folder(workspace.root, "/mine")
    assert load(copy).runtime.source_folder == "data/sources"
    monkeypatch.setenv("DVC_ROOT", str(workspace.root))
    assert load(copy).runtime.source_folder == "/mine"


def test_what_else_the_file_has_stays(tmp_path):
    (tmp_path / LOCAL_FILE).write_text("# mine\nruntime:\n  beam_workers: 3  # quiet\n")
    for folder in ("/one", "/two"):
        write_source_folder(tmp_path, folder)
        assert (tmp_path / LOCAL_FILE).read_text() == (
            f"# mine\nruntime:\n  source_folder: {folder}\n  beam_workers: 3  # quiet\n"
        )


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        (" /C#/x", ""),
        (" '/C# x/it''s'  # mine", "  # mine"),
        (' "/a \\" # b"', ""),
        (" /a b # mine", " # mine"),
        (" # none yet", " # none yet"),
        (" ", ""),
        ("", ""),
    ],
)
def test_a_folder_takes_the_place_of_another_whatever_that_was_called(tmp_path, line, rest):
    (tmp_path / LOCAL_FILE).write_text(f"runtime:\n  source_folder:{line}\n")
    write_source_folder(tmp_path, "/new")
    assert (tmp_path / LOCAL_FILE).read_text() == f"runtime:\n  source_folder: /new{rest}\n"
    assert read_local(tmp_path)["source_folder"] == "/new"


@pytest.mark.parametrize("keys", ["    beam_workers: 3\n", "    source_folder: /old\n    beam_workers: 3\n"])
def test_keys_may_have_any_indent(tmp_path, keys):
    (tmp_path / LOCAL_FILE).write_text(f"runtime:  # mine\n\n{keys}")
    write_source_folder(tmp_path, "/new")
    assert read_local(tmp_path) == {"beam_workers": 3, "source_folder": "/new"}
    assert (tmp_path / LOCAL_FILE).read_text().startswith("runtime:  # mine\n")


@pytest.mark.parametrize("text", ["runtime: {beam_workers: 3}\n", "runtime: null\n", "{runtime: {beam_workers: 3}}\n"])
def test_a_file_that_is_written_otherwise_is_left_as_it_is(tmp_path, text):
    (tmp_path / LOCAL_FILE).write_text(text)
    with pytest.raises(ConfigError, match="one key a line; write it so, or remove the file"):
        write_source_folder(tmp_path, "/new")
    assert (tmp_path / LOCAL_FILE).read_text() == text


def test_params_names_the_file_that_a_value_comes_from(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    write_source_folder(workspace.root, "/mine")
    lines = CliRunner().invoke(alexnet, ["params"]).output.splitlines()
    assert f"runtime.source_folder: /mine  # {LOCAL_FILE}" in lines
    assert [line for line in lines if LOCAL_FILE in line] == [f"runtime.source_folder: /mine  # {LOCAL_FILE}"]


def test_git_and_dvc_do_not_see_it(root):
    for name in (".gitignore", ".dvcignore"):
        assert LOCAL_FILE in (root / name).read_text().replace("/", "").splitlines()


def test_the_defaults_are_those_of_the_schema():
    from pipeline.config.schema import RuntimeParams

    assert set(defaults()) == set(RuntimeParams.model_fields)


@pytest.mark.parametrize("left", ["# my notes\n", "# my notes\nruntime:\n"])
def test_a_file_without_keys_is_none_and_keeps_its_comments(workspace, left):
    path = workspace.root / LOCAL_FILE
    path.write_text(left)
    assert load(workspace.root).runtime.source_folder == "data/sources"
    write_source_folder(workspace.root, "/mine")
    assert path.read_text().startswith("# my notes\n")
    assert load(workspace.root).runtime.source_folder == "/mine"
