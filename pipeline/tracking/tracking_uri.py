"""Where runs are tracked, and whether something answers there."""

import os
import re
import warnings
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
    import requests  # as MLflow asks, with its settings

    certificates = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
    is_insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    own = os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # urllib3's, of certificates that are not checked as asked
            requests.get(
                f"{uri.rstrip('/')}/health",
                timeout=_PROBE_SECONDS,
                verify=False if is_insecure else certificates,
                cert=own,
                stream=True,
            ).close()
        return None  # it answers; what it lets us do shows later
    except (OSError, ValueError) as error:  # those of requests are OSError
        return f"{without_password(uri)} does not answer ({_cause(error)})"


def without_password(text: str) -> str:
    """A tracking URI, or a text that has it, as it may be shown."""
    return re.sub(r"(?<=://)([^/@:\s]*):[^@\s]*@", r"\1:***@", text)


def _cause(error: BaseException) -> str:
    """What went wrong at the bottom of what requests wraps, in a few words and without the address."""
    wrapped = [getattr(error, "reason", None), *error.args]
    if inner := next((each for each in wrapped if isinstance(each, BaseException)), None):
        return _cause(inner)
    words = [each for each in error.args if isinstance(each, str)]
    told = str(getattr(error, "strerror", None) or (words[-1] if words else error))
    return told.rpartition(": ")[2] or type(error).__name__


def experiment_name() -> str:
    """What the names of the experiments begin with, before the data set."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "alexnet"
