"""What a container or a batch job may use of the machine, by Linux's control groups (version 2).

`docker run --cpus 2 --memory 8g` and the limits of Kubernetes are such quotas: the process sees all cores and all
memory of the machine, but is held up, or killed, where it uses more.
"""

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def cpu_quota() -> float | None:
    """Return how many cores' time this process may use, for example 1.5; None where nothing limits it."""
    quotas = [line.split() for line in _of_all_groups("cpu.max")]
    return min((int(time) / int(period) for time, period in quotas if time != "max"), default=None)


def memory_quota() -> int | None:
    """Return how many bytes of memory this process and the others of its group may use; None for no limit."""
    return min((int(line) for line in _of_all_groups("memory.max") if line != "max"), default=None)


def memory_left() -> int | None:
    """Return how many bytes are left of `memory_quota`; what is a cache of files counts as left."""
    left = []
    for group in _groups():
        limit, used = (_line(group / name) for name in ("memory.max", "memory.current"))
        if limit and used and limit != "max":
            left.append(int(limit) - int(used) + _file_cache(group))
    return min(left, default=None)


def _of_all_groups(name: str) -> list[str]:
    """Read a limit of this process's group and of all groups around it, as each of them holds."""
    return [line for group in _groups() if (line := _line(group / name))]


def _groups() -> list[Path]:
    try:
        lines = _MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return []
    own = next((_ROOT / line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    return [group for group in (own, *own.parents) if group.is_relative_to(_ROOT)] if own else []


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _file_cache(group: Path) -> int:
    pairs = (line.split() for line in (_line(group / "memory.stat") or "").splitlines())
    return next((int(value) for name, value in pairs if name == "inactive_file"), 0)
