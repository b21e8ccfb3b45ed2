"""What the page of a parent run shows first in MLflow: a description, the report, the main figures, the model."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Run

from pipeline.tracking import origins
from pipeline.tracking.mlflow_client import Runs

_NOTE = "mlflow.note.content"
_OURS = "alexnet.note.sha256"


class RunPages:
    """Fills the pages of parent runs.

    Args:
        runs: The experiments that they are in.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def add(self, row_id: str, row: Mapping[str, Any]) -> None:
        """Name and describe a row, and add the files that its description names."""
        for path, folder in row.get("files", []):
            if Path(path).is_file():
                self._runs.client.log_artifact(row_id, path, folder or None)
        found = self._runs.client.get_run(row_id)
        new = {name: row["tags"][name] for name in origins.TAGS if name in row["tags"].keys() - found.data.tags.keys()}
        if new:  # an earlier version made it
            self._rename(found, new)
        self._describe(found, new)

    def describe(self, row_id: str) -> None:
        """Write the description of a row."""
        self._describe(self._runs.client.get_run(row_id), {})

    def _rename(self, row: Run, new: Mapping[str, str]) -> None:
        """Name a row by what differs, as that is known now, unless somebody has named it."""
        tags, params = row.data.tags, row.data.params
        variant, name = tags["alexnet.variant"], row.info.run_name
        if name in (origins.earlier_name(variant, params), origins.row_name(variant, tags, params)):
            self._runs.client.update_run(row.info.run_id, name=origins.row_name(variant, {**tags, **new}, params))

    def _describe(self, row: Run, new: dict[str, str]) -> None:
        """Log new tags of a row, and with them its description, unless somebody has edited that."""
        tags = {**row.data.tags, **new}
        text = origins.description(row.data.metrics, tags, self._versions(row))
        is_ours = _NOTE not in tags or _sha256(tags[_NOTE]) == tags.get(_OURS)
        if text and is_ours and tags.get(_NOTE) != text:
            new = new | {_NOTE: text, _OURS: _sha256(text)}
        self._runs.log(row.info.run_id, tags=new)

    def _versions(self, row: Run) -> list[tuple[str, str]]:
        """Find the versions in the model registry that were made of a row's export, or of the one that it skipped."""
        own, variant = row.info.run_id, row.data.tags["alexnet.variant"]
        below = self._runs.find_all({"mlflow.parentRunId": own, "dvc.stage": f"export@{variant}"})
        exports = {run.info.run_id for run in below}
        if skipped := row.data.tags.get("skipped.export"):
            exports |= {skipped, self._runs.client.get_run(skipped).data.tags["mlflow.parentRunId"]}
        if not exports:
            return []
        found = self._runs.client.search_model_versions(f"name = 'alexnet-{variant}'")
        return [(each.name, str(each.version)) for each in found if each.run_id in exports | {own}]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
