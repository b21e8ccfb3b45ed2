"""One name for one thing, one place for each way to reach outside."""

import ast
from collections import defaultdict

PACKAGES = ("alexnet_tf", "components", "pipeline")
OF_EACH_STAGE = {"Inputs", "Outputs", "Params"}


def _trees(root):
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_no_two_classes_share_a_name(root):
    places = defaultdict(list)
    for path, tree in _trees(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not (path.startswith("components/") and node.name in OF_EACH_STAGE):
                places[node.name].append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def _starts(tree):
    """Name the program of each command that is written out as a list, such as `["git", "diff"]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List) and node.elts:
            program = node.elts[0]
            if isinstance(program, ast.Constant):
                yield program.value
            elif ast.unparse(program) == "sys.executable" and ast.unparse(node).find("'-m'") > 0:
                yield "python -m"


def test_git_and_our_own_modules_are_started_in_one_place_each(root):
    found = defaultdict(set)
    for path, tree in _trees(root):
        for program in _starts(tree):
            found[program].add(path)
    assert found["git"] == {"pipeline/environment/git.py"}
    # MLflow's own server is none of our modules; `alexnet` starts over as another tree's, in place of itself.
    ours = {"pipeline/environment/processes.py", "pipeline/tracking/mlflow_server.py", "pipeline/cli.py"}
    assert found["python -m"] == ours
