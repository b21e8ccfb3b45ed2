"""Gives every MLflow run that is started in this repository, in a notebook too, what the pipeline's own runs carry.

MLflow finds it by the entry point `mlflow.run_context_provider`, and asks it at each `mlflow.start_run`.
"""

import hashlib
from pathlib import Path

from pipeline.environment.workspace import workspace_around


class RepositoryContext:
    """Tags of the commit, the machine, the versions, params.yaml and dvc.lock, with DVC's hash of every output.

    It is what MLflow calls a `RunContextProvider`; deriving from that would import MLflow, which imports this module.
    """

    def in_context(self) -> bool:
        """Whether the current folder is in a checkout of this repository."""
        return workspace_around() is not None

    def tags(self) -> dict[str, str]:
        """Return the tags; none outside of a checkout."""
        workspace = workspace_around()
        if workspace is None:
            return {}
        # Only here, as MLflow imports this module for every project of an environment.
        from pipeline.config.load import PARAMS_FILE
        from pipeline.environment.provenance import provenance_tags
        from pipeline.stages.dvc_lock import LOCK_FILE, read_lock

        files = {"params.sha256": PARAMS_FILE, "dvc.lock.sha256": LOCK_FILE}
        digests = {tag: _digest(workspace.root / name) for tag, name in files.items()}
        outs = {f"dvc.out.{path}": digest for path, digest in read_lock(workspace.root).hashes.items()}
        return provenance_tags(workspace.root) | outs | {tag: word for tag, word in digests.items() if word}


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
