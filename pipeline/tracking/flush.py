"""Sends spool folders to MLflow once: `python -m pipeline.tracking.flush HOME SPOOL_FOLDER...`.

Ends with 0 when everything is sent and the folders are gone, else with 1 and the reason as its last line of output.
A folder that a running stage still writes is left to the uploader.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet_tf.errors import DataError
from pipeline.environment.lean_imports import left_out, uncollected
from pipeline.environment.lock import NoLocksError
from pipeline.tracking import store_problems
from pipeline.tracking.spool import is_growing
from pipeline.tracking.tracking_uri import probe, tracking_uri, without_password

if TYPE_CHECKING:
    from pipeline.tracking.mlflow_client import Runs

_OF_ONE_FOLDER = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_PATIENCE = 2  # folders in a row that MLflow refuses: each may cost the time of a server that does not answer


def connect(home: Path) -> "Runs":
    """Open the tracking store.

    Raises:
        ConnectionError: A server does not answer, or there is a problem with the database.
        Exception: Whatever MLflow raises.
    """
    uri = tracking_uri(home)
    if problem := probe(uri) or store_problems.problem(home):
        raise ConnectionError(problem)
    # Quiet, at home, and quick to give up: the spool keeps what does not arrive.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    with left_out(("pandas",)), uncollected():  # a part of MLflow's import, and nothing here is a table
        from pipeline.tracking.mlflow_client import Runs

    return Runs(uri, home)


def send(home: Path, folders: list[Path]) -> None:
    """Send folders, one after the other; one that cannot be sent stays as it is, and keeps no other from it.

    Raises:
        Exception: Whatever MLflow raises of the first such folder, which a note names.
    """
    runs = connect(home)
    from mlflow.exceptions import MlflowException

    from pipeline.tracking.spool_reader import SpoolReader

    failed: list[Exception] = []
    in_a_row = 0
    for folder in folders:
        reader = SpoolReader(folder, runs)
        try:
            if not is_growing(folder) and reader.claim():
                while not reader.proceed():
                    pass
            in_a_row = 0
        except Exception as error:
            error.add_note(f"({folder.relative_to(home) if folder.is_relative_to(home) else folder})")
            failed.append(error)
            # What is wrong with a folder itself, or with what it names, says nothing of others.
            in_a_row += isinstance(error, MlflowException) and error.error_code not in _OF_ONE_FOLDER
        finally:
            reader.release()
        if in_a_row == _PATIENCE or (in_a_row and probe(tracking_uri(home))):
            break
    if failed:
        raise failed[0]


def reason(error: Exception, home: Path) -> str:
    """What went wrong, in one line: what keeps all from being sent, else the first line of the error."""
    if isinstance(error, ConnectionError | DataError | NoLocksError):  # whose way out must not be cut
        return str(error)
    said = without_password((str(error).strip().splitlines() or [type(error).__name__])[0])[:200]
    return probe(tracking_uri(home)) or " ".join([said, *getattr(error, "__notes__", [])])


def main() -> int:
    """Send the folders named on the command line."""
    home, *folders = map(Path, sys.argv[1:])
    try:
        send(home, folders)
    except Exception as error:  # whatever it is, the spool is kept
        print(reason(error, home))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
