"""Which of this repository's Python files a module needs: its imports followed, nothing run."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = ("alexnet_tf", "components")


def code_closure(root: Path, starts: Iterable[str]) -> list[str]:
    """Follow the imports of `starts` through this repository's packages, also those inside functions.

    A package's `__init__.py` is left out: it holds a docstring and imports nothing that changes what a stage
    reads; what it imports before TensorFlow, `train` imports too.

    Args:
        root: Folder that holds the packages.
        starts: Python files, relative to `root`.

    Returns:
        Files relative to `root`, sorted, `starts` included. A file that is not there is listed and not
        followed.
    """
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        source = root / path
        if source.is_file():
            waiting.extend(_imported_files(root, ast.parse(source.read_text(encoding="utf-8")), path))
    return sorted(found)


def _imported_files(root: Path, tree: ast.Module, path: str) -> Iterator[str]:
    package = path.rsplit("/", 1)[0].replace("/", ".")
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] + [module]
        for name in names:
            if name.split(".")[0] in PACKAGES:
                file = name.replace(".", "/") + ".py"
                if (root / file).is_file():
                    yield file
