"""What the stages give to Beam: runners may hand one object to several steps, and try a task again."""

import pickle

import pytest

from components import conversion, preprocess, statistics, validate
from components.beam.run import run_shards
from components.beam.worker import run_task
from components.conversion import convert
from components.interfaces import BeamRuntime, Runtime
from tests.components.small_dataset import jpeg, preprocess_params, validate_params, write_dataset


@pytest.fixture
def carried_out(monkeypatch):
    """Carries tasks out here, one after the other and twice, and holds each against what it was before."""
    names = []

    def run_shards(function, tasks, **_):
        results = []
        for task in tasks:
            before = pickle.dumps(task)
            first = pickle.dumps(function(task))
            assert pickle.dumps(task) == before, f"{function.__name__} changed its task"
            results.append(function(task))
            assert pickle.dumps(results[-1]) == first, f"{function.__name__} gave another result the second time"
        names.append(function.__name__)
        return results

    for stage in (validate, preprocess, statistics, conversion):
        monkeypatch.setattr(stage, "run_shards", run_shards)
    return names


def test_tasks_are_left_alone_and_can_be_tried_again(tmp_path, carried_out):
    images = {split: [jpeg(10 * number + n) for n in range(6)] for number, split in enumerate(("train", "test"))}
    inputs = write_dataset(tmp_path, images)
    limits = validate_params(max_class_imbalance=9.0)
    reports = validate.Outputs(tmp_path / "report", tmp_path / "verdict.json")
    validate.run(validate.Inputs(inputs["dataset"], tmp_path / "schemas"), reports, limits, Runtime())
    records = preprocess.Outputs(tmp_path / "records")
    preprocess.run(preprocess.Inputs(**inputs), records, preprocess_params(16), Runtime())
    outputs = statistics.Outputs(tmp_path / "statistics")
    statistics.run(statistics.Inputs(records.records), outputs, statistics.Params(size=16), Runtime())
    convert(
        _folder(tmp_path / "files"), tmp_path / "squares", size=16, encoding="png", max_pixels=10_000, runtime=Runtime()
    )
    assert sorted(set(carried_out)) == ["convert_files", "look_at", "survey_shard", "write_shard"]


def _folder(path):
    (path / "tench").mkdir(parents=True)
    (path / "tench" / "1.jpeg").write_bytes(jpeg(1))
    return path


def square(task):
    return {"square": task**2}


def bug(task):
    return {}["missing"]


def test_an_error_of_the_operating_system_without_a_number_comes_with_its_words(tmp_path):
    def wordy(task):
        raise OSError("1000 requested and 120 written")

    with pytest.raises(RuntimeError, match=r"OSError: 1000 requested and 120 written\n"):
        run_shards(wordy, [1], runtime=Runtime(beam=BeamRuntime(num_workers=1)), scratch=tmp_path, description="d")


def test_what_a_lost_worker_had_done_is_not_done_again(tmp_path):
    settings = {"folder": str(tmp_path), "engine_retries": True}
    run_task((4, 3), function=square, **settings)
    run_task((4, 3), function=bug, **settings)  # which would leave an error
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"000004.result": '{"square": 9}'}


def test_a_task_is_not_begun_after_another_failed_or_the_stage_was_interrupted(tmp_path):
    run_task((4, 3), function=bug, folder=str(tmp_path / "gone"), engine_retries=False)
    (tmp_path / "failed").touch()
    run_task((5, 3), function=bug, folder=str(tmp_path), engine_retries=False)
    assert [path.name for path in tmp_path.iterdir()] == ["failed"]
