"""Keeps the code dependencies in dvc.yaml, and the dvc.yaml of projects; `alexnet docs` renews both."""

import re
from pathlib import Path

from pipeline.stages.installed_code import CODE_FILE
from pipeline.stages.table import STAGES

_CODE_LINE = re.compile(r"^ +- (alexnet_tf|components)/\S+\.py$")
_PROJECT_HEAD = f"""\
# The pipeline as DVC runs it: `dvc repro`. Made by `alexnet init`; {CODE_FILE} stands for the code of the installed
# alexnet-tf, and `alexnet setup` renews it after an upgrade.
"""
_STAGE_LINE = re.compile(r"^  (\w+):")


def refreshed(text: str, root: Path) -> str:
    """Give each stage's list of code dependencies in `text` (dvc.yaml) what its import closure says.

    Args:
        text: Content of dvc.yaml; of each stage, the code dependencies are together.
        root: Folder of the packages.

    Returns:
        The new content; comments and everything else stay.
    """
    lines: list[str] = []
    stage, written = None, False
    for line in text.splitlines():
        if match := _STAGE_LINE.match(line):
            stage, written = STAGES.get(match[1]), False
        if stage is not None and _CODE_LINE.match(line):
            if not written:
                indent = line[: line.index("-")]
                lines += [f"{indent}- {path}" for path in stage.code(root)]
            written = True
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def for_project(text: str) -> str:
    """Turn the text of a clone's dvc.yaml into that of a project: each stage's Python files become one parameter."""
    lines: list[str] = []
    stage = ""
    for line in text[text.index("stages:\n") :].splitlines():
        stage = match[1] if (match := _STAGE_LINE.match(line)) else stage
        if _CODE_LINE.match(line):
            continue
        if line.strip() == "deps:":
            indent = line[: line.index("d")] + "  "
            lines += [f"{indent}- {CODE_FILE}:", f"{indent}    - {stage}"]
            if stage == "download":  # of nothing but code
                continue
        lines.append(line)
    return _PROJECT_HEAD + "\n" + "\n".join(lines) + "\n"
