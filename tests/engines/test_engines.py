"""Real distributed engines, started as processes on this machine: every file of every Beam stage as embedded.

Dask: its own scheduler and two workers; also with one worker killed by SIGKILL half-way. Beam's portable job service
with an EXTERNAL worker pool: the protocol of Flink, Spark and Dataflow, with user code in a process of another parent.
"""

import os
import sys
import threading
from pathlib import Path

import pytest
from waiting import wait_until

from components import preprocess, statistics, validate
from components.conversion import convert
from components.interfaces import BeamRuntime, Runtime
from tests.components.small_dataset import contents, jpeg, preprocess_params, validate_params, write_dataset
from tests.engines.processes import Processes, kill
from tests.ports import await_port, free_ports

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(300),
    # Engines warn of their own libraries; here only the bytes count.
    pytest.mark.filterwarnings("ignore"),
]
ROOT = Path(__file__).resolve().parents[2]
PYTHON = (sys.executable, "-m")
SECONDS_TO_START = 60
IMAGES = 240


@pytest.fixture
def processes(tmp_path):
    (tmp_path / "logs").mkdir()
    here = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": here + os.pathsep + os.environ["PATH"],  # the worker pool starts its children as `python`
        "PYTHONPATH": str(ROOT),
        "MALLOC_TRIM_THRESHOLD_": "268435456",  # Dask's own 64 kB gives every buffer back: a third slower
    }
    with Processes(tmp_path / "logs", cwd=tmp_path, environment=environment) as started:
        yield started


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    images = [jpeg(n, width=200 + n, height=300) for n in range(IMAGES - 2)] + [b"", jpeg(1)[:-50]]
    made = write_dataset(tmp_path_factory.mktemp("inputs"), {"train": images, "test": images[:12]})
    for number, content in enumerate(images[-30:]):
        path = made["dataset"].parent / "photographs" / f"c{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return made


def run(inputs, folder: Path, beam: BeamRuntime) -> dict[str, bytes]:
    """Run all that runs on Beam (validate, preprocess, statistics, convert) and return all bytes that it wrote."""
    folder.mkdir()
    runtime = Runtime(beam=beam)
    limits = validate_params(
        max_corrupt_share=0.2, max_class_imbalance=2.0, allow_split_leakage=True, near_copy_bits=4,
        allow_near_leakage=True, max_aspect=9.0,
    )  # fmt: skip
    report = validate.Outputs(folder / "report", folder / "verdict.json")
    validate.run(validate.Inputs(inputs["dataset"], folder), report, limits, runtime)
    params = preprocess_params(128, max_corrupt_share=0.2, max_pixels=1_000_000, images_per_shard=20)
    preprocess.run(
        preprocess.Inputs(inputs["dataset"], report.verdict), preprocess.Outputs(folder / "records"), params, runtime
    )
    outputs = statistics.Outputs(folder / "statistics")
    statistics.run(statistics.Inputs(folder / "records"), outputs, statistics.Params(size=128), runtime)
    photographs = inputs["dataset"].parent / "photographs"
    convert(photographs, folder / "squares", size=64, encoding="png", max_pixels=1_000_000, runtime=runtime)
    written = contents(folder)
    assert {name.partition("/")[0] for name in written} == {
        "report", "verdict.json", "records", "statistics", "squares"
    }  # fmt: skip
    return written


@pytest.fixture(scope="module")
def embedded(inputs, tmp_path_factory):
    return run(inputs, tmp_path_factory.mktemp("embedded") / "out", BeamRuntime(num_workers=2))


class Cluster:
    """A Dask scheduler and two workers."""

    def __init__(self, processes: Processes):
        (port,) = free_ports(1)
        self.address = f"tcp://127.0.0.1:{port}"
        scheduler = processes.start(*PYTHON, "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
                                    "--port", str(port), "--no-dashboard")  # fmt: skip
        await_port(port, scheduler)
        self.workers = [
            processes.start(*PYTHON, "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny",
                            "--no-dashboard", "--host", "127.0.0.1")
            for _ in range(2)
        ]  # fmt: skip
        self.beam = BeamRuntime(runner="DaskRunner", options=(f"--dask_client_address={self.address}",))
        from distributed import Client

        with Client(self.address, timeout=SECONDS_TO_START) as client:
            client.wait_for_workers(2, timeout=SECONDS_TO_START)


def test_dask_gives_the_same_bytes(inputs, embedded, tmp_path, processes):
    assert run(inputs, tmp_path / "out", Cluster(processes).beam) == embedded


def test_dask_finishes_although_a_worker_is_killed_half_way_and_does_little_again(
    inputs, embedded, tmp_path, processes
):
    cluster = Cluster(processes)
    done: dict[Path, tuple[int, int]] = {}

    def kill_when_most_is_done() -> None:
        records = tmp_path / "out" / "records"
        wait_until(lambda: len(list(records.glob("*.tfrecord"))) >= 8, 300)
        done.update((path, _identity(path)) for path in records.glob("*.tfrecord"))
        kill(cluster.workers[0])

    watcher = threading.Thread(target=kill_when_most_is_done, daemon=True)
    watcher.start()
    assert run(inputs, tmp_path / "out", cluster.beam) == embedded
    watcher.join(30)
    assert len(done) >= 8
    # The shard in hand may have had its name, but not yet its summary.
    assert sum(_identity(path) != identity for path, identity in done.items()) <= 1


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def test_the_portable_job_service_with_an_external_worker_pool_gives_the_same_bytes(
    inputs, embedded, tmp_path, processes
):
    job, pool = free_ports(2)
    service = processes.start(*PYTHON, "apache_beam.runners.portability.local_job_service_main", "--port", str(job))
    workers = processes.start(*PYTHON, "apache_beam.runners.worker.worker_pool_main", "--service_port", str(pool))
    await_port(job, service)
    await_port(pool, workers)
    options = (f"--job_endpoint=127.0.0.1:{job}", "--environment_type=EXTERNAL",
               f"--environment_config=127.0.0.1:{pool}")  # fmt: skip
    assert run(inputs, tmp_path / "out", BeamRuntime(runner="PortableRunner", options=options)) == embedded
