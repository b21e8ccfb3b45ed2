"""Devices and replicas: one `MirroredStrategy` over whatever there is."""

from collections.abc import Sequence
from functools import cache

import tensorflow as tf

from alexnet_tf.errors import ConfigError


def make_strategy(devices: Sequence[str] = ()) -> tf.distribute.MirroredStrategy:
    """Return a `MirroredStrategy` over `devices`, or over every GPU, or over the CPU.

    Args:
        devices: TensorFlow device names such as `GPU:0`; empty for all that there are.

    Raises:
        ConfigError: When a device is not there.
    """
    present = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    named = [name.removeprefix("/").removeprefix("device:") for name in devices]
    missing = [name for name in named if name not in present]
    if missing:
        raise ConfigError(f"runtime.devices names {missing[0]}, but this machine has {', '.join(present)}")
    gpus = [name for name in present if name.startswith("GPU")]
    return _strategy(tuple(named or gpus or ["CPU:0"]))


@cache
def _strategy(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    """Return the process's one strategy over these devices.

    A second one would number its collectives from the same start, and TensorFlow then takes them for those of the
    first one and finds other shapes.
    """
    return tf.distribute.MirroredStrategy(list(devices))


def per_replica_batch_size(global_batch_size: int, strategy: tf.distribute.Strategy) -> int:
    """Return each replica's share of the global batch.

    Raises:
        ConfigError: When it does not divide.
    """
    replicas = strategy.num_replicas_in_sync
    if global_batch_size % replicas:
        raise ConfigError(
            f"training.global_batch_size must be divisible by the number of replicas ({replicas}), "
            f"got {global_batch_size}; change it, or name fewer devices in runtime.devices"
        )
    return global_batch_size // replicas
