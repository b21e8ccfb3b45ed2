"""Parent runs in MLflow: found, made, continued after an interruption, and ended with a status.

A parent run is open until all stages of its variant are up to date. A pipeline run with the same params.yaml and the
same code in the same clone continues an open parent run, unless the process that works on it is still alive.
"""

import socket
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Run

from pipeline.environment.processes import is_alive
from pipeline.tracking import mlflow_entities as entities
from pipeline.tracking import origins
from pipeline.tracking.mlflow_client import Runs

_NEEDED_METRICS = {"train/kept_epoch", "test/center/top1_error", "test/ten_crop/top1_error"}
_MAX_KEYS = 100  # of 33 characters each, in a tag of 5,000


class ParentRuns:
    """Finds, makes, continues and ends rows; `Runs.locked` has to be held where one may be made.

    Args:
        runs: The experiments that they are in, one for each data set.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def of_run(self, row: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
        """Find, continue or make the row of a variant of a pipeline run.

        Args:
            row: Its description.
            event: The event that brings it.

        Returns:
            MLflow's id, or None where the pipeline run is over and its continuation works on a row of its own already.
        """
        if found := self._of_key(row["key"]):
            self._runs.complete_params(found, row["params"])
            return found.info.run_id
        started = self._open(row, event)
        if started is None or (_is_live(started) and event["event"] == "start"):
            return self._make(row, event)
        if _is_live(started):
            return None
        keys = [*_keys(started)[1 - _MAX_KEYS :], row["key"]]
        self._runs.log(started.info.run_id, tags=_own_tags(row, event) | {"alexnet.row": " ".join(keys)})
        self._runs.client.update_run(started.info.run_id, status="RUNNING")
        return started.info.run_id

    def is_latest(self, run_id: str, key: str) -> bool:
        """Whether no other pipeline run has continued a row since the one that has `key`."""
        return _keys(self._runs.client.get_run(run_id))[-1] == key

    def of_state(self, row: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
        """Find or make the row of a state that no pipeline run has just made; None while one works on it."""
        found = self._runs.find({"alexnet.state": row["state"], "alexnet.variant": row["variant"]})
        found = found or self._of_key(row["key"]) or self._open(row, event)
        if found is None:
            return self._make(row, event)
        return None if _is_live(found) else found.info.run_id

    def end(self, run_id: str, otherwise: str, time: int) -> None:
        """End a row as FINISHED where it has its headline metrics, else with another of MLflow's words."""
        run = self._runs.client.get_run(run_id)
        status = "FINISHED" if run.data.metrics.keys() >= _NEEDED_METRICS else otherwise
        self._runs.client.set_terminated(run_id, status, time)

    def end_state(self, run_id: str, time: int) -> None:
        """End the row of a state where it is complete, or nobody works on it any more."""
        run = self._runs.client.get_run(run_id)
        if run.info.status == "RUNNING" or _is_complete(run):
            self.end(run_id, "KILLED" if "alexnet.process" in run.data.tags else "SCHEDULED", time)

    def end_run(self, pipeline: str, otherwise: str, time: int) -> None:
        """End the rows of a pipeline run that is over; those of a stage that failed or was killed say so already."""
        rows = self._runs.find_all({"alexnet.pipeline": pipeline})
        if any(row.info.status == "FAILED" for row in rows):
            otherwise = "FAILED"
        for row in rows:
            if row.info.status == "RUNNING" or _is_complete(row):
                self.end(row.info.run_id, otherwise, time)

    def _of_key(self, key: str) -> Run | None:
        found = self._runs.search(f"tags.`alexnet.row` LIKE '%{key}%'", limit=1)
        return found[0] if found else None

    def _open(self, row: Mapping[str, Any], event: Mapping[str, Any]) -> Run | None:
        if not (identity := self._identity(event)):
            return None
        found = self._runs.find_all({"alexnet.identity": identity, "alexnet.variant": row["variant"]})
        return next((run for run in found if not _is_complete(run)), None)

    def _identity(self, event: Mapping[str, Any]) -> str:
        """What a pipeline run and its continuation have in common; "" for results of other clones."""
        return f"{event['identity']} {self._runs.clone}" if "identity" in event else ""

    def _make(self, row: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        tags = {"alexnet.row": row["key"], "alexnet.variant": row["variant"]}
        if identity := self._identity(event):
            tags["alexnet.identity"] = identity
        began = event["time"] - (0 if row["pipeline"] else entities.took(row["standing"]))
        own = tags | _own_tags(row, event)
        imported = " (imported)" if "alexnet.result" in row.get("state_tags", {}) else ""
        name = origins.row_name(row["variant"], own, row["params"]) + imported
        return self._runs.make(self._runs.experiment(own[origins.DATA_SET]), name, began, own, row["params"])


def _own_tags(row: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, str]:
    """Tags that tell which pipeline run works on a row."""
    process = {"alexnet.process": " ".join(map(str, event["process"]))} if "process" in event else {}
    data_set = origins.data_set(row["params"], row["tags"].get(origins.EXPERIMENT, ""))
    return {"alexnet.pipeline": row["pipeline"], **process, **row["tags"], origins.DATA_SET: data_set}


def _keys(run: Run) -> list[str]:
    return run.data.tags["alexnet.row"].split()


def _is_complete(run: Run) -> bool:
    return run.data.tags.get("alexnet.complete") == "true"


def _is_live(run: Run) -> bool:
    """Whether the process is there that works on a row; one of another machine is held to be gone."""
    process, started, host = run.data.tags.get("alexnet.process", "0 0.0 -").split()
    return host == socket.gethostname() and is_alive(int(process), float(started))
