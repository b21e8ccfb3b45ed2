from components.interfaces import SilentTracker
from pipeline.stages.cost import CostTracker, Meter


def test_a_run_costs_what_earlier_processes_spent_on_it_too():
    meter = Meter()
    tracker = CostTracker(SilentTracker(), meter)
    assert meter.read()["wall_seconds"] < 60
    tracker.metrics({"cost/earlier_wall_seconds": 1000.0, "cost/earlier_cpu_seconds": 2000.0, "train/loss": 1.0})
    assert meter.reported == {"earlier_wall_seconds": 1000.0, "earlier_cpu_seconds": 2000.0}
    assert 1000 < meter.read()["wall_seconds"] < 1060
    assert 2000 <= meter.read()["cpu_seconds"] < 2060
