"""The runs of this project's experiment in MLflow. It imports MLflow, so stages never import it."""

import contextlib
import fcntl
import getpass
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Run, ViewType
from mlflow.tracking import MlflowClient

from pipeline.tracking import mlflow_entities as entities
from pipeline.tracking.mlflow_view import SAVED_VIEWS
from pipeline.tracking.relocation import ARTIFACTS

_EXPERIMENT = "alexnet"
_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.experiment.primaryMetric.name": "test/ten_crop/top1_error",
    "mlflow.experiment.primaryMetric.greaterIsBetter": "false",
    "mlflow.note.content": (
        "*Model training* (top left), then *Runs*, then the saved view *Faithful against optimized*; "
        "`alexnet ui` opens it at once.\n\n"
        "Each variant of each pipeline run is a parent run; the runs of its stages are its children. The tag "
        "`skipped.STAGE` names the run that made the outputs of a skipped stage."
    ),
}
_MAX_METRICS = 1000
_MAX_PARAMS = 100


class Runs:
    """Finds, makes and fills runs.

    Args:
        uri: Tracking URI.
        home: Folder of a local store's artifacts and of the lock that keeps two processes from making it at once.
    """

    def __init__(self, uri: str, home: Path) -> None:
        self._home = home
        with self.locked():
            self.client = MlflowClient(uri)
            self.experiment = self._find_experiment(local=uri.startswith("sqlite"))
            self.clone = self._find_clone()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time make the database, the experiment and rows."""
        path = self._home / ".alexnet" / "tracking.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def find(self, **tags: str) -> Run | None:
        """Find the newest run that carries all `tags`; `__` in a name is a dot."""
        found = self.search(" and ".join(f"tags.`{name.replace('__', '.')}` = '{word}'" for name, word in tags.items()))
        return found[0] if found else None

    def search(self, filters: str, limit: int = 1000) -> list[Run]:
        """List runs, the newest first."""
        return list(
            self.client.search_runs(
                [self.experiment], filters, ViewType.ACTIVE_ONLY, limit, order_by=["attributes.start_time DESC"]
            )
        )

    def make(self, name: str, time: int, tags: Mapping[str, str], params: Mapping[str, str]) -> str:
        """Make a run and return its id."""
        about = {"mlflow.source.name": "alexnet", "mlflow.source.type": "LOCAL", "mlflow.user": _user()}
        named = about | entities.short_tags(tags)
        run = self.client.create_run(self.experiment, start_time=time, tags=named, run_name=name)
        self.log_params(run.info.run_id, params)
        return run.info.run_id

    def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Log parameters, as many at a time as MLflow takes."""
        pairs = entities.params(params)
        for first in range(0, len(pairs), _MAX_PARAMS):
            self.client.log_batch(run_id, params=pairs[first : first + _MAX_PARAMS])

    def complete_params(self, run: Run, params: Mapping[str, str]) -> None:
        """Give a run that was found the parameters that a connection cut short did not let it have."""
        if len(run.data.params) < len(params):
            self.log_params(run.info.run_id, params)

    def log_metrics(self, run_id: str, points: list[Metric]) -> None:
        """Log metrics, as many at a time as MLflow takes."""
        for first in range(0, len(points), _MAX_METRICS):
            self.client.log_batch(run_id, metrics=points[first : first + _MAX_METRICS])

    def tag(self, run_id: str, values: Mapping[str, str]) -> None:
        """Set tags of a run."""
        if values:
            self.client.log_batch(run_id, tags=entities.tags(values))

    def history(self, run: Run) -> list[Metric]:
        """Read every point of every metric of a run."""
        return [
            Metric(point.key, point.value, point.timestamp, point.step)
            for name in run.data.metrics
            for point in self.client.get_metric_history(run.info.run_id, name)
        ]

    def _find_clone(self) -> str:
        """Read the name of this clone, which lies where its checkpoints do: what one can resume, it can continue."""
        path = self._home / ".alexnet" / "clone"
        if not path.exists():
            path.write_text(uuid.uuid4().hex[:16], encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def _find_experiment(self, *, local: bool) -> str:
        name = experiment_name()
        tags: dict[str, Any] = _EXPERIMENT_TAGS | SAVED_VIEWS
        if found := self.client.get_experiment_by_name(name):
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            for key, word in tags.items():
                if found.tags.get(key) != word:
                    self.client.set_experiment_tag(found.experiment_id, key, word)
            return found.experiment_id
        # Left open, a local store would put artifacts below whatever folder this process runs in.
        place = (self._home / ARTIFACTS).as_uri() if local else None
        return self.client.create_experiment(name, artifact_location=place, tags=tags)


def experiment_name() -> str:
    """The experiment that runs go to."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
