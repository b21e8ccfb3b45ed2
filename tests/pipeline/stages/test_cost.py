from components.interfaces import SilentTracker
from pipeline.stages.cost import CostTracker, Meter, read_machine, read_timings
from pipeline.stages.table import STAGES, items


def test_a_run_costs_what_earlier_processes_spent_on_it_too():
    meter = Meter()
    tracker = CostTracker(SilentTracker(), meter)
    assert meter.read()["wall_seconds"] < 60
    tracker.metrics({"cost/earlier_wall_seconds": 1000.0, "cost/earlier_cpu_seconds": 2000.0, "train/loss": 1.0})
    assert meter.reported == {"earlier_wall_seconds": 1000.0, "earlier_cpu_seconds": 2000.0}
    assert 1000 < meter.read()["wall_seconds"] < 1060
    assert 2000 <= meter.read()["cpu_seconds"] < 2060


def test_the_machine_is_kept_with_the_cost(tmp_path):
    [item] = items(STAGES["download"], {})
    Meter().write(tmp_path, item, "abc", {"host.cpus": "2"})
    assert read_machine(tmp_path, item, "abc") == {"host.cpus": "2"}
    assert read_timings(tmp_path, item, "abc").keys() == {"wall_seconds", "cpu_seconds", "peak_memory_bytes"}
    assert (read_timings(tmp_path, item, "none"), read_machine(tmp_path, item, "none")) == ({}, {})
