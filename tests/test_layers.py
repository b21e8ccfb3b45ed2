import ast
import subprocess
import sys
import tomllib

from pipeline.stages.table import STAGES

PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
RUN_WHAT_THEY_READ = {"eval", "exec", "load_model", "load_weights"}
SAVED_MODELS = {"alexnet_tf/export/standalone.py", "pipeline/tracking/served_model.py"}
"""They load what this project's own export wrote: one in a process of its own, one where MLflow serves it."""


def test_imports_point_one_way(root):
    """pipeline -> components -> alexnet_tf, never back; the contracts are in pyproject.toml."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
    ]
    done = subprocess.run([*command, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_stage_is_missing_from_the_contract_that_keeps_stages_apart(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [apart] = [each["modules"] for each in contracts if each["type"] == "independence"]
    assert apart == [f"components.{name}" for name in STAGES]


def _ways_to_run_code(tree):
    """Name each place of a module that reads a file in a way that may run what is in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in names if name.partition(".")[0] in PICKLES)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in RUN_WHAT_THEY_READ or called.endswith("saved_model.load"):
                yield called
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else "unknown"
                safe = {"allow_pickle": (False,), "safe_mode": (True,), "typ": ("safe", "rt")}.get(keyword.arg or "")
                if safe and value not in safe:
                    yield f"{called}({keyword.arg}={value})"


def test_nothing_is_read_in_a_way_that_runs_code_from_it(root):
    """Models, checkpoints, bits and parameters are numbers and words; NumPy and ruamel.yaml are told so."""
    for package in ("alexnet_tf", "components", "pipeline"):
        for path in (root / package).rglob("*.py"):
            name = path.relative_to(root).as_posix()
            found = list(_ways_to_run_code(ast.parse(path.read_text(encoding="utf-8"))))
            assert found == (["tf.saved_model.load"] if name in SAVED_MODELS else []), name


def test_a_way_that_runs_code_is_found_out():
    for line in (
        "import pickle",
        "from joblib import load",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "keras.saving.load_model(path)",
        "YAML(typ='unsafe')",
        "exec(path.read_text())",
        "tf.saved_model.load(path)",
    ):
        assert len(list(_ways_to_run_code(ast.parse(line)))) == 1, line
