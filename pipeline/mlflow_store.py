"""Writes recorded events into MLflow. It imports MLflow, so only the sending process imports it."""

import contextlib
import fcntl
import getpass
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from pipeline import mlflow_entities as entities
from pipeline.rows import cost_metrics

EXPERIMENT = "alexnet"
_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "One row a variant of each pipeline run; its stages stand below it.",
}
_MAX_METRICS = 1000
_MAX_PARAMS = 100


class MlflowStore:
    """Takes the events of one stage run.

    Args:
        uri: Tracking URI.
        home: Folder of a local store's artifacts and of the lock that keeps two processes from making it at
            once.
    """

    def __init__(self, uri: str, home: Path) -> None:
        self._home = home
        self._stage: dict[str, Any] = {}
        self._rows: list[str] = []
        self._children: list[str] = []
        with self._locked():
            self._client = MlflowClient(uri)
            self._experiment = self._find_experiment(local=uri.startswith("sqlite"))

    def take(self, events: list[dict[str, Any]], folder: Path) -> None:
        """Write events in their order; metrics that follow each other go in one call.

        Args:
            events: Lines of the spool.
            folder: The spool folder, in which the artifacts lie.
        """
        points: list[tuple[bool, Metric]] = []
        for event in events:
            kind = event["event"]
            if kind in ("metrics", "headline"):
                on_row = kind == "headline" or self._stage.get("name", "").startswith("train@")
                found = entities.metrics(event["values"], event["time"], event.get("step", 0))
                points += [(on_row, metric) for metric in found]
                continue
            self._metrics(points)
            points = []
            getattr(self, f"_{kind}")(event, folder)
        self._metrics(points)

    def _start(self, event: dict[str, Any], _folder: Path) -> None:
        self._stage = event["stage"]
        datasets = [entities.dataset_input(entry) for entry in event["datasets"]]
        with self._locked():
            for row in event["rows"]:
                row_id = self._row(row, event["time"])
                self._adopt(row_id, row["before"])
                self._rows.append(row_id)
                self._children.append(self._child(row_id, row, event))
        for run_id in [*self._rows, *self._children] if datasets else []:
            self._client.log_inputs(run_id, datasets=datasets)
        for run_id in self._children[1:]:
            self._client.set_tag(run_id, "artifacts_of", self._children[0])

    def _tags(self, event: dict[str, Any], _folder: Path) -> None:
        for run_id in self._children:
            self._client.log_batch(run_id, tags=entities.tags(event["values"]))

    def _artifact(self, event: dict[str, Any], folder: Path) -> None:
        if self._children:
            self._client.log_artifact(self._children[0], str(folder / event["file"]), event["folder"] or None)

    def _end(self, event: dict[str, Any], _folder: Path) -> None:
        time, status = event["time"], event["status"]
        cost = event["cost"]
        on_row = cost_metrics(self._stage["name"].partition("@")[0], cost) if status == "FINISHED" else {}
        for run_id in self._children:
            self._client.log_batch(run_id, metrics=entities.metrics({f"cost/{k}": v for k, v in cost.items()}, time))
            self._client.set_terminated(run_id, status, time)
        for run_id in self._rows:
            self._client.log_batch(run_id, metrics=entities.metrics(on_row, time))
            self._client.set_terminated(run_id, status, time)

    def _metrics(self, points: list[tuple[bool, Metric]]) -> None:
        for run_ids, wanted in ((self._children, points), (self._rows, [each for each in points if each[0]])):
            for first in range(0, len(wanted), _MAX_METRICS):
                batch = [metric for _, metric in wanted[first : first + _MAX_METRICS]]
                for run_id in run_ids:
                    self._client.log_batch(run_id, metrics=batch)

    def _row(self, row: dict[str, Any], time: int) -> str:
        """Find or make the row of a variant of this pipeline run."""
        if found := self._search(f"tags.`alexnet.row` = '{row['key']}'"):
            return found
        tags = {
            "alexnet.row": row["key"],
            "alexnet.pipeline": row["pipeline"],
            "alexnet.variant": row["variant"],
        }
        return self._make_run(row["variant"], time, tags | row["tags"], row["params"])

    def _child(self, row_id: str, row: dict[str, Any], event: dict[str, Any]) -> str:
        """Find or make the run of the stage below a row; found again only when a spool is sent twice."""
        identity = f"{event['run']}-{row['key'][:8]}"
        if found := self._search(f"tags.`alexnet.run` = '{identity}'"):
            return found
        stage = event["stage"]
        tags = {
            "mlflow.parentRunId": row_id,
            "alexnet.run": identity,
            "alexnet.fingerprint": stage["fingerprint"],
            "alexnet.variant": row["variant"],
        }
        return self._make_run(stage["name"], event["time"], tags | stage["tags"], stage["params"])

    def _adopt(self, row_id: str, before: list[dict[str, Any]]) -> None:
        """Complete a row by the stages before this one: those skipped, and hashes known only now."""
        own = {
            run.data.tags.get("dvc.stage", ""): run
            for run in self._client.search_runs([self._experiment], f"tags.`mlflow.parentRunId` = '{row_id}'")
        }
        known = self._client.get_run(row_id).data.tags
        for earlier in before:
            tag = f"skipped.{earlier['stage'].partition('@')[0]}"
            if run := own.get(earlier["stage"]):
                missing = {name: word for name, word in earlier["outs"].items() if name not in run.data.tags}
                if missing:
                    self._client.log_batch(run.info.run_id, tags=entities.tags(missing))
            elif tag not in known:
                fingerprint = earlier["fingerprint"]
                filters = f"tags.`alexnet.fingerprint` = '{fingerprint}' and attributes.status = 'FINISHED'"
                producer = self._search(filters) or "no run on record"
                self._client.log_batch(row_id, tags=entities.tags({tag: producer} | earlier["outs"]))
                time = self._client.get_run(row_id).info.start_time
                self._client.log_batch(row_id, metrics=entities.metrics(earlier["metrics"], time))

    def _make_run(self, name: str, time: int, tags: Mapping[str, str], params: Mapping[str, str]) -> str:
        about = {"mlflow.source.name": "alexnet", "mlflow.source.type": "LOCAL", "mlflow.user": _user()}
        run = self._client.create_run(
            self._experiment, start_time=time, tags=about | entities.short_tags(tags), run_name=name
        )
        pairs = entities.params(params)
        for first in range(0, len(pairs), _MAX_PARAMS):
            self._client.log_batch(run.info.run_id, params=pairs[first : first + _MAX_PARAMS])
        return run.info.run_id

    def _search(self, filters: str) -> str | None:
        found = self._client.search_runs([self._experiment], filters, max_results=1)
        return found[0].info.run_id if found else None

    def _find_experiment(self, *, local: bool) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        if found := self._client.get_experiment_by_name(name):
            if found.lifecycle_stage == "deleted":
                self._client.restore_experiment(found.experiment_id)
            return found.experiment_id
        # Left open, a local store would put artifacts below whatever folder this process runs in.
        place = (self._home / "mlruns").as_uri() if local else None
        return self._client.create_experiment(name, artifact_location=place, tags=_EXPERIMENT_TAGS)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time make the database, the experiment and rows."""
        path = self._home / ".alexnet" / "tracking.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
