"""Recorded values as MLflow's entities, within MLflow's limits on names and lengths."""

import json
import math
import re
from collections.abc import Iterable, Mapping

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from pipeline.stages.cost import PREFIX
from pipeline.tracking.spool import StageDescription

_MAX_PARAM_CHARACTERS = 6000
_MAX_TAG_CHARACTERS = 5000
_NO_BRANCH = ("mlflow.source.git.branch", "HEAD")  # in older results: what DVC detaches has no branch


def metrics(values: Mapping[str, float], time: int, step: int = 0) -> list[Metric]:
    """Name -> number as metrics of one step, `time` in milliseconds since 1970.

    What is not finite is left out: of infinity MLflow makes the largest float, and no filter finds NaN. Of a fraction
    six digits stay, as MLflow's table shows all that there are: 0.067, not 0.06699999999999995.
    """
    return [Metric(_key(name), _rounded(value), time, step) for name, value in values.items() if math.isfinite(value)]


def _rounded(value: float) -> float:
    return value if value == round(value) else float(f"{value:.6g}")


def params(values: Mapping[str, str]) -> list[Param]:
    """Name -> word as parameters, over-long words cut."""
    return [Param(_key(name), word[:_MAX_PARAM_CHARACTERS]) for name, word in values.items()]


def tags(values: Mapping[str, str]) -> list[RunTag]:
    """Name -> word as tags, over-long words cut."""
    return [RunTag(name, word) for name, word in short_tags(values).items()]


def short_tags(values: Mapping[str, str]) -> dict[str, str]:
    """Name -> word as MLflow takes tags of a run that is being made."""
    return {_key(name): word[:_MAX_TAG_CHARACTERS] for name, word in values.items() if (name, word) != _NO_BRANCH}


def dataset_input(entry: Mapping[str, str]) -> DatasetInput:
    """Name, digest, path and context of some data as the input of a run; nothing of the data is read."""
    source = json.dumps({"uri": entry["path"]})
    data = Dataset(name=entry["name"], digest=entry["digest"], source_type="local", source=source)
    return DatasetInput(data, [InputTag("mlflow.data.context", entry["context"])])


def took(stages: Iterable[StageDescription]) -> int:
    """How long stages took that are described for a remake, in milliseconds; 0 where it was not measured here."""
    return round(1000 * sum(stage["remake"]["cost"].get("wall_seconds", 0.0) for stage in stages if "remake" in stage))


def costs(cost: Mapping[str, float]) -> dict[str, float]:
    """What a stage's run cost, by the names that its metrics have."""
    return {f"{PREFIX}{name}": value for name, value in cost.items()}


def _key(name: str) -> str:
    """MLflow refuses a whole batch for one name with other characters than these."""
    return re.sub(r"[^\w\-. :/]", "_", name)
