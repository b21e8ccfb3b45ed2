import multiprocessing
import time

import pytest
from click.testing import CliRunner

from alexnet_tf.data.tfrecord import read_shard
from benchmarks import data_side, generated_jpegs, results
from benchmarks.generated_jpegs import make_dataset
from benchmarks.noise_records import write_records


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("")
    found = CliRunner().invoke(data_side.main, ["--jpeg", "1000", "--folder", str(tmp_path)])
    assert found.exit_code == 2
    assert "expected a folder that does not exist yet, found one" in " ".join(found.output.split())
    assert (tmp_path / "mine").exists()


def test_a_process_that_fails_ends_the_measurement_with_a_sentence(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(data_side, "make_dataset", lambda folder, images: folder.mkdir())
    monkeypatch.setattr(results, "write", lambda *_: pytest.fail("written"))
    found = CliRunner().invoke(data_side.main, ["--jpeg", "1000", "--folder", str(tmp_path / "new")])
    assert found.exit_code == 1
    assert "error: benchmarks.data_side.stage(" in found.output
    assert "failed with exit code 1: see above" in found.output
    assert "manifest.json does not exist" in capfd.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_pool_writes_every_image_and_its_time_begins_when_all_processes_are_ready(tmp_path, monkeypatch):
    make_dataset(tmp_path / "dataset", 3)
    (tmp_path / "records").mkdir()
    write_records(tmp_path / "records", 3)
    clock, ready = time.perf_counter, []
    monkeypatch.setattr(time, "perf_counter", lambda: ready.append(len(multiprocessing.active_children())) or clock())
    kept = []
    monkeypatch.setattr(data_side.shutil, "rmtree", lambda folder: kept.append(folder))
    found = data_side.stage("pool", "raw", str(tmp_path), 2)
    [shard] = (tmp_path / "pool").glob("*")
    assert kept == [tmp_path / "pool"]
    assert len(list(read_shard(shard))) == 3
    assert found["bytes"] == shard.stat().st_size
    assert ready == [2, 2]
    assert data_side.stage("read", "raw", str(tmp_path), 1)["bytes"] == 0


def test_every_stage_runs_on_what_the_one_before_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(generated_jpegs, "CLASSES", 3)
    make_dataset(tmp_path / "dataset", 3)
    found = {name: data_side.stage(name, "jpeg", str(tmp_path), 1) for name in data_side.STAGES}
    assert list(found) == ["validate", "preprocess", "statistics"]
    assert all(each["bytes"] > 0 < each["seconds"] for each in found.values())
    assert data_side.stage("read", "jpeg", str(tmp_path), 1)["mib"] > 20
