"""What the page of a parent run shows first in MLflow: a description, the report, the main figures, the model."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Run

from pipeline.tracking import origins
from pipeline.tracking.mlflow_client import NOTE, Runs

_OURS = "alexnet.note.sha256"


class RunPages:
    """Fills the pages of parent runs.

    Args:
        runs: The experiments that they are in.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def add(self, row_id: str, row: Mapping[str, Any]) -> None:
        """Describe a row, and add the files that its description names."""
        for path, folder in row.get("files", []):
            if Path(path).is_file():
                self._runs.client.log_artifact(row_id, path, folder or None)
        self.describe(row_id)

    def describe(self, row_id: str) -> None:
        """Write the description of a row, unless somebody has edited that."""
        row = self._runs.client.get_run(row_id)
        tags = row.data.tags
        text = origins.description(row.data.metrics, tags, self._versions(row))
        is_ours = NOTE not in tags or _sha256(tags[NOTE]) == tags.get(_OURS)
        if text and is_ours and tags.get(NOTE) != text:
            self._runs.log(row_id, tags={NOTE: text, _OURS: _sha256(text)})

    def _versions(self, row: Run) -> list[tuple[str, str]]:
        """Find the versions in the model registry that were made of a row's export, or of the one that it skipped."""
        own, variant = row.info.run_id, row.data.tags["alexnet.variant"]
        below = self._runs.find_all({"mlflow.parentRunId": own, "dvc.stage": f"export@{variant}"})
        exports = {run.info.run_id for run in below}
        skipped = row.data.tags.get("skipped.export")
        if skipped and self._runs.has(skipped):  # `mlflow gc` may have removed it
            exports |= {skipped, self._runs.client.get_run(skipped).data.tags["mlflow.parentRunId"]}
        if not exports:
            return []
        found = self._runs.client.search_model_versions(f"name = 'alexnet-{variant}'")
        return [(each.name, str(each.version)) for each in found if each.run_id in exports | {own}]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
