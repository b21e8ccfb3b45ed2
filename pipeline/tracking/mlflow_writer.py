"""Writes recorded events to MLflow: parent runs, stage runs, links to the runs of skipped stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mlflow.entities import Metric, Run

from pipeline.stages.cost import PREFIX, cost_metrics
from pipeline.tracking import mlflow_entities as entities
from pipeline.tracking.mlflow_client import Runs
from pipeline.tracking.mlflow_parent_runs import ParentRuns
from pipeline.tracking.mlflow_run_pages import RunPages
from pipeline.tracking.spool import Remake, StageDescription, StandingEvent, StartEvent, StartRow


class MlflowWriter:
    """Takes the events of one spool folder.

    Args:
        runs: The experiments that they go to, one for each data set.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._parents = ParentRuns(runs)
        self._pages = RunPages(runs)
        self._stage: dict[str, Any] = {}
        self._is_alone = False
        self._rows: dict[str, str] = {}  # key -> id
        self._children: list[str] = []

    def take(self, events: list[dict[str, Any]], folder: Path) -> None:
        """Write events in their order; metrics that follow each other go in one call.

        A folder that was deleted while its stage ran begins without a start. Nothing says then whose its events are:
        they are passed over.

        Args:
            events: Lines of the spool.
            folder: The spool folder, of the artifacts.
        """
        points: list[tuple[bool, Metric]] = []
        for event in events:
            kind = event["event"]
            if not self._stage and kind not in ("start", "standing"):
                continue
            if kind in ("metrics", "headline"):
                on_row = kind == "headline" or self._stage["name"].startswith("train@")
                found = entities.metrics(event["values"], event["time"], event.get("step", 0))
                points += [(on_row, metric) for metric in found]
                continue
            self._metrics(points)
            points = []
            match kind:
                case "start":
                    self._start(cast(StartEvent, event))
                case "tags":
                    self._tags(event["values"])
                case "artifact":
                    self._artifact(folder / event["file"], event["folder"])
                case "end":
                    self._end(event["status"], event["cost"], event["time"])
                case "standing":
                    self._complete(cast(StandingEvent, event))
                case _:
                    raise ValueError(f"{folder}: no event {kind!r}; another version of this project wrote it")
        self._metrics(points)

    def _start(self, event: StartEvent) -> None:
        self._stage, self._is_alone = event["stage"], event.get("alone", False)
        datasets = [entities.dataset_input(entry) for entry in event["datasets"]]
        with self._runs.locked():
            for row in event["rows"]:
                if row_id := self._parents.of_run(row, event):
                    self._adopt(row_id, row["before"], {})
                    self._rows[row["key"]] = row_id
                    self._children.append(self._child(row_id, row, event))
        for run_id in [*self._rows.values(), *self._children] if datasets else []:
            self._runs.client.log_inputs(run_id, datasets=datasets)
        for run_id in self._children[1:]:
            self._runs.log(run_id, tags={"artifacts_of": self._children[0]})

    def _tags(self, values: dict[str, str]) -> None:
        for run_id in self._children:
            self._runs.log(run_id, tags=values)

    def _artifact(self, file: Path, folder: str) -> None:
        if self._children:
            self._runs.client.log_artifact(self._children[0], str(file), folder or None)

    def _end(self, status: str, cost: dict[str, float], time: int) -> None:
        for run_id in self._children:
            self._runs.log(run_id, points=entities.metrics(entities.costs(cost), time))
            self._runs.client.set_terminated(run_id, status, time)
        on_row = cost_metrics(self._stage["name"].partition("@")[0], cost) if status == "FINISHED" else {}
        for key, row_id in self._rows.items():
            self._runs.log(row_id, points=entities.metrics(on_row, time))
            if not self._parents.is_latest(row_id, key):
                continue
            if status != "FINISHED":
                self._runs.client.set_terminated(row_id, status, time)
            elif self._is_alone:  # below `dvc`, other stages follow
                self._parents.end(row_id, "SCHEDULED", time)
                self._pages.describe(row_id)

    def _complete(self, event: StandingEvent) -> None:
        """Complete the rows of a pipeline run that is over, or of a state that none of them has."""
        pipeline, time = event.get("pipeline", ""), event["time"]
        with self._runs.locked():
            for row in event["rows"]:
                if row["state_tags"].get("alexnet.result") in self._runs.results:
                    continue
                find = self._parents.of_run if pipeline else self._parents.of_state
                if not (row_id := find(row, event)):
                    continue
                is_latest = not pipeline or self._parents.is_latest(row_id, row["key"])
                self._runs.client.log_inputs(row_id, [entities.dataset_input(entry) for entry in row["datasets"]])
                self._adopt(row_id, row["standing"], row["state_tags"] if is_latest else {})
                if is_latest:
                    self._pages.add(row_id, row)
                if not pipeline:
                    self._parents.end_state(row_id, time)
            if pipeline:
                self._parents.end_run(pipeline, event.get("otherwise", "KILLED"), time)

    def _metrics(self, points: list[tuple[bool, Metric]]) -> None:
        for run_ids, wanted in ((self._children, points), (self._rows.values(), [each for each in points if each[0]])):
            for run_id in run_ids:
                self._runs.log(run_id, points=[metric for _, metric in wanted])

    def _child(self, row_id: str, row: StartRow, event: StartEvent) -> str:
        """Find or make the run of the stage below a row; found again only when a spool is sent twice."""
        stage = event["stage"]
        identity = f"{event['run']}-{row['key'][:8]}"
        if found := self._runs.find({"alexnet.run": identity}):
            self._runs.complete_params(found, stage["params"])
            return found.info.run_id
        tags = {
            "mlflow.parentRunId": row_id,
            "alexnet.run": identity,
            "alexnet.fingerprint": stage["fingerprint"],
            "alexnet.variant": row["variant"],
        }
        place = self._runs.client.get_run(row_id).info.experiment_id
        return self._runs.make(place, stage["name"], event["time"], tags | stage["tags"], stage["params"])

    def _adopt(self, row_id: str, stages: list[StageDescription], state: dict[str, str]) -> None:
        """Complete a row by stages that are up to date: those skipped, and hashes of outputs known only now.

        Args:
            row_id: MLflow's id of the row.
            stages: Descriptions of the stages.
            state: Tags that the row gets when it has all the rest.
        """
        below = self._runs.find_all({"mlflow.parentRunId": row_id})
        made = [run for run in reversed(below) if run.info.status not in ("KILLED", "FAILED")]
        own = {run.data.tags.get("dvc.stage"): run for run in made}  # of several, the newest
        row = self._runs.client.get_run(row_id)
        tags: dict[str, str] = {}
        points: list[Metric] = []
        for stage in stages:
            tag = f"skipped.{stage['stage'].partition('@')[0]}"
            if run := own.get(stage["stage"]):
                missing = {name: word for name, word in stage["outs"].items() if name not in run.data.tags}
                self._runs.log(run.info.run_id, tags=missing)
            elif tag in row.data.tags:
                tags |= {key: word for key, word in stage["outs"].items() if key not in row.data.tags}
            elif producer := self._producer(stage):
                history = self._history(producer) if stage["stage"].startswith("train@") else []
                values = stage["metrics"] or self._read_off(stage["stage"].partition("@")[0], producer)
                points += _taken_over(row, stage, values, history)
                tags |= stage["outs"] | {tag: producer.info.run_id}
            elif "remake" in stage:
                history = self._remade(row, stage, stage["remake"])
                values = stage["metrics"] or cost_metrics(stage["stage"].partition("@")[0], stage["remake"]["cost"])
                points += _taken_over(row, stage, values, history)
                tags |= stage["outs"]
        points.sort(key=lambda point: point.key.startswith(PREFIX))  # a run's page lists them in this order
        self._runs.log(row_id, tags=tags | state, points=points)

    def _producer(self, stage: StageDescription) -> Run | None:
        """Find the run that made a stage's outputs: by what it was made from, else by what came out."""
        if stage["fingerprint"]:
            wanted = {"alexnet.fingerprint": stage["fingerprint"]}
        else:
            wanted = {"dvc.stage": stage["stage"]} | stage["outs"]
        return self._runs.find_made(wanted)

    def _history(self, producer: Run) -> list[Metric]:
        """Every point of a training, of one that was resumed also those of its earlier processes: its row has them."""
        if "alexnet.remade" in producer.data.tags:
            return self._runs.history(producer)
        row = self._runs.client.get_run(producer.data.tags["mlflow.parentRunId"])
        return [point for point in self._runs.history(row) if point.key in producer.data.metrics]

    def _read_off(self, name: str, producer: Run) -> dict[str, float]:
        """What a stage adds to a row, read off its run and the row of that: for a stage whose folder is gone."""
        costs = {
            key.removeprefix(PREFIX): value for key, value in producer.data.metrics.items() if key.startswith(PREFIX)
        }
        values = cost_metrics(name, costs)
        if name == "evaluate":
            row = self._runs.client.get_run(producer.data.tags["mlflow.parentRunId"])
            values |= {key: value for key, value in row.data.metrics.items() if key.startswith("test/")}
        return values

    def _remade(self, row: Run, stage: StageDescription, made: Remake) -> list[Metric]:
        """Make the run of a stage again from what it left behind; return all its points."""
        time = made["time"]
        tags = {
            "mlflow.parentRunId": row.info.run_id,
            "alexnet.fingerprint": stage["fingerprint"],
            "alexnet.variant": row.data.tags["alexnet.variant"],
            "alexnet.remade": "from dvc.lock and the stage's outputs",
        }
        headline = {name: value for name, value in stage["metrics"].items() if not name.startswith(PREFIX)}
        points = entities.metrics(headline | entities.costs(made["cost"]), time)
        for epoch in made["curves"]:
            points += entities.metrics(epoch["values"], time, epoch["step"])
        began = time - entities.took([stage])
        own = tags | made["tags"] | stage["outs"]
        run_id = self._runs.make(row.info.experiment_id, stage["stage"], began, own, made["params"], points)
        for report in made["reports"]:
            if Path(report).exists():
                self._runs.client.log_artifacts(run_id, report, Path(report).name)
        self._runs.client.set_terminated(run_id, "FINISHED", time)
        return points


def _taken_over(
    row: Run, stage: StageDescription, values: Mapping[str, float], history: Sequence[Metric]
) -> list[Metric]:
    """What a stage that did not run for a row adds to one: its numbers, in training all of them."""
    points: list[Metric] = []
    if stage["stage"].startswith("train@"):
        points = [point for point in history if not point.key.startswith(PREFIX)]
    known = {point.key for point in points}
    return points + [point for point in entities.metrics(values, row.info.start_time) if point.key not in known]
