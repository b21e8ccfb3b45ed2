"""Where runs are tracked, and whether something answers there."""

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

_PROBE_SECONDS = 3.0


def tracking_uri(home: Path) -> str:
    """The tracking server named by MLFLOW_TRACKING_URI, by default a database in the repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _default(home)


def default_store(home: Path) -> Path | None:
    """The database in the repository, or None where another store is in use."""
    return home / "mlflow.db" if tracking_uri(home) == _default(home) else None


def _default(home: Path) -> str:
    return f"sqlite:///{home / 'mlflow.db'}"


def is_server(uri: str) -> bool:
    """Whether a tracking URI names a server, not a file."""
    return uri.startswith(("http://", "https://"))


def probe(uri: str) -> str | None:
    """Say within seconds what is wrong with a tracking server, or None where it answers or is no server."""
    if not is_server(uri):
        return None
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_PROBE_SECONDS):
            return None
    except urllib.error.HTTPError:
        return None  # it answers; what it lets us do shows later
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{uri} does not answer ({getattr(error, 'reason', None) or error})"


def experiment_name() -> str:
    """What the names of the experiments begin with, before the data set."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "alexnet"
