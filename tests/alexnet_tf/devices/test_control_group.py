import pytest

from alexnet_tf.devices import control_group
from alexnet_tf.devices.processor import usable_cores


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes the control groups of a batch job: folder -> {file: content}."""
    monkeypatch.setattr(control_group, "_ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(control_group, "_MEMBERSHIP", tmp_path / "membership")
    (tmp_path / "membership").write_text("1:cpu:/other\n0::/job/step\n")

    def write(files):
        for name, content in files.items():
            (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "cgroup" / name).write_text(f"{content}\n")

    return write


def test_the_tightest_quota_of_all_groups_around_counts(groups):
    groups({"job/step/cpu.max": "max 100000", "job/cpu.max": "150000 100000", "cpu.max": "400000 100000"})
    groups({"job/step/memory.max": "max", "job/memory.max": str(8 * 2**30)})
    assert control_group.cpu_quota() == 1.5
    assert control_group.memory_quota() == 8 * 2**30


def test_a_part_of_a_core_is_a_core(groups, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert usable_cores() == 8
    groups({"job/cpu.max": "150000 100000"})
    assert usable_cores() == 2
    groups({"job/cpu.max": "10000 100000"})
    assert usable_cores() == 1
    groups({"job/cpu.max": "6400000 100000"})
    assert usable_cores() == 8


def test_a_cache_of_files_is_memory_that_is_left(groups):
    groups({"job/memory.max": "1000", "job/memory.current": "900", "job/memory.stat": "anon 300\ninactive_file 500"})
    assert control_group.memory_left() == 600
    groups({"job/memory.max": "max"})
    assert control_group.memory_left() is None


def test_without_groups_nothing_is_limited(groups, tmp_path):
    assert (control_group.cpu_quota(), control_group.memory_quota(), control_group.memory_left()) == (None, None, None)
    (tmp_path / "membership").unlink()
    assert (control_group.cpu_quota(), control_group.memory_quota(), control_group.memory_left()) == (None, None, None)
