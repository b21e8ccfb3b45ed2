"""Devices, replicas and workers: one `tf.distribute` strategy over whatever there is."""

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context  # TensorFlow 2.21 gives the workers' key-value store nowhere else

from alexnet_tf.devices.cluster import Cluster, cluster
from alexnet_tf.errors import ConfigError, DataError, TrainingError

_PIECE_BYTES = 2**28  # what workers send each other at once: a checkpoint may be larger than 32 bits can count
_PATIENCE_MILLISECONDS = 120_000  # for a worker that has joined the cluster already
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


def make_strategy(devices: Sequence[str] = ()) -> tf.distribute.MirroredStrategy:
    """Return a `MirroredStrategy` over `devices`, or over every GPU, or over the CPU.

    Args:
        devices: TensorFlow device names such as `GPU:0`; empty for all that there are. `CPU:0` and `CPU:1` divide the
            CPU into two replicas, which is no faster but the same arithmetic as on two GPUs.

    Raises:
        ConfigError: When a device is not there, or is named twice.
    """
    _divide_cpu(devices)
    keep_float32()
    present = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    named = [name.removeprefix("/").removeprefix("device:") for name in devices]
    missing = [name for name in named if name not in present]
    if missing:
        raise ConfigError(f"runtime.devices names {missing[0]}, but this machine has {', '.join(present)}")
    if twice := [name for name in named if named.count(name) > 1]:
        raise ConfigError(f"runtime.devices names {twice[0]} twice; name each device once")
    gpus = [name for name in present if name.startswith("GPU")]
    return _mirrored(tuple(named or gpus or ["CPU:0"]))


def make_training_strategy(devices: Sequence[str] = ()) -> tf.distribute.Strategy:
    """Return `make_strategy`, or where `TF_CONFIG` names several workers one strategy over all of their devices.

    Raises:
        ConfigError: When a device is not there, or is chosen by name among several workers, or `TF_CONFIG` is broken.
    """
    if cluster() is None:
        return make_strategy(devices)
    if devices:
        raise ConfigError(
            f"runtime.devices = {list(devices)} cannot be combined with TF_CONFIG: each worker uses every GPU that it "
            "sees, or its CPU; leave devices empty and choose by CUDA_VISIBLE_DEVICES"
        )
    return _multi_worker()


def _divide_cpu(devices: Sequence[str]) -> None:
    numbers = [int(number) for name in devices if (number := name.rpartition("CPU:")[2]).isdigit() and "CPU:" in name]
    if max(numbers, default=0) > 0:
        [cpu] = tf.config.list_physical_devices("CPU")
        with suppress(RuntimeError):  # in use already, with as many parts as it has
            logical = [tf.config.LogicalDeviceConfiguration() for _ in range(max(numbers) + 1)]
            tf.config.set_logical_device_configuration(cpu, logical)


def keep_float32() -> None:
    """Compute float32 as float32 on GPUs that would round it to TF32's 10 bits; who wants speed has bfloat16."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


@cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    """Return the process's one strategy over these devices.

    A second one would number its collectives from the same start, and TensorFlow then takes them for those of the
    first one and finds other shapes.
    """
    return tf.distribute.MirroredStrategy(list(devices))


@cache
def _multi_worker() -> tf.distribute.Strategy:
    keep_float32()
    handler = signal.getsignal(signal.SIGTERM)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    # TensorFlow 2.21 takes SIGTERM for itself and then does nothing with it: give it back to whoever had it.
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
    return strategy


def require_equal_shares(global_batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Check that every replica gets as many images of a batch.

    Raises:
        ConfigError: When the batch does not divide among them.
    """
    replicas = strategy.num_replicas_in_sync
    if global_batch_size % replicas:
        raise ConfigError(
            f"training.global_batch_size must be divisible by the number of replicas ({replicas}), "
            f"got {global_batch_size}; change it, or name fewer devices in runtime.devices"
        )


def has_other_workers(strategy: tf.distribute.Strategy) -> bool:
    """Say whether other processes train with this one."""
    return _workers(strategy) is not None


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Say whether this process is the first worker, which keeps the checkpoint; an only worker is.

    A strategy over one machine has one worker, whatever `TF_CONFIG` says.
    """
    workers = _workers(strategy)
    return workers is None or workers.is_chief


def agreed(strategy: tf.distribute.Strategy, number: int, wish: bool) -> tuple[int, bool]:
    """Return on every worker the chief's `number`, of 32 bits, and whether any worker has the `wish`.

    Where there is one worker, both are its own. All workers must call it at the same point.
    """
    workers = _workers(strategy)
    if workers is None:
        return number, wish
    chiefs, wishes = _sum(strategy, np.array([number if workers.is_chief else 0, wish], np.int32))
    return int(chiefs), bool(wishes)


def from_chief(strategy: tf.distribute.Strategy, content: bytes) -> bytes:
    """Return the chief's `content` on every worker; where there is one worker, its own.

    All workers must call it at the same point.
    """
    workers = _workers(strategy)
    if workers is None:
        return content
    num_pieces, _ = agreed(strategy, -(-len(content) // _PIECE_BYTES), False)
    return b"".join(
        _piece_from_chief(strategy, workers, content[number * _PIECE_BYTES : (number + 1) * _PIECE_BYTES])
        for number in range(num_pieces)
    )


def _piece_from_chief(strategy: tf.distribute.Strategy, workers: Cluster, piece: bytes) -> bytes:
    length, _ = agreed(strategy, len(piece), False)
    padded = np.zeros(-(-length // 4) * 4, np.uint8)
    if workers.is_chief:
        padded[:length] = np.frombuffer(piece, np.uint8)
    return _sum(strategy, padded.view(np.int32)).tobytes()[:length]


def require_same_training(strategy: tf.distribute.Strategy, fingerprint: str, arithmetic: str) -> None:
    """Compare on how many devices the workers train, in which arithmetic (`precision.arithmetic`), and what.

    All of them must call it, once, before they share anything: where they differ, a collective would wait for ever or
    mix up variables. So each says it to the service that keeps their cluster.

    Raises:
        ConfigError: Another worker has more or fewer devices.
        DataError: Another worker trains something else, or in another arithmetic.
    """
    workers = _workers(strategy)
    if workers is None:
        return
    own = (len(strategy.extended.worker_devices), arithmetic, fingerprint)
    for index, (devices, theirs, trained) in enumerate(_told_by_all(workers, own)):
        if devices != own[0]:
            raise ConfigError(
                f"worker {index} trains on {devices} devices, this one on {own[0]}; let all have as many, by "
                "CUDA_VISIBLE_DEVICES"
            )
        if theirs != arithmetic:
            raise DataError(
                f"worker {index} trains in {theirs}, this one in {arithmetic}; on every host, set training.precision "
                "to float32 or bfloat16 instead of auto, and TF_ENABLE_ONEDNN_OPTS alike"
            )
        if trained != fingerprint:
            raise DataError(
                f"worker {index} trains something else (fingerprint {trained[:12]}…, here {fingerprint[:12]}…): "
                "params.yaml, data and code must be the same on every host"
            )


def _told_by_all(workers: Cluster, own: tuple[int, str, str]) -> list[tuple[int, str, str]]:
    """Tell the others something, and return what each of all tells."""
    service: Any = context.context()  # not typed
    service.set_config_key_value(f"alexnet/worker/{workers.index}", json.dumps(own))
    everyone = range(len(workers.workers))
    told = [service.get_config_key_value(f"alexnet/worker/{index}", _PATIENCE_MILLISECONDS) for index in everyone]
    # The service is worker 0's: it may end with an error only when all others have read.
    service.set_config_key_value(f"alexnet/has_read/{workers.index}", "")
    for index in everyone if workers.is_chief else ():
        service.get_config_key_value(f"alexnet/has_read/{index}", _PATIENCE_MILLISECONDS)
    return [tuple(json.loads(each)) for each in told]


def _workers(strategy: tf.distribute.Strategy) -> Cluster | None:
    return cluster() if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) else None


def _sum(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """Add int32 values of all workers, each of which counts once however many replicas it has."""
    local = len(strategy.extended.worker_devices)

    def share(replica):
        return tf.constant(values if replica.replica_id_in_sync_group % local == 0 else np.zeros_like(values))

    return strategy.reduce("SUM", strategy.experimental_distribute_values_from_function(share), axis=None).numpy()


@contextmanager
def naming_lost_workers(saved_at: str) -> Iterator[None]:
    """Turn TensorFlow's word for a worker that is gone into one sentence.

    Args:
        saved_at: Where the training can go on, for the message.

    Raises:
        TrainingError: When another worker of the cluster has stopped answering.
    """
    try:
        yield
    except _LOST as error:
        workers = cluster()
        if workers is None:
            raise
        others = ", ".join(host for place, host in enumerate(workers.workers) if place != workers.index)
        raise TrainingError(
            f"worker {workers.index} lost contact with another one of {others}: see that host's own output; start the "
            f"same command again on every host, and the training continues from {saved_at}"
        ) from error
