import json

from pipeline.stages.fingerprint import content_digest, fingerprint
from tests.pipeline.test_runner import read_config, run_all


def test_the_fingerprint_follows_params_inputs_and_code_and_nothing_else(workspace):
    run_all(workspace, until="statistics")

    def now(*overrides):
        config = read_config(workspace, *overrides)
        return fingerprint(workspace.root, config.item("train", "faithful"), config.params["train@faithful"])

    first = now()
    assert now("runtime.beam_workers=9", "variants.optimized.training.epochs=2") == first
    assert now("variants.faithful.training.epochs=2") != first
    assert now("variants.faithful.profile=paper") != first
    code = workspace.root / "components/train.py"
    code.write_text(code.read_text() + "# changed\n")
    changed = now()
    assert changed != first
    (workspace.root / "data/records/large/params.json").write_text("{}")
    assert now() not in (first, changed)


def test_a_manifest_stands_for_its_folder(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "shard").write_text("a")
    first = content_digest(tmp_path)
    (tmp_path / "shard").write_text("b")
    assert content_digest(tmp_path) == first
    (tmp_path / "manifest.json").write_text(json.dumps({"sha256": 1}))
    assert content_digest(tmp_path) != first
