import errno
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from alexnet_tf.errors import AlexNetError, ConfigError, DataError
from components.beam import run
from components.beam.run import run_shards
from components.beam.worker import run_task
from components.interfaces import BeamRuntime, Runtime
from tests.components.recorder import RecordingTracker


def square(task):
    return {"square": task**2}


def slow_square(task):
    time.sleep(0.15)
    return task**2


def fail_on_three(task):
    if task["number"] == 3:
        raise DataError("shard 3: expected a cat, found a dog.")
    Path(task["folder"], str(task["number"])).touch()
    return None


def disk_full(task):
    raise OSError(28, "No space left on device", "/somewhere")


def bug(task):
    return {}["missing"]


def runtime(num_workers=2, **settings):
    return Runtime(beam=BeamRuntime(num_workers=num_workers), **settings)


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_results_come_in_task_order(tmp_path, num_workers):
    results = run_shards(square, range(7), runtime=runtime(num_workers), scratch=tmp_path, description="square")
    assert results == [{"square": n**2} for n in range(7)]


@pytest.mark.parametrize(("num_workers", "started"), [(0, 5), (3, 3)])
def test_no_number_of_workers_is_one_for_each_core_that_may_be_used(monkeypatch, num_workers, started):
    from apache_beam.options.pipeline_options import DirectOptions

    monkeypatch.setattr(run, "usable_cores", lambda: 5)
    options = run._options(BeamRuntime(num_workers=num_workers)).view_as(DirectOptions)
    assert (options.direct_num_workers, options.direct_running_mode) == (started, "multi_threading")


def test_the_scratch_folder_is_left_as_it_was_found(tmp_path):
    run_shards(square, [1, 2], runtime=runtime(), scratch=tmp_path, description="square")
    assert list(tmp_path.iterdir()) == []


def test_no_tasks_give_no_results(tmp_path):
    assert run_shards(square, [], runtime=runtime(), scratch=tmp_path, description="square") == []


@pytest.mark.parametrize("num_workers", [1, 2])
def test_our_errors_come_back_as_raised_and_stop_the_rest(tmp_path, num_workers, capfd):
    done = tmp_path / "done"
    done.mkdir()
    tasks = [{"number": n, "folder": str(done)} for n in [3] * 20 + list(range(100, 200))]
    with pytest.raises(DataError, match=r"^shard 3: expected a cat, found a dog\.$") as raised:
        run_shards(fail_on_three, tasks, runtime=runtime(num_workers), scratch=tmp_path, description="fail")
    assert raised.value.__cause__ is None
    assert len(list(done.iterdir())) < 100
    assert list(tmp_path.iterdir()) == [done]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_full_disk_stays_an_os_error(tmp_path, num_workers, capfd):
    with pytest.raises(OSError, match="No space left on device: '/somewhere'"):
        run_shards(disk_full, [1], runtime=runtime(num_workers), scratch=tmp_path, description="fail")
    assert capfd.readouterr().err == ""


def test_a_bug_shows_the_line_in_the_worker(tmp_path):
    with pytest.raises(RuntimeError, match=r"KeyError: 'missing'\n(.|\n)*in bug\n"):
        run_shards(bug, [1, 2], runtime=runtime(), scratch=tmp_path, description="fail")


def test_progress_counts_shards_while_they_are_done(tmp_path):
    advances = []

    class Counter:
        @contextmanager
        def task(self, description, *, total, unit):
            advances.append((description, total, unit))
            yield self

        def advance(self, amount=1, **figures):
            advances.append(amount)

    run_shards(slow_square, range(8), runtime=runtime(progress=Counter()), scratch=tmp_path, description="squares")
    assert advances[0] == ("squares", 8, "shards")
    assert sum(advances[1:]) == 8
    assert len(advances) > 2, "the count moved only at the end"


def test_an_unknown_runner_is_one_sentence(tmp_path):
    wrong = Runtime(beam=BeamRuntime(runner="FlinkyRunner"))
    with pytest.raises(ConfigError, match=r"beam_runner: expected .* found 'FlinkyRunner'"):
        run_shards(square, [1], runtime=wrong, scratch=tmp_path, description="square")


def test_a_runner_that_ends_early_is_one_sentence(tmp_path):
    early = Runtime(beam=BeamRuntime(runner="tests.components.quitter.Quitter"))
    with pytest.raises(AlexNetError, match=r"expected the runner to carry out 3 tasks, found 3 not done when it ended"):
        run_shards(square, [1, 2, 3], runtime=early, scratch=tmp_path, description="square")


def test_a_wrong_option_is_one_sentence(tmp_path, capfd):
    wrong = Runtime(beam=BeamRuntime(options=("--direct_num_workers=many",)))
    with pytest.raises(ConfigError, match=r"argument --direct_num_workers: invalid int value: 'many'$"):
        run_shards(square, [1], runtime=wrong, scratch=tmp_path, description="square")
    assert capfd.readouterr().err == ""


def test_importing_this_module_does_not_import_beam():
    code = "import sys, components.beam.run; sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


LISTENING = """
import socket, sys
from pathlib import Path
from components.beam.run import run_shards
from components.interfaces import BeamRuntime, Runtime
from tests.components.beam.test_run import square

asked = []


def refuse(name, *arguments, **settings):
    asked.append(str(name))
    raise OSError("no network")


socket.getaddrinfo = socket.create_connection = refuse
beam = BeamRuntime(*sys.argv[2:], num_workers=2)
run_shards(square, [1, 2, 3], runtime=Runtime(beam=beam), scratch=Path(sys.argv[1]), description="square")
print(*asked)
"""


@pytest.mark.parametrize(("runner", "asks"), [([], False), (["DirectRunner"], True)])
def test_the_default_runner_tries_no_network_and_writes_nothing_to_the_terminal(tmp_path, runner, asks):
    """On its first run. Beam's own default tries one, which shows that such a try is seen here."""
    command = [sys.executable, "-c", LISTENING, tmp_path, *runner]
    ended = subprocess.run(command, env=os.environ | {"HOME": str(tmp_path)}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ("github.com" in ended.stdout) is asks
    assert asks or (ended.stdout, ended.stderr) == ("\n", "")


def test_a_portable_runner_gives_the_same(tmp_path):
    portable = Runtime(
        beam=BeamRuntime(runner="PortableRunner", options=("--job_endpoint=embed", "--environment_type=LOOPBACK"))
    )
    results = run_shards(square, range(5), runtime=portable, scratch=tmp_path, description="square")
    assert results == [{"square": n**2} for n in range(5)]


def test_a_dask_cluster_inside_this_process_is_refused(tmp_path):
    beam = BeamRuntime(runner="DaskRunner", options=("--dask_client_address=inproc://10.0.0.1/1/1",))
    with pytest.raises(ConfigError, match=r"a Dask cluster inside this process .* counts things twice"):
        run_shards(square, [1], runtime=Runtime(beam=beam), scratch=tmp_path, description="square")


def counted(task):
    return {"counters": {"images": task, "rejected": task % 2}}


@pytest.mark.parametrize("num_workers", [1, 2])
def test_counters_are_shown_and_tracked(tmp_path, num_workers):
    shown = {}

    class Screen:
        @contextmanager
        def task(self, description, *, total, unit):
            yield self

        def advance(self, amount=1, **figures):
            shown.update(figures)

    tracker = RecordingTracker()
    settings = runtime(num_workers, progress=Screen(), tracker=tracker)
    run_shards(counted, range(7), runtime=settings, scratch=tmp_path, description="look at")
    assert shown == {"images": 21, "rejected": 3}
    assert tracker.values == {"beam/look_at/images": 21, "beam/look_at/rejected": 3}


def test_the_graph_is_one_chain_of_two_steps(tmp_path, monkeypatch):
    import apache_beam

    run, pipelines = apache_beam.Pipeline.run, []
    monkeypatch.setattr(apache_beam.Pipeline, "run", lambda self, *args: pipelines.append(self) or run(self, *args))
    run_shards(square, [1, 2], runtime=runtime(), scratch=tmp_path, description="square")
    first, second = pipelines[0].transforms_stack[0].parts
    assert second.inputs == tuple(first.outputs.values())
    assert len(second.outputs) == 1
    assert not second.side_inputs


def test_beams_own_counters_say_the_same(tmp_path):
    import apache_beam

    with apache_beam.Pipeline(runner="FnApiRunner") as pipeline:
        tasks = pipeline | apache_beam.Create(list(enumerate([3, 4])))
        tasks | apache_beam.Map(run_task, function=counted, folder=str(tmp_path), engine_retries=False)
    found = {c.key.metric.name: c.committed for c in pipeline.result.metrics().query()["counters"]}
    assert (found["images"], found["rejected"]) == (7, 1)


def test_an_error_whose_task_went_well_later_is_passed_over(tmp_path):
    text = {"kind": "KeyError", "message": "lost worker", "trace": ""}
    (tmp_path / "000000.error").write_text(json.dumps(text))
    (tmp_path / "000000.result").write_text("1")
    assert run._results(tmp_path, 1, None) == [1]
    full = text | {"kind": "OSError", "arguments": [errno.ENOSPC, "No space left on device", "/x"]}
    (tmp_path / "000001.error").write_text(json.dumps(full))
    with pytest.raises(OSError, match="No space left") as caught:
        run._results(tmp_path, 2, None)
    assert caught.value.errno == errno.ENOSPC
