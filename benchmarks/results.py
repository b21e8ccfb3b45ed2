"""The results of benchmarks: benchmarks/results/NAME.csv, and measurements in a process of their own.

    python -m benchmarks.results MODULE FUNCTION ARGUMENTS

calls a function with a JSON list of arguments and prints what it returns, as JSON (`in_own_process`).
"""

import csv
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet_tf.errors import AlexNetError
from alexnet_tf.whole_file import write_whole
from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / "results"
Row = dict[str, str]


def load(name: str) -> tuple[list[str], list[Row]]:
    """Return the comment lines and the rows of benchmarks/results/NAME.csv; none where there is no such file."""
    path = FOLDER / f"{name}.csv"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    comments = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return comments, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def write(name: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows to benchmarks/results/NAME.csv, whole or not at all, and return the text.

    Machine and versions are comments at its head, unless each row has a column `machine`.
    """
    text = io.StringIO()
    if "machine" not in rows[0]:
        text.writelines(f"# {line}\n" for line in describe())
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    FOLDER.mkdir(exist_ok=True)
    write_whole(FOLDER / f"{name}.csv", text.getvalue().encode())
    return text.getvalue()


def in_own_process(module: str, function: str, *arguments: object) -> Any:
    """Call a function in a new process, whose memory, caches and cores are its own, and return what it returns.

    Args:
        module: Of the function.
        function: Its name.
        arguments: As JSON has them; a path arrives as a word.

    Raises:
        AlexNetError: The process failed.
    """
    command = [sys.executable, "-m", "benchmarks.results", module, function, json.dumps(arguments, default=str)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise AlexNetError(f"{module}.{function}({command[-1]}) failed with exit code {done.returncode}: see above")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(*json.loads(sys.argv[3]))))
