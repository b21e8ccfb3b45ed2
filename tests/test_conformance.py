"""dvc.yaml, the DAG table, the stages' contracts and params.yaml say the same."""

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest
from dvc.parsing import DataResolver
from dvc.repo import Repo

from alexnet_tf.errors import ConfigError
from components.interfaces import StageParams
from pipeline.config.load import load
from pipeline.environment.yaml_file import parse, read
from pipeline.stages.table import METRICS_FILE, PROFILES_MODULE, STAGES, all_items

ALL = list(STAGES)


@pytest.fixture
def config(sample_project):
    return load(sample_project)


@pytest.fixture
def resolved(sample_project):
    """Address -> stage as DVC resolves dvc.yaml."""
    content = parse((sample_project / "dvc.yaml").read_text(encoding="utf-8"), "dvc.yaml")
    with Repo(str(sample_project), uninitialized=True) as repo:
        return DataResolver(repo, str(sample_project), content).resolve()["stages"]


@pytest.mark.parametrize("name", ALL)
def test_a_stage_keeps_the_contract(name):
    stage = STAGES[name]
    module = stage.component
    assert [field.name for field in dataclasses.fields(module.Inputs)] == list(stage.inputs)
    assert [field.name for field in dataclasses.fields(module.Outputs)] == list(stage.outputs)
    for paths in (module.Inputs, module.Outputs):
        assert paths.__dataclass_params__.frozen
        assert all(field.type in (Path, "Path") for field in dataclasses.fields(paths))
    assert issubclass(module.Params, StageParams)
    assert set(module.Params.model_fields) == set(stage.params)
    assert list(inspect.signature(module.run).parameters) == ["inputs", "outputs", "params", "runtime"]
    for word in ("Writes", "Guarantees", "Fails when"):
        assert word in module.__doc__, f"components/{name}.py says nothing about: {word}"


def test_one_seed_is_for_every_stage_that_draws(sample_project):
    largest = load(sample_project, ["seed=2147483647"])
    assert largest.values["seed"] == 2147483647
    with pytest.raises(ConfigError, match="whole number of at least 0 and at most 2147483647, got 2147483648"):
        load(sample_project, ["seed=2147483648"])


def test_dvc_runs_what_the_table_names(resolved, config):
    assert sorted(resolved) == sorted(item.address for item in all_items(config.values))


def test_commands_paths_and_parameters_agree(resolved, config, root):
    for item in all_items(config.values):
        stage = resolved[item.address]
        data = [path for path in stage.get("deps", []) if not path.endswith(".py")]
        params = set(item.params().values())
        if item.stage.name == "train":
            params.add(f"variants.{item.key}.profile")
        assert stage["cmd"] == f"alexnet {item.command}"
        assert sorted(data) == sorted(item.inputs().values()), item.address
        metrics = {path: flags for each in stage.get("metrics", []) for path, flags in each.items()}
        assert sorted([*stage["outs"], *metrics]) == sorted(item.outputs().values()), item.address
        assert metrics == ({METRICS_FILE: {"cache": False}} if item.stage.name == "compare" else {}), item.address
        assert set(stage["params"]) == params, item.address
        assert stage["desc"], item.address


def test_code_dependencies_are_the_import_closure(resolved, config, root):
    for item in all_items(config.values):
        code = [path for path in resolved[item.address]["deps"] if path.endswith(".py")]
        message = f"{item.address}: run `alexnet docs`"
        assert code == item.stage.code(root), message


def test_the_closure_may_leave_out_package_files(root):
    """They hold a docstring at most; the library's also names for users, and what must come before TensorFlow."""
    for package in ("alexnet_tf", "components"):
        for path in (root / package).rglob("__init__.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            top = path == root / "alexnet_tf/__init__.py"
            ours = [line for line in imports if line.startswith(("from alexnet_tf", "from components"))]
            assert ours == ["from alexnet_tf.devices import onednn as onednn"] * top, path
            assert top or not imports, path


def test_nothing_here_uses_the_names_for_users(root):
    """The closure would miss what is behind them: code here imports modules."""
    from alexnet_tf import _PUBLIC

    for package in ("alexnet_tf", "components", "pipeline", "benchmarks"):
        for path in (root / package).rglob("*.py"):
            if path == root / "alexnet_tf/__init__.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "alexnet_tf":
                    assert not {alias.name for alias in node.names} & _PUBLIC.keys(), path
    assert "alexnet_tf/devices/onednn.py" in STAGES["train"].code(root)


def test_stages_whose_parameters_hold_a_profile_rerun_when_profiles_change(root):
    for name in ("train", "compare"):
        assert PROFILES_MODULE in STAGES[name].code(root)


def test_no_stage_depends_on_the_runtime(resolved):
    for address, stage in resolved.items():
        assert not [key for key in stage.get("params", []) if key.startswith("runtime")], address


def test_the_variants_of_cifar10_jpeg_differ_from_optimized_of_cifar10_in_one_value(root):
    optimized = read(root / "experiments/cifar10.yaml")["variants"]["optimized"]
    variants = read(root / "experiments/cifar10_jpeg.yaml")["variants"]
    assert variants["optimized"] == optimized
    augmentation = variants["jpeg"]["training"]["augmentation"]
    assert augmentation["jpeg_share"] != optimized["training"]["augmentation"]["jpeg_share"]
    augmentation["jpeg_share"] = optimized["training"]["augmentation"]["jpeg_share"]
    assert variants["jpeg"] == optimized


def test_a_source_that_is_none_is_told_with_what_may_stand_there(sample_project):
    with pytest.raises(ConfigError, match=r"download\.source must be .*sample\|image_folder\|.*, got 'smaple'"):
        load(sample_project, ["download.source=smaple"])


@pytest.mark.parametrize(
    ("change", "wanted", "unwanted"),
    [
        ("optimized.network.name=four_layer", "unknown key variants.optimized.network.", "kernel_sizes, "),
        ("faithful.network.weight_stddev=[1]", "must be profile or a list of 8 numbers, got [1]", "list of 5"),
    ],
)
def test_of_several_networks_a_fault_speaks_of_the_one_that_is_named(sample_project, change, wanted, unwanted):
    with pytest.raises(ConfigError) as caught:
        load(sample_project, [f"variants.{change}"])
    assert wanted in str(caught.value)
    assert unwanted not in str(caught.value)


def test_params_yaml_is_an_experiment_card(root):
    assert (root / "params.yaml").read_text(encoding="utf-8").startswith("# EXPERIMENT")
