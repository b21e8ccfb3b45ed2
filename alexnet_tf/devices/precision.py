"""Which arithmetic a network is trained in, where that is left to the devices and the environment."""

from typing import Literal

import tensorflow as tf

from alexnet_tf.devices.onednn import onednn_is_on
from alexnet_tf.devices.processor import processor_features, processor_has_bfloat16

Precision = Literal["float32", "bfloat16"]
BITS: dict[Precision, int] = {"float32": 32, "bfloat16": 16}
_GPU_WITH_BFLOAT16 = (8, 0)  # compute capability of the first NVIDIA generation that multiplies bfloat16


def choose_precision(wanted: Precision | Literal["auto"], strategy: tf.distribute.Strategy) -> Precision:
    """Return what to compute in.

    Args:
        wanted: `auto` is bfloat16 where every device of the strategy has instructions for it, else float32.
        strategy: Its devices train.
    """
    if wanted != "auto":
        return wanted
    return "bfloat16" if all(map(_has_bfloat16, _physical(strategy))) else "float32"


def on_matrix_units(precision: str) -> bool:
    """Whether products are computed on matrix units of the processor: in bfloat16 with AMX.

    With a GPU it is False always: which processor its machine has must not change a bit.
    """
    units = precision == "bfloat16" and "amx_bf16" in processor_features()
    return units and not tf.config.list_physical_devices("GPU")


def arithmetic(precision: Precision) -> str:
    """Name precision and kernels: a training that goes on in others ends with different bytes.

    What else decides how a process rounds, such as the processor's instructions, is not named.
    """
    return f"{precision} {'with' if onednn_is_on() else 'without'} oneDNN"


def _physical(strategy: tf.distribute.Strategy) -> list[tf.config.PhysicalDevice]:
    found = []
    for name in strategy.extended.worker_devices:
        device = tf.DeviceSpec.from_string(name)
        there = tf.config.get_visible_devices(device.device_type)
        found.append(there[device.device_index if device.device_type == "GPU" else 0])  # a CPU may be divided
    return found


def _has_bfloat16(device: tf.config.PhysicalDevice) -> bool:
    if device.device_type == "CPU":
        return processor_has_bfloat16()
    capability = tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0))
    return capability >= _GPU_WITH_BFLOAT16
