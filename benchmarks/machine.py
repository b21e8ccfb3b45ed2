"""Which machine and which versions a result is from; no name of a host."""

import platform
from importlib import metadata

from pipeline.environment.provenance import host_tags, words_of

_PACKAGES = ("tensorflow", "keras", "torch", "apache-beam", "numpy", "pillow")


def describe() -> list[str]:
    """Return lines such as `2 cores of AMD EPYC, avx512f avx512_bf16` and `Python 3.11.7, numpy 2.4.6`."""
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return [words_of(host_tags()), f"Python {platform.python_version()}, {', '.join(versions)}"]
