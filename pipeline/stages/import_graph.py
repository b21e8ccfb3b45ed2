"""Which of this repository's Python files a module needs: its imports followed, nothing run."""

import ast
import functools
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
            waiting.extend(
                file for file in _imports(source, path, source.stat().st_mtime_ns) if (root / file).is_file()
            )
    return sorted(found)


@functools.lru_cache(maxsize=512)  # a run asks for the code of each stage that it depends on
def _imports(source: Path, path: str, _modified: int) -> tuple[str, ...]:
    return tuple(_possible_files(ast.parse(source.read_text(encoding="utf-8")), path))


def _possible_files(tree: ast.Module, path: str) -> Iterator[str]:
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
                yield name.replace(".", "/") + ".py"
