import base64
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from clone import PARAMS
from PIL import Image
from store import put_empty_store

from alexnet_tf.errors import AlexNetError
from pipeline.cli import alexnet
from pipeline.stages.dvc_lock import dvc_md5
from pipeline.tracking import model_registry

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A repository with a blessed export of `optimized`; what is registered is only noted."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    export, evaluation = tmp_path / "exports/optimized", tmp_path / "reports/evaluate/optimized"
    export.mkdir(parents=True)
    evaluation.mkdir(parents=True)
    (export / "saved_model").mkdir()
    write_blessing(export, blessed=True, value=0.25)
    (evaluation / "metrics.json").write_text(json.dumps({"ten_crop": {"top1_error": 0.25}}))
    (evaluation / "correct.npz").write_bytes(b"bits")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def write_blessing(export, *, blessed, value):
    (export / "blessing.json").write_text(json.dumps({"blessed": blessed, "rules": [{"value": value}]}))


def promote(variant="optimized"):
    return CliRunner().invoke(alexnet, ["promote", variant])


@pytest.fixture
def registered(monkeypatch):
    calls = []
    monkeypatch.setattr(model_registry, "register", lambda *arguments: calls.append(arguments) or "done")
    return calls


def test_the_champion_is_registered_and_its_bits_are_kept(workspace, registered):
    (workspace / "results/champions/optimized").mkdir(parents=True)
    (workspace / "results/champions/optimized/correct.npz").write_bytes(b"of the former one")
    result = promote()
    assert result.exit_code == 0, result.stderr
    assert registered == [(workspace, workspace / "exports/optimized", "optimized", "champion", {})]
    kept = workspace / "results/champions/optimized"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        "correct.npz": b"bits",
        "metrics.json": (workspace / "reports/evaluate/optimized/metrics.json").read_bytes(),
    }


def test_the_run_of_the_export_is_found_by_what_it_made(workspace, registered):
    """Its fingerprint is another one as soon as any variant has a new champion."""
    locked = {"outs": [{"path": "exports/optimized", "hash": "md5", "md5": "5e1f.dir"}]}
    stage = {"export@optimized": {"cmd": "alexnet export optimized", **locked}}
    (workspace / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stage}))
    assert promote().exit_code == 0
    *_, made_by = registered[0]
    assert made_by == {"dvc.stage": "export@optimized", "dvc.out.exports/optimized": "5e1f.dir"}


def test_nothing_is_kept_when_the_registry_refuses(workspace, monkeypatch):
    def refuse(*_):
        raise AlexNetError("MLflow's registry: no answer")

    monkeypatch.setattr(model_registry, "register", refuse)
    result = promote()
    assert result.exit_code == 1
    assert result.stderr == "error: MLflow's registry: no answer\n"
    assert not (workspace / "results").exists()


def test_what_cannot_be_champion_is_said_in_one_sentence(workspace, registered):
    write_blessing(workspace / "exports/optimized", blessed=False, value=0.25)
    assert "did not pass its gate" in promote().stderr
    write_blessing(workspace / "exports/optimized", blessed=True, value=0.3)
    assert "was judged by a different evaluation" in promote().stderr
    write_blessing(workspace / "exports/optimized", blessed=True, value=0.25)
    (workspace / "exports/optimized/saved_model").rmdir()
    assert "exports/optimized/saved_model is missing" in promote().stderr
    for content in ("{}", "[]", "{"):
        (workspace / "exports/optimized/blessing.json").write_text(content)
        assert "exports/optimized/blessing.json is missing or broken" in promote().stderr
    assert "run `dvc repro export@faithful`" in promote("faithful").stderr
    assert registered == []


def test_an_unknown_variant_is_a_usage_error(workspace, registered):
    result = promote("optimised")
    assert result.exit_code == 2
    assert "no entry 'optimised' in the section variants" in result.stderr
    assert "did you mean optimized?" in result.stderr
    assert registered == []


def test_a_dead_server_is_one_sentence(workspace, monkeypatch, free_port):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    with pytest.raises(AlexNetError, match=r"MLflow's registry: http://127.0.0.1:\d+ does not answer"):
        model_registry.register(workspace, workspace / "exports/optimized", "optimized", "challenger", {})


def test_the_way_out_of_a_damaged_store_is_told_whole(workspace, monkeypatch, capfd):
    way_out = "`mlflow db upgrade " + "a" * 300 + "` brings it up to date"
    monkeypatch.setattr(model_registry.store_problems, "problem", lambda home: way_out)
    monkeypatch.setattr(sys, "argv", ["", str(workspace), "exports/optimized", "optimized", "challenger", "{}"])
    assert model_registry.main() == 1
    assert capfd.readouterr().out == f"{way_out}\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy
def test_a_version_is_linked_to_the_run_that_made_the_export(workspace, monkeypatch):
    """Of one variant there are exports of several data sets; the newest is not always the one."""
    put_empty_store(workspace)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/mlflow.db")
    from pipeline.tracking.mlflow_client import Runs

    runs, rows = Runs(f"sqlite:///{workspace}/mlflow.db", workspace), {}
    for began, data_set in enumerate(("cifar10", "sample")):
        experiment = runs.experiment(data_set)
        rows[data_set] = runs.make(experiment, "optimized", began, {"alexnet.variant": "optimized"}, {})
        tags = {"mlflow.parentRunId": rows[data_set], "dvc.stage": "export@optimized", "alexnet.fingerprint": data_set}
        runs.make(experiment, "export@optimized", began, tags, {})
    export = workspace / "exports/optimized"
    monkeypatch.setattr(model_registry, "served", lambda folder, target: target.mkdir())
    found_by = (
        ("of one", {"alexnet.fingerprint": "cifar10"}),
        ("of another", {"alexnet.fingerprint": "sample"}),
        ("of none", {}),
    )
    for words, made_by in found_by:
        (export / "model_card.md").write_text(words)
        model_registry._register(workspace, export, "optimized", "challenger", made_by)
    found = runs.client.search_model_versions("name = 'alexnet-optimized'", order_by=["version_number ASC"])
    assert [each.run_id for each in found] == [rows["cifar10"], rows["sample"], None]


@pytest.mark.slow
def test_a_registered_model_is_served(workspace, free_port):
    from alexnet_tf.export import saved_model
    from tests.alexnet_tf.small_networks import classifier_of_six

    classifier, export = classifier_of_six(faithful=False), workspace / "exports/optimized"
    (export / "saved_model").rmdir()
    saved_model.save(classifier, export / "saved_model")
    (export / "model_card.md").write_text("# card\n")
    first = model_registry.register(workspace, export, "optimized", "challenger", {})
    assert first == "alexnet-optimized version 1 is challenger: models:/alexnet-optimized@challenger"
    again = model_registry.register(workspace, export, "optimized", "champion", {})
    assert again.startswith("alexnet-optimized version 1 is champion")
    (export / "model_card.md").write_text("# another\n")
    assert "version 2 is challenger" in model_registry.register(workspace, export, "optimized", "challenger", {})

    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{workspace / 'mlflow.db'}"}
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/alexnet-optimized@champion"]
    server = subprocess.Popen(
        [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(free_port)],
        cwd=workspace, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        file = io.BytesIO()
        pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        answer = ask(server, free_port, {"inputs": {"image": [base64.b64encode(file.getvalue()).decode()]}})
        texts = [base64.b64encode(each).decode() for each in (file.getvalue(), b"a line of text")]
        with pytest.raises(AssertionError) as refused:
            ask(server, free_port, {"inputs": {"image": texts}})
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    logits = classifier.model(classifier.views.ten(pixels[None])[0], training=False).numpy()
    mean = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).mean(axis=0)
    (top,) = answer["predictions"]
    assert top["classes"] == [classifier.class_names[index] for index in np.argsort(-mean)[:5]]
    np.testing.assert_allclose(top["probabilities"], -np.sort(-mean)[:5], rtol=1e-4)
    status, body = refused.value.args
    assert status == 400
    assert json.loads(body)["message"].startswith("image 1 (the first is 0) cannot be read: expected JPEG, PNG, ")
    assert len(body) < 400


def ask(server, port, body):
    """Post a request as soon as the server answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    for _ in range(240):
        time.sleep(0.5)
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.code, error.read()) from None
        except OSError:
            continue
    raise AssertionError("no answer within two minutes")


def test_an_export_of_another_model_with_the_same_error_is_no_champion(workspace, registered):
    evaluation = workspace / "reports/evaluate/optimized"
    dep = {"path": "reports/evaluate/optimized", "hash": "md5", "md5": dvc_md5(evaluation)}
    stage = {"export@optimized": {"cmd": "alexnet export optimized", "deps": [dep]}}
    (workspace / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stage}))
    assert promote().exit_code == 0
    (evaluation / "correct.npz").write_bytes(b"other")  # the top-1 error is that of before
    assert "was judged by a different evaluation than reports/evaluate/optimized; run `dvc" in promote().stderr
    assert len(registered) == 1
