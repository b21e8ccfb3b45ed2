import time

from alexnet_tf.training.checkpoint import Spent, Stopwatch


def test_it_counts_from_its_making_on_and_what_was_before():
    wall, cpu = time.monotonic(), time.process_time()
    watch = Stopwatch()
    while time.process_time() - cpu < 0.02:
        pass
    first = watch.read()
    assert 0.01 < first.wall_seconds <= time.monotonic() - wall
    assert 0.01 < first.cpu_seconds <= time.process_time() - cpu
    watch.earlier = Spent(wall_seconds=100.0, cpu_seconds=200.0)
    second = watch.read()
    assert 100 + first.wall_seconds <= second.wall_seconds <= 100 + time.monotonic() - wall
    assert 200 + first.cpu_seconds <= second.cpu_seconds <= 200 + time.process_time() - cpu
