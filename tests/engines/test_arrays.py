"""The job scripts of docs/scale.md, run as plain processes: what Slurm would start, killed at bad moments.

Nothing of the scripts but their comments is Slurm's, so that only the queue itself is left out here.
"""

import re
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from waiting import wait_until

from tests.clone import ROOT, Clone
from tests.components.small_dataset import contents
from tests.engines.processes import Processes, kill

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
PAGE = (ROOT / "docs/scale.md").read_text()
SUBMITTED = re.search(r"sbatch --parsable --dependency\S+ (\S+) (.+)\)\nsbatch \S+ (\S+)\n", PAGE)
EMBEDDED = ("-S", "runtime.beam_runner=FnApiRunner", "-S", "runtime.beam_options=[]")


@pytest.fixture
def clone(tmp_path) -> Clone:
    """A checkout with an environment, and params.yaml changed as the page says."""
    made = Clone(tmp_path)
    activate = made.root / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    (made.root / ".alexnet").mkdir()
    settings = re.search(r"```yaml\n(runtime:.*?)```", PAGE, re.DOTALL)
    assert settings
    for key, value in YAML(typ="safe").load(settings[1])["runtime"].items():
        made.edit(f"runtime.{key}", value)
    made.edit("preprocess.images_per_shard", 2)
    return made


def await_shards(clone: Clone, number: int) -> None:
    """Wait until a stage has so many shards and goes on."""
    wait_until(lambda: len(list(clone.root.glob("data/records/.*.partial/*.tfrecord"))) >= number, 300)


def test_the_run_ends_at_the_embedded_bytes_with_a_killed_driver_a_killed_and_a_late_worker(clone, tmp_path):
    assert SUBMITTED
    driver_script, stages, worker_script = SUBMITTED.groups()
    (tmp_path / "logs").mkdir()
    with Processes(tmp_path / "logs", cwd=clone.root, environment=clone.environment()) as jobs:

        def driver():
            return jobs.start("bash", driver_script, *stages.split(), SLURM_JOB_ID="7")

        def worker(task: int):
            return jobs.start("bash", worker_script, SLURM_ARRAY_JOB_ID="8", SLURM_ARRAY_TASK_ID=str(task))

        first = driver()
        of_first = worker(0)
        await_shards(clone, 10)
        kill(first)
        assert of_first.wait(60) == 0  # it leaves with its scheduler

        second = driver()
        lost = worker(0)
        await_shards(clone, 20)
        assert lost.poll() is None
        kill(lost)
        late = worker(1)
        assert second.wait(400) == 0
        assert late.wait(60) == 0
        assert not (clone.root / ".alexnet/scheduler.json").exists()

    first_log, second_log = ((tmp_path / "logs" / name).read_text() for name in ("0.log", "2.log"))
    assert "Running stage 'validate'" in first_log
    assert "Stage 'validate' didn't change, skipping" in second_log
    assert "'preprocess@large' didn't change, skipping" in clone.run("dvc", "repro", *stages.split()).stdout
    outputs = [clone.root / name for name in ("data/records", "data/statistics", "reports/validate")]
    found = [contents(folder) for folder in outputs]
    for command in (["validate"], *([stage, size] for size in ("large", "small") for stage in stages.split()[1:])):
        clone.run("alexnet", *command, *EMBEDDED)
    assert [contents(folder) for folder in outputs] == found
