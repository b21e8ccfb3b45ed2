import os
import shutil
import subprocess
import time

import numpy as np

from alexnet_tf.training.checkpoint import Checkpoint, State
from pipeline.config.load import load
from pipeline.environment.lock import locked
from pipeline.runner import run_stage
from pipeline.stages.fingerprint import fingerprint
from tests.pipeline.commands.test_doctor import findings


def test_checkpoints_of_other_trainings_are_named_with_their_size_and_left_alone(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    assert findings()["checkpoint"]["found"] == "none kept"
    folder = workspace.scratch / "checkpoints"

    def keep(name, days):
        (folder / name).mkdir(parents=True)
        for file, each in (("checkpoint.safetensors", days), ("first.npz", 30)):
            (folder / name / file).write_bytes(bytes(3_000_000))
            os.utime(folder / name / file, (0, time.time() - each * 86400))
        os.utime(folder / name, (0, time.time() - days * 86400))

    keep("aaaa1111bbbb2222", 1)
    finding = findings()["checkpoint"]
    assert finding["level"] == "ok"
    assert finding["found"] == "1 for different parameters, data or code, 6 MB: aaaa1111bbbb… 6 MB"
    *_, removal = finding["fix"].partition("rm -r ")
    assert removal == ".alexnet/checkpoints/aaaa1111bbbb2222"
    keep("cccc3333dddd4444", 8)
    assert findings()["checkpoint"]["level"] == "warn"
    shutil.rmtree(removal)
    assert findings()["checkpoint"]["found"] == "1 for different parameters, data or code, 6 MB: cccc3333dddd… 6 MB"


def test_half_written_outputs_are_named_with_their_size_unless_their_stage_runs(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    assert findings()["leftovers"]["level"] == "ok"
    partial = workspace.root / "data/.dataset.partial"
    partial.mkdir(parents=True)
    (partial / "shard").write_bytes(bytes(3_000_000))
    with locked(workspace.stage_lock("download"), print):
        assert findings()["leftovers"]["level"] == "ok"
    finding = findings()["leftovers"]
    assert finding["found"] == "half-written outputs of killed stages, 3 MB: data/.dataset.partial"
    assert finding["fix"] == "rm -r data/.dataset.partial"
    subprocess.run(finding["fix"].split(), check=True)
    assert findings()["leftovers"]["level"] == "ok"


def test_the_checkpoint_of_a_present_training_says_where_it_stands(workspace, monkeypatch):
    monkeypatch.chdir(workspace.root)
    config = load(workspace.root)
    for stage, key in (("download", ""), ("validate", ""), ("preprocess", "small"), ("statistics", "small")):
        run_stage(workspace, config, config.item(stage, key))
    item = config.item("train", "optimized")
    folder = workspace.scratch / "checkpoints" / fingerprint(workspace.root, item, config.params[item.address])
    Checkpoint(folder, "float32").save(State(1200, 50, step=410), {"weights": np.zeros(3)}, {})
    expected = "train@optimized: step 410 of 1,200, epoch 9 of 24; `dvc repro` resumes it"
    assert findings()["checkpoint"] == {"name": "checkpoint", "level": "ok", "found": expected, "fix": ""}
    with locked(workspace.lock(folder.name), print):
        assert findings()["checkpoint"]["found"] == expected.replace("`dvc repro` resumes it", "it is running now")
    path = workspace.root / "params.yaml"
    path.write_text(path.read_text().replace("epochs: 30", "epochs: 31"))
    with locked(workspace.lock(folder.name), print):  # with -S, or in a queued experiment
        finding = findings()["checkpoint"]
        assert finding["found"].startswith("another training: step 410 of 1,200, ")
        assert "rm " not in finding["fix"]
    assert findings()["checkpoint"]["found"].startswith("1 for different parameters, data or code, ")
    path.write_text(path.read_text().replace("epochs: 31", "epochs: 30"))
    (folder / "checkpoint.safetensors").write_bytes(b"half")
    assert "checkpoint.safetensors is damaged or not a file of this project" in findings()["checkpoint"]["found"]
