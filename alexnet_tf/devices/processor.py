"""What the machine's processor is and can do, as Linux describes it."""

import math
import os
import platform
from functools import cache
from pathlib import Path

from alexnet_tf.devices.control_group import cpu_quota

NAMES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 bfloat16",
    "amx_bf16": "AMX bfloat16",
}
_BFLOAT16 = ("avx512_bf16", "amx_bf16")


def processor_name() -> str:
    """Name it, such as `AMD EPYC (family 25 model 17)`; where Linux does not say, by its architecture alone."""
    fields = _fields()
    family = f"family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return f"{fields['model name']} ({family})" if "model name" in fields else platform.machine()


def processor_features() -> list[str]:
    """Return the vector instructions that matter to a training, by Linux's flags: the keys of `NAMES`."""
    flags = _fields().get("flags", "").split()
    return [flag for flag in NAMES if flag in flags]


def processor_has_bfloat16() -> bool:
    """Whether it multiplies bfloat16 by instructions; TensorFlow emulates them elsewhere, many times slower."""
    return any(flag in processor_features() for flag in _BFLOAT16)


def usable_cores() -> int:
    """Count the cores that this process may use: a batch system, `taskset` or a container may leave it a few."""
    tied = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # not Linux
    quota = cpu_quota()
    return tied if quota is None else max(1, min(tied, math.ceil(quota)))


@cache
def _fields() -> dict[str, str]:
    try:
        content = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return {}
    pairs = (line.partition(":")[::2] for line in content.splitlines())
    return {name.strip(): value.strip() for name, value in pairs}
