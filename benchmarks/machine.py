"""Which machine and which versions a result is from; no name of a host."""

import os
import platform
from importlib import metadata
from pathlib import Path

_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_PACKAGES = ("tensorflow", "keras", "torch", "apache-beam", "numpy")


def describe() -> list[str]:
    """Return lines such as `2 cores, AMD EPYC, avx512f avx512_bf16`."""
    try:
        content = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        content = ""
    fields = dict(line.partition(":")[::2] for line in content.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    features = [
        flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in named.get("flags", "").split()
    ]
    family = f"family {named.get('cpu family', '?')} model {named.get('model', '?')}"
    processor = f"{named.get('model name', platform.machine())} ({family}), {' '.join(features)}"
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return [f"{os.cpu_count()} cores of {processor}", f"Python {platform.python_version()}, {', '.join(versions)}"]
