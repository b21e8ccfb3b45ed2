"""Puts an export into MLflow's model registry.

    python -m pipeline.tracking.model_registry HOME EXPORT VARIANT ALIAS TAGS_AS_JSON

A process of its own, as MLflow's import and a slow server must not hold up the command that starts it. Each
variant is a registered model `alexnet-VARIANT`; `challenger` is the newest blessed version, `champion` the one
that was promoted. An export that is registered already keeps its version.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alexnet_tf.errors import AlexNetError
from pipeline.environment.processes import run_module
from pipeline.environment.workspace import code_folder
from pipeline.tracking import store_problems
from pipeline.tracking.flush import reason
from pipeline.tracking.tracking_uri import probe, tracking_uri

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

    from pipeline.tracking.mlflow_client import Runs

Alias = Literal["challenger", "champion"]
_DIGEST = "export.sha256"
_MAX_SECONDS = 300.0
_MAX_DESCRIPTION = 5000
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "GIT_PYTHON_REFRESH": "quiet",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def register(home: Path, folder: Path, variant: str, alias: Alias, made_by: Mapping[str, str]) -> str:
    """Register an export under an alias, in a process of its own.

    Args:
        home: The folder of the tracking store.
        folder: `exports/VARIANT`, blessed.
        variant: Names the registered model.
        alias: Which.
        made_by: Tags of the stage run that made the export, by which it is found; empty where they are not known.

    Returns:
        What was registered, for a person: name, version and alias.

    Raises:
        AlexNetError: The server does not answer or refuses; the registry is then as it was.
    """
    variables = {name: os.environ.get(name, word) for name, word in _DEFAULTS.items()}
    # Of a model's id, MLflow asks the store that is set, not that of the client; by default one in the current folder.
    variables["MLFLOW_TRACKING_URI"] = tracking_uri(home)
    try:
        finished = run_module(
            "pipeline.tracking.model_registry",
            *(home, folder, variant, alias, json.dumps(dict(made_by))),
            variables=variables,
            timeout=_MAX_SECONDS,
            capture_output=True,
        )
    except subprocess.TimeoutExpired:
        raise AlexNetError(f"MLflow's registry did not answer within {_MAX_SECONDS:.0f} s; try again later") from None
    said = (finished.stdout.strip().splitlines() or ["no message"])[-1]
    if finished.returncode:
        raise AlexNetError(f"MLflow's registry: {said}; `alexnet ui` shows which server is meant")
    return said


def served(folder: Path, target: Path) -> None:
    """Make an MLflow model of an export: the SavedModel and one file of Python that calls it, no pickle.

    Args:
        folder: An export with `saved_model/`.
        target: A folder that does not exist yet.
    """
    import mlflow.pyfunc
    import tensorflow as tf
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]),
        params=ParamSchema([ParamSpec("view", DataType.string, "ten_crop")]),
    )
    code = code_folder() / "pipeline/tracking/served_model.py"
    mlflow.pyfunc.save_model(
        target,
        loader_module="served_model",
        data_path=str(folder / "saved_model"),
        code_paths=[str(code)],
        signature=signature,
        # Named, or MLflow would load the model in another process to find out.
        pip_requirements=[f"tensorflow=={tf.__version__}"],
    )


def _register(home: Path, folder: Path, variant: str, alias: str, made_by: Mapping[str, str]) -> str:
    from pipeline.stages.fingerprint import content_digest
    from pipeline.tracking.mlflow_client import Runs

    runs = Runs(tracking_uri(home), home)  # makes the database and the experiment where they are missing
    client = runs.client
    name, digest = f"alexnet-{variant}", content_digest(folder)
    found = _version(client, name, digest)
    if found is None:
        export = runs.find_made(made_by, status="") if made_by else None  # it registers before it ends
        found = _new_version(runs, name, folder, {_DIGEST: digest, "alexnet.variant": variant}, export)
    client.set_registered_model_alias(name, alias, found)
    return f"{name} version {found} is {alias}: models:/{name}@{alias}"


def _version(client: "MlflowClient", name: str, digest: str) -> str | None:
    versions = client.search_model_versions(f"name = '{name}'")
    return next((str(each.version) for each in versions if each.tags.get(_DIGEST) == digest), None)


def _new_version(runs: "Runs", name: str, folder: Path, tags: dict[str, str], export: "Run | None") -> str:
    from mlflow.exceptions import MlflowException

    client = runs.client
    # The parent run of the export is the page that people open, so the version is linked there.
    run_id = export.data.tags["mlflow.parentRunId"] if export else None
    experiment = export.info.experiment_id if export else _experiment(runs, folder)
    model = client.create_logged_model(experiment, name=name, source_run_id=run_id, tags=tags)
    with tempfile.TemporaryDirectory() as place:
        served(folder, Path(place) / "model")
        client.log_model_artifacts(model.model_id, str(Path(place) / "model"))
    client.finalize_logged_model(model.model_id, "READY")
    with contextlib.suppress(MlflowException):  # it exists already
        client.create_registered_model(name)
    made = client.create_model_version(
        name,
        model.artifact_location,
        run_id=run_id,
        tags=tags,
        model_id=model.model_id,
        description=(folder / "model_card.md").read_text(encoding="utf-8")[:_MAX_DESCRIPTION],
    )
    return str(made.version)


def _experiment(runs: "Runs", folder: Path) -> str:
    """The experiment of the data set in params.yaml, for an export without a run."""
    from pipeline.tracking.origins import current_data_set

    with runs.locked():
        return runs.experiment(current_data_set(folder.parent.parent))


def main() -> int:
    """Register what the command line names, and say it in one line."""
    home, folder, variant, alias, made_by = sys.argv[1:]
    try:
        if problem := probe(tracking_uri(Path(home))) or store_problems.problem(Path(home)):
            raise ConnectionError(problem)
        print(_register(Path(home), Path(folder), variant, alias, json.loads(made_by)))
    except Exception as error:  # one line, whatever MLflow raises
        print(reason(error, Path(home)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
