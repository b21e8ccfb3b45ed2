import hashlib

import pytest

from pipeline.config.load import load
from pipeline.environment.yaml_file import read
from pipeline.stages.dvc_lock import Lock, dvc_md5, parse_lock, read_lock


@pytest.fixture
def train(workspace):
    """The stage train@faithful, the parameters as they are written, and a lock of it as DVC would write it."""
    config = load(workspace.root)
    item = config.item("train", "faithful")
    code = workspace.root / "components/train.py"
    for path in item.outputs().values():
        (workspace.root / path).mkdir(parents=True)
        (workspace.root / path / "file").write_text(path)
    outs = [{"path": path, "md5": dvc_md5(workspace.root / path), "size": 1} for path in item.outputs().values()]
    deps = [{"path": "components/train.py", "md5": hashlib.md5(code.read_bytes()).hexdigest()}]
    written = read(workspace.root / "params.yaml")
    params = {"seed": written["seed"], "variants.faithful": written["variants"]["faithful"]}
    return item, written, {"outs": outs, "deps": deps, "params": {"params.yaml": params}}


def test_a_stage_is_current_until_parameters_or_outputs_change(workspace, train):
    item, written, entry = train
    lock = Lock({"stages": {item.address: entry}})
    assert lock.is_current(workspace.root, item, written)
    assert not lock.is_current(workspace.root, item, written | {"seed": written["seed"] + 1})
    output = workspace.root / next(iter(item.outputs().values())) / "file"
    output.write_text("changed")
    assert not lock.is_current(workspace.root, item, written)


def test_changed_code_is_noticed(workspace, train):
    item, written, entry = train
    code = workspace.root / "components/train.py"
    code.write_text(code.read_text() + "# changed\n")
    assert not Lock({"stages": {item.address: entry}}).is_current(workspace.root, item, written)


@pytest.mark.parametrize(
    ("stage", "key", "inputs"),
    [
        ("validate", "", ["schemas"]),
        ("export", "optimized", ["results/champions"]),
        ("compare", "", ["reports/train", "reports/evaluate"]),
    ],
)
def test_a_changed_folder_that_is_no_single_output_is_noticed(workspace, stage, key, inputs):
    item = load(workspace.root).item(stage, key)
    for path in inputs:
        (workspace.root / path / "faithful").mkdir(parents=True, exist_ok=True)
        (workspace.root / path / "faithful" / "file").write_text("as it was locked")
    deps = [{"path": path, "md5": dvc_md5(workspace.root / path)} for path in inputs]
    lock = Lock({"stages": {item.address: {"deps": deps, "params": {}}}})
    assert lock.is_current(workspace.root, item, {})
    for path in inputs:
        (workspace.root / path / "faithful" / "file").write_text("of another run")
        assert not lock.is_current(workspace.root, item, {})
        (workspace.root / path / "faithful" / "file").write_text("as it was locked")


def test_a_parameter_that_is_gone_is_another_one(train):
    item, written, entry = train
    assert Lock({"stages": {item.address: entry}}).has_params(item, written)
    entry["params"]["params.yaml"]["variants.faithful.no.such.key"] = 1
    assert not Lock({"stages": {item.address: entry}}).has_params(item, written)
    assert not Lock({}).has_params(item, written)


def test_no_lock_and_half_of_one_have_no_stages(tmp_path):
    assert read_lock(tmp_path).hashes == {}
    (tmp_path / "dvc.lock").write_text("stages: {")
    assert read_lock(tmp_path).hashes == {}


def test_outputs_have_their_hashes(train):
    item, _, _ = train
    lock = parse_lock(f"stages: {{{item.address}: {{outs: [{{path: a, md5: '1'}}, {{path: b}}]}}}}")
    assert lock.outputs(item) == lock.hashes == {"a": "1"}


@pytest.mark.parametrize(
    ("files", "consistent"), [(6, True), (9, True), (12, True), (15, True), (7, False), (3, False)]
)
def test_entries_of_variants_that_are_no_more_do_not_make_a_lock_inconsistent(files, consistent):
    """The folder holds what former variants left there, or some of it, or no longer."""
    variants = ("faithful", "optimized", "former", "older", "oldest")
    outs = {name: [{"path": f"reports/train/{name}", "md5": name, "size": 30, "nfiles": 3}] for name in variants}
    stages = {f"train@{name}": {"outs": each} for name, each in outs.items()}
    dep = {"path": "reports/train", "md5": "any", "size": 10 * files, "nfiles": files}
    lock = Lock({"stages": {**stages, "compare": {"deps": [dep]}}})
    there = ["train@faithful", "train@optimized", "compare"]
    assert lock.is_consistent("compare", there) == consistent
