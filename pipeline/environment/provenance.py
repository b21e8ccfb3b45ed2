"""Where a run comes from: the commit, the versions, the machine."""

import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from alexnet_tf.devices.control_group import memory_quota
from alexnet_tf.devices.processor import processor_features, processor_name, usable_cores
from alexnet_tf.errors import some
from pipeline.environment.git import CODE_AND_PARAMS, changed_files, git

_PACKAGES = ("tensorflow", "keras", "apache-beam", "tensorflow-datasets", "numpy", "pillow", "mlflow", "dvc")
COMMIT = "mlflow.source.git.commit"
_VARIABLES = {
    "dvc.exp_name": "DVC_EXP_NAME",
    "dvc.baseline_rev": "DVC_EXP_BASELINE_REV",
    "env.onednn": "TF_ENABLE_ONEDNN_OPTS",  # its kernels and TensorFlow's own round differently
}

_NAMED_FILES = 20


@functools.cache
def provenance_tags(root: Path) -> dict[str, str]:
    """Tags that are the same for everything this process records.

    Args:
        root: Folder of the repository.

    Returns:
        `version.*` of the packages that decide results, `env.sha256` of all that are installed, `env.onednn`, `host.*`,
        `dvc.exp_name` and `dvc.baseline_rev` in a DVC experiment, `mlflow.source.git.*` and `git.dirty` where there
        is a Git repository with a commit, the branch only where one is checked out, `git.dirty` only where Git can
        tell, and `git.changed_files` where it is true.
    """
    tags = {"version.python": platform.python_version(), "env.sha256": _environment()} | host_tags()
    for package in _PACKAGES:
        try:
            tags[f"version.{package}"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for tag, variable in _VARIABLES.items():
        if value := os.environ.get(variable):
            tags[tag] = value
    if commit := git(root, "rev-parse", "HEAD"):
        tags[COMMIT] = commit
        if branch := git(root, "symbolic-ref", "--quiet", "--short", "HEAD"):  # none below `dvc exp run`
            tags["mlflow.source.git.branch"] = branch
        status = git(root, "status", "--porcelain", "--untracked-files=no", *CODE_AND_PARAMS)
        if status is not None:
            changed = changed_files(root)
            tags["git.dirty"] = str(bool(changed)).lower()
            if changed:
                tags["git.changed_files"] = some(changed, _NAMED_FILES)
    return tags


def _environment() -> str:
    """Hash the names and versions of all installed packages."""
    installed = sorted({_name_and_version(each).lower() for each in metadata.distributions()})
    return hashlib.sha256("\n".join(installed).encode()).hexdigest()


def _name_and_version(package: metadata.Distribution) -> str:
    """Read the two lines that count; to parse all lines of some hundred packages would slow every stage's start."""
    text = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
    pairs = (line.partition(": ") for line in text.partition("\n\n")[0].splitlines())
    found = {name: value for name, _, value in pairs}
    return f"{found.get('Name')}=={found.get('Version')}"


def processor() -> str:
    """Name the processor and its vector instructions, such as `AMD EPYC (family 25 model 17), avx2 avx512f`."""
    return ", ".join(filter(None, (processor_name(), " ".join(processor_features()))))


def host_tags() -> dict[str, str]:
    """Tags `host.*`: the machine that this process runs on."""
    import psutil

    total = psutil.virtual_memory().total
    gibibytes = min(total, memory_quota() or total) / 2**30
    tags = {
        "host.platform": platform.platform(),
        "host.cpus": str(usable_cores()),
        "host.cpu": processor(),
        "host.memory_gib": f"{gibibytes:.1f}",
    }
    return tags | ({"host.gpus": ", ".join(found)} if (found := gpus("name")) else {})


def gpus(fields: str) -> list[str] | None:
    """List NVIDIA's GPUs, each by fields of `nvidia-smi --query-gpu`; none without that tool, None where it fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().splitlines()


def machine(tags: Mapping[str, str]) -> dict[str, str]:
    """Pick what names versions and machine."""
    return {name: word for name, word in tags.items() if name.startswith(("host.", "version.", "env."))}


def words_of(tags: Mapping[str, str]) -> str:
    """Name a machine in words, such as `2 cores of AMD EPYC, avx2, NVIDIA H200`; older results do not tell all."""
    cores = f"{tags.get('host.cpus', 'some')} cores of {tags.get('host.cpu', 'a processor that was not recorded')}"
    return ", ".join(filter(None, (cores, tags.get("host.gpus"))))


def on_machine(tags: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """Replace the versions and the machine that tags name by others, if those are known."""
    own = machine(tags) if there else {}
    return {name: word for name, word in tags.items() if name not in own} | dict(there)


def this_machine(root: Path) -> dict[str, str]:
    """Name versions and machine of this process."""
    return machine(provenance_tags(root))
