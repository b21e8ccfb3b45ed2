"""What a commit claims: the hashes in its dvc.lock and the numbers in its metrics.json, which belong together."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alexnet_tf.errors import DataError
from pipeline.environment.git import changed_files, committed
from pipeline.environment.yaml_file import parse
from pipeline.stages.dvc_lock import LOCK_FILE, Lock, parse_lock
from pipeline.stages.table import METRICS_FILE, PARAMS_FILE, all_items


def claimed_lock(root: Path, revision: str = "HEAD") -> Lock:
    """Read a commit's dvc.lock; one without stages where it has none."""
    return parse_lock(committed(root, revision, LOCK_FILE) or "{}")


def claimed_metrics(root: Path, revision: str = "HEAD") -> Mapping[str, Mapping[str, Any]]:
    """Read a commit's metrics.json: variant -> {"train": ..., "evaluate": ...}.

    Empty where the commit has none, or one that its dvc.lock does not name: such a file describes another run.

    Raises:
        DataError: The file is something else.
    """
    text, lock = committed(root, revision, METRICS_FILE) or "{}", claimed_lock(root, revision)
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    params = parse(committed(root, revision, PARAMS_FILE) or "{}", PARAMS_FILE)
    try:
        stages = [item.address for item in all_items(params)]
    except (KeyError, TypeError, AttributeError):  # it says nothing of variants
        stages = []
    if md5 != lock.hashes.get(METRICS_FILE) or not lock.is_consistent("compare", stages):
        return {}
    try:
        content = json.loads(text)
        if not all({"train", "evaluate"} <= reports.keys() for reports in content.values()):
            raise ValueError("it lacks train or evaluate")
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{METRICS_FILE} of {revision}: expected what `alexnet compare` writes, found something else ({error}); "
            f"`dvc repro -f compare` and commit it with {LOCK_FILE}"
        ) from error
    return content


def changed_claim(root: Path) -> list[str]:
    """Name those of dvc.lock and metrics.json that differ from HEAD's."""
    return changed_files(root, (LOCK_FILE, METRICS_FILE))
