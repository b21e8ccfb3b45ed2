"""The runs of this project's experiments in MLflow, one for each data set; it imports MLflow, so stages never do."""

import functools
import getpass
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

from pipeline.environment.lock import locked
from pipeline.environment.workspace import scratch_of
from pipeline.tracking import mlflow_entities as entities
from pipeline.tracking.mlflow_view import NAME, SAVED_VIEWS, view_path
from pipeline.tracking.relocation import ARTIFACTS
from pipeline.tracking.tracking_uri import experiment_name

_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.experiment.primaryMetric.name": "test/ten_crop/top1_error",
    "mlflow.experiment.primaryMetric.greaterIsBetter": "false",
}
_TAGS: dict[str, Any] = _EXPERIMENT_TAGS | SAVED_VIEWS
NOTE = "mlflow.note.content"
_MAX_ENTITIES = 1000
_MAX_PARAMS = 100
_MAX_TAGS = 100
_MAX_ROWS = 10_000


class Runs:
    """Finds, makes and fills runs.

    Args:
        uri: Tracking URI.
        home: Folder of a local store's artifacts and of the lock that keeps two processes from making it at once.
    """

    def __init__(self, uri: str, home: Path) -> None:
        self._home = home
        self._place = (home / ARTIFACTS).as_uri() if uri.startswith("sqlite") else None
        with self.locked():
            self.client = MlflowClient(uri)
            self._experiments = self._find_experiments()
            self.clone = self._find_clone()

    def locked(self) -> AbstractContextManager[None]:
        """Let one process at a time make the database, the experiment and rows."""
        return locked(scratch_of(self._home) / "tracking.lock", lambda _: None)

    def find(self, tags: Mapping[str, str]) -> Run | None:
        """Find the newest run that carries all `tags`."""
        found = self.find_all(tags, limit=1)
        return found[0] if found else None

    def find_made(self, tags: Mapping[str, str], status: str = "FINISHED") -> Run | None:
        """Find the newest run of a stage, of a status ("": any), that carries all `tags` and whose parent run is there.

        One whose parent run was removed by `mlflow gc`, which leaves it there, lacks what only the parent run has.
        """
        found = self.find_all(tags, status)
        return next((run for run in found if self.has(run.data.tags["mlflow.parentRunId"])), None)

    def has(self, run_id: str) -> bool:
        """Whether a run is there."""
        try:
            self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                return False
            raise
        return True

    def find_all(self, tags: Mapping[str, str], status: str = "", limit: int = 1000) -> list[Run]:
        """List the runs that carry all `tags`, the newest first."""
        filters = [f"tags.`{name}` = '{word}'" for name, word in tags.items()]
        ended = [f"attributes.status = '{status}'"] if status else []
        return self.search(" and ".join([*filters, *ended]), limit)

    def search(self, filters: str, limit: int = 1000) -> list[Run]:
        """List runs of all data sets, the newest first."""
        places = list(self._experiments.values())
        newest = ["attributes.start_time DESC"]
        return list(self.client.search_runs(places, filters, ViewType.ACTIVE_ONLY, limit, newest)) if places else []

    @functools.cached_property
    def results(self) -> set[str]:
        """Paths of the kept results that have rows."""
        found = self.search("tags.`alexnet.result` LIKE '%'", limit=_MAX_ROWS)
        return {run.data.tags["alexnet.result"] for run in found}

    def make(
        self,
        experiment: str,
        name: str,
        time: int,
        tags: Mapping[str, str],
        params: Mapping[str, str],
        points: Sequence[Metric] = (),
    ) -> str:
        """Make a run in an experiment and return its id."""
        about = {"mlflow.source.name": "alexnet", "mlflow.source.type": "LOCAL", "mlflow.user": _user()}
        named = about | entities.short_tags(tags)
        run = self.client.create_run(experiment, start_time=time, tags=named, run_name=name)
        self.log(run.info.run_id, params=params, points=points)
        return run.info.run_id

    def log(
        self,
        run_id: str,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        points: Sequence[Metric] = (),
    ) -> None:
        """Log to a run, in as few calls as MLflow's limits allow: each costs several commits of its database."""
        words, pairs, rest = entities.tags(tags or {}), entities.params(params or {}), list(points)
        while words or pairs or rest:
            room = _MAX_ENTITIES - len(words[:_MAX_TAGS]) - len(pairs[:_MAX_PARAMS])
            self.client.log_batch(run_id, metrics=rest[:room], params=pairs[:_MAX_PARAMS], tags=words[:_MAX_TAGS])
            words, pairs, rest = words[_MAX_TAGS:], pairs[_MAX_PARAMS:], rest[room:]

    def complete_params(self, run: Run, params: Mapping[str, str]) -> None:
        """Give a run that was found the parameters that a connection cut short did not let it have."""
        if len(run.data.params) < len(params):
            self.log(run.info.run_id, params=params)

    def history(self, run: Run) -> list[Metric]:
        """Read every point of every metric of a run."""
        return [
            Metric(point.key, point.value, point.timestamp, point.step)
            for name in run.data.metrics
            for point in self.client.get_metric_history(run.info.run_id, name)
        ]

    def _find_clone(self) -> str:
        """Read the name of this clone, which is where its checkpoints are: what one can resume, it can continue."""
        path = scratch_of(self._home) / "clone"
        if not path.exists():
            path.write_text(uuid.uuid4().hex[:16], encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def experiment(self, data_set: str) -> str:
        """Find or make the experiment of a data set; `locked` has to be held. Charts never mix two experiments."""
        name = f"{experiment_name()}/{data_set}"
        if name not in self._experiments:
            self._experiments[name] = self._find_or_make(name)
        return self._experiments[name]

    def _find_or_make(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            # Left open, a local store would put artifacts below whatever folder this process runs in.
            made = self.client.create_experiment(name, artifact_location=self._place, tags=_TAGS)
            self.client.set_experiment_tag(made, NOTE, _note(name, made))
            return made
        if found.lifecycle_stage == "deleted":  # its name is taken all the same
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def _find_experiments(self) -> dict[str, str]:
        """Name -> id, their views renewed."""
        found = self.client.search_experiments(ViewType.ACTIVE_ONLY)
        own = [each for each in found if each.name.startswith(f"{experiment_name()}/")]
        for experiment in own:
            for key, word in {**_TAGS, NOTE: _note(experiment.name, experiment.experiment_id)}.items():
                if experiment.tags.get(key) != word:
                    self.client.set_experiment_tag(experiment.experiment_id, key, word)
        return {each.name: each.experiment_id for each in own}


def _note(name: str, experiment: str) -> str:
    """What MLflow shows above the runs: its plain table cannot have errors, so there are links to one that has."""
    charts, table = (view_path(experiment, mode) for mode in ("CHART", "TABLE"))
    return (
        f"Runs of {name}, with errors and curves as [charts]({charts}) or with errors in [a table]({table}).\n\n"
        f"Both are the saved view *{NAME}*. Each variant of each pipeline run is a parent run; the runs of its stages "
        "are its children. The tag `skipped.STAGE` names the run that made the outputs of a skipped stage."
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
