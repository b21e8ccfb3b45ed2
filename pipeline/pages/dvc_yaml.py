"""Keeps the code dependencies in dvc.yaml; `alexnet docs` renews them."""

import re
from pathlib import Path

from pipeline.stages.table import STAGES

_CODE_LINE = re.compile(r"^ +- (alexnet_tf|components)/\S+\.py$")
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


def write(root: Path) -> None:
    """Renew dvc.yaml in the folder `root`."""
    dvc_yaml = root / "dvc.yaml"
    dvc_yaml.write_text(refreshed(dvc_yaml.read_text(encoding="utf-8"), root), encoding="utf-8")
