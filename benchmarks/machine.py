"""Which machine and which versions a result is from; no name of a host."""

import os
import platform
from importlib import metadata

from pipeline.environment.provenance import processor

_PACKAGES = ("tensorflow", "keras", "torch", "apache-beam", "numpy", "pillow")


def describe() -> list[str]:
    """Return lines such as `2 cores, AMD EPYC, avx512f avx512_bf16`."""
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return [f"{os.cpu_count()} cores of {processor()}", f"Python {platform.python_version()}, {', '.join(versions)}"]
