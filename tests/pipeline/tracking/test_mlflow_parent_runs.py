"""A real `dvc repro` that is killed or stopped and started again: one row a variant, and each says how far it came."""

import os
import signal
import subprocess

import psutil
import pytest
from dvc_repository import Repository
from store import read_rows
from waiting import wait_until

VARIANTS = ("faithful", "optimized")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def interrupt(repository: Repository, moment: str, how: signal.Signals = signal.SIGKILL, *, uploader: bool = False):
    """Start `dvc repro`, end it at a moment, and let what is left come to rest.

    Args:
        repository: Where.
        moment: `in STAGE` or `before STAGE`, as DVC calls it.
        how: The signal that all its processes get.
        uploader: Whether the uploader gets it as well, as when the machine is gone.
    """
    paused = repository.root / "paused"
    paused.unlink(missing_ok=True)
    environment = repository.environment() | {"STUB_PAUSE": moment}
    with subprocess.Popen(
        ["dvc", "repro"],
        cwd=repository.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as dvc:
        wait_until(paused.exists, 300, process=dvc)
        if uploader:
            for process in _uploads(repository):
                process.kill()
        os.killpg(dvc.pid, how)
        dvc.communicate(timeout=60)
    if not uploader:
        repository.rows()


def _uploads(repository: Repository) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "pipeline.tracking.uploader" in words and str(repository.root) in words:
            found.append(process)
    return found


def told(repository: Repository) -> dict[str, str]:
    """Variant -> status of its row; each has one."""
    rows = read_rows(repository.root)
    assert len(rows) == len({row["variant"] for row in rows}), [(row["variant"], row["status"]) for row in rows]
    return {row["variant"]: row["status"] for row in rows}


def has_headlines(row) -> bool:
    wanted = {"train/kept_epoch", "test/center/top1_error", "test/ten_crop/top1_error"}
    return wanted <= row["metrics"].keys()


def test_whatever_interrupts_it_a_pipeline_run_is_one_row_a_variant(tmp_path):
    repository = Repository(tmp_path)
    interrupt(repository, "in statistics@large")
    assert told(repository) == dict.fromkeys(VARIANTS, "KILLED")

    interrupt(repository, "in train@faithful")
    assert told(repository) == dict.fromkeys(VARIANTS, "KILLED")
    interrupt(repository, "in train@faithful", signal.SIGINT)
    assert told(repository) == dict.fromkeys(VARIANTS, "KILLED")
    interrupt(repository, "in train@faithful", uploader=True)  # the next start reports it
    interrupt(repository, "before train@optimized", uploader=True)  # between stages: there is nothing to report

    interrupt(repository, "in evaluate@faithful", signal.SIGTERM)
    assert told(repository) == dict.fromkeys(VARIANTS, "KILLED")
    assert not any(has_headlines(row) for row in read_rows(repository.root))

    interrupt(repository, "before evaluate@optimized")
    assert told(repository) == {"faithful": "FINISHED", "optimized": "KILLED"}
    interrupt(repository, "in compare")
    assert told(repository) == dict.fromkeys(VARIANTS, "KILLED")
    for row in read_rows(repository.root):
        assert row["tags"]["alexnet.complete"] == "false"

    repository.run("dvc", "repro")
    rows = repository.rows()
    assert told(repository) == dict.fromkeys(VARIANTS, "FINISHED")
    for row in rows:
        assert has_headlines(row)
        assert row["tags"]["alexnet.complete"] == "true"
        assert row["points"]["train/loss"][-1] == (2, 1.0)
        assert "RUNNING" not in [run["status"] for run in row["runs"]]
    faithful = next(row for row in rows if row["variant"] == "faithful")
    trainings = [run["status"] for run in faithful["runs"] if run["name"] == "train@faithful"]
    assert trainings == ["KILLED", "KILLED", "KILLED", "FINISHED"]
    assert list((repository.root / ".alexnet/spool").iterdir()) == []

    # Other parameters open new rows. One that skips the training takes over the points of all its processes.
    repository.edit("batch_size: 64,", "batch_size: 32,")
    repository.run("dvc", "repro")
    new = [row for row in repository.rows() if row["id"] not in {row["id"] for row in rows}]
    assert sorted(row["variant"] for row in new) == sorted(VARIANTS)
    (curve,) = (row["points"]["train/loss"] for row in new if row["variant"] == "faithful")
    assert curve == faithful["points"]["train/loss"]
    assert len(curve) > 2
    for row in new:
        assert row["status"] == "FINISHED"
        assert row["tags"]["alexnet.complete"] == "true"


def test_a_failed_stage_is_a_failed_row_until_it_is_run_again(tmp_path):
    repository = Repository(tmp_path)
    repository.settings["STUB_FAIL"] = "train@optimized"
    assert repository.run("dvc", "repro", check=False).returncode
    repository.rows()
    assert told(repository) == dict.fromkeys(VARIANTS, "FAILED")
    del repository.settings["STUB_FAIL"]
    repository.run("dvc", "repro", "evaluate@optimized")
    repository.rows()
    assert told(repository) == {"faithful": "SCHEDULED", "optimized": "FINISHED"}
    repository.run("dvc", "repro")
    repository.rows()
    assert told(repository) == dict.fromkeys(VARIANTS, "FINISHED")
