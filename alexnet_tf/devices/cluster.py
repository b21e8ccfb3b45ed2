"""Which machines train together, from TensorFlow's own variable `TF_CONFIG`. No TensorFlow."""

import json
import os
from dataclasses import dataclass

from alexnet_tf.errors import ConfigError

_EXPECTED = (
    'expected {"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": N}}, the same list on '
    "every host and N its own place in it, from 0"
)


@dataclass(frozen=True)
class Cluster:
    """The workers of one training, one process each.

    Attributes:
        workers: `host:port` of each; the first one is the chief, which keeps the checkpoints.
        index: This process's place among them.
    """

    workers: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is worker 0."""
        return self.index == 0


def cluster() -> Cluster | None:
    """Return the workers that `TF_CONFIG` names, or None where it names fewer than two.

    Raises:
        ConfigError: When it cannot be read.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        content = json.loads(text)
        roles = content.get("cluster", {})
        workers = tuple(map(str, roles.get("worker", ())))
        if len(workers) < 2 and len(roles) < 2:
            return None
        kind, index = content["task"]["type"], int(content["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"TF_CONFIG cannot be read ({type(error).__name__}: {error}): {_EXPECTED}") from error
    if set(roles) != {"worker"} or kind != "worker" or not 0 <= index < len(workers):
        raise ConfigError(f"TF_CONFIG: {_EXPECTED}; found {text}")
    return Cluster(workers, index)
