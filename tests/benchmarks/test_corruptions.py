import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from alexnet_tf.errors import DataError
from benchmarks import corruptions as module
from benchmarks import pages, results
from benchmarks.corruptions import CHANGES, CIFAR10, Images, corrupted


@pytest.fixture
def corruptions(tmp_path, monkeypatch):
    """A folder of its own, with a model `mine` that knows three of four clean images and no others."""
    asked = []

    def right(model, images, view, strategy):
        assert model.folder == (tmp_path / "models" / "mine").resolve()
        asked.append(view)
        return (images.pixels == 7).all(axis=(1, 2, 3)) & (images.labels < 3)

    for folder in ("models/mine", "benchmarks/results"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("model.json", "mean.npy", "weights.safetensors"):
        (tmp_path / "models" / "mine" / name).write_text("{}")
    split = Images(np.full((4, 8, 8, 3), 7, np.uint8), np.arange(4))
    split.class_names = CIFAR10
    strategy = SimpleNamespace(make_strategy=lambda devices: None)
    monkeypatch.setitem(sys.modules, "alexnet_tf.devices.strategy", strategy)
    monkeypatch.setattr(results, "FOLDER", tmp_path / "benchmarks" / "results")
    monkeypatch.setattr(module, "RecordDataset", SimpleNamespace(open=lambda records, name: split))
    monkeypatch.setattr(module, "TEST_IMAGES", 4)
    classifier = SimpleNamespace(require_trained_on=lambda records: None)
    monkeypatch.setattr(
        module, "in_float32", lambda folder, strategy: SimpleNamespace(folder=folder, **vars(classifier))
    )
    monkeypatch.setattr(module, "right", right)
    monkeypatch.setattr(module, "describe", lambda: ["a machine"])
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "main", lambda: None)
    return SimpleNamespace(
        asked=asked, split=split, classifier=classifier, command=["--model", str(tmp_path / "models/mine")]
    )


ONE = ["--only", "brightness × 0.5"]
OTHER = "a,none,center,100,0.0800,0.0700,0.0900,0.0000,0.0000,0.0000,0123456789ab,another machine"


def csv(tmp_path):
    return tmp_path / "benchmarks" / "results" / "corruptions.csv"


def test_rows_of_a_folder_have_its_name_and_leave_those_of_other_models(corruptions, tmp_path, monkeypatch):
    header = f"{','.join(module.COLUMNS)},machine"
    gone = OTHER.replace("none", "a corruption of before")
    csv(tmp_path).write_text(f"{header}\n{OTHER}\n{gone}\n")
    for _ in range(2):  # the second time replaces the rows of the first
        found = CliRunner().invoke(module.main, [*corruptions.command, *ONE])
        assert found.exit_code == 0, found.output
        written = csv(tmp_path).read_text().splitlines()
        assert written[:2] == [header, OTHER]
        assert [line[:30] for line in written[2:]] == [
            "mine,none,center,4,0.2500,0.04",
            "mine,brightness × 0.5,center,4",
        ]
        assert ",1.0000," in written[3]
        assert [line.rpartition(",")[2] for line in written[2:]] == ["a machine"] * 2
    assert corruptions.asked == ["center", "center"]  # once for each row
    monkeypatch.setattr(module, "TEST_IMAGES", 5)
    assert CliRunner().invoke(module.main, corruptions.command).output.startswith("mine none center 4 0.2500")
    assert csv(tmp_path).read_text().splitlines() == written


def test_rows_of_another_model_of_the_name_go_and_those_of_unknown_ones_stay(corruptions, tmp_path):
    assert CliRunner().invoke(module.main, [*corruptions.command, *ONE]).exit_code == 0
    before = csv(tmp_path).read_text()
    (tmp_path / "models" / "mine" / "weights.safetensors").write_text("{...}")
    assert CliRunner().invoke(module.main, [*corruptions.command, "--only", "no colour"]).exit_code == 0
    names = [each["corruption"] for each in results.load("corruptions")[1]]
    assert names == ["none", "no colour"]
    # As files were written before they had the column.
    old = [{name: value for name, value in each.items() if name != "model_hash"} for each in rows_of(before)]
    results.write("corruptions", old)
    assert CliRunner().invoke(module.main, [*corruptions.command, "--only", "no colour"]).exit_code == 0
    found = {each["corruption"]: each["model_hash"] for each in results.load("corruptions")[1]}
    assert list(found) == ["none", "brightness × 0.5", "no colour"]
    assert found["brightness × 0.5"] == ""
    assert found["none"] == found["no colour"] != ""


def rows_of(text: str) -> list[dict[str, str]]:
    header, *lines = text.splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def test_what_was_measured_by_other_versions_or_code_is_measured_again(corruptions, tmp_path, monkeypatch):
    invoked = [*corruptions.command, "--only", "none"]
    code = tmp_path / "code.py"
    code.write_text("1")
    monkeypatch.setattr(module, "__file__", str(code))
    changes = [
        lambda: None,
        lambda: code.write_text("2"),
        lambda: monkeypatch.setattr(module, "describe", lambda: ["a machine, pillow 99"]),
        lambda: (tmp_path / "models" / "mine" / "mean.npy").write_text("another"),
        lambda: (tmp_path / "models" / "mine" / "model.json").write_text("{ }"),
        lambda: None,
    ]
    times = []
    for change in changes:
        change()
        assert CliRunner().invoke(module.main, invoked).exit_code == 0
        times.append(len(corruptions.asked))
    assert times == [1, 2, 3, 4, 5, 5]


def test_records_of_other_classes_are_refused_and_other_data_sets_are_not_kept(corruptions, tmp_path):
    def refuse(records):
        assert records is corruptions.split
        raise DataError("the model knows 10 classes")

    corruptions.split.class_names = ("cat", "dog")
    assert CliRunner().invoke(module.main, [*corruptions.command, *ONE]).exit_code == 0
    assert not csv(tmp_path).exists()
    corruptions.classifier.require_trained_on = refuse
    found = CliRunner().invoke(module.main, [*corruptions.command, *ONE])
    assert (found.exit_code, "error: the model knows 10 classes" in found.output) == (1, True)


def test_without_records_or_images_it_says_so(tmp_path):
    found = CliRunner().invoke(module.main, ["--records", str(tmp_path)])
    assert found.exit_code == 1
    assert "manifest.json does not exist, expected the data of the stage preprocess" in found.output
    assert CliRunner().invoke(module.main, ["--images", "0"]).exit_code == 2


def test_the_classes_are_those_of_the_kept_model(root):
    import json

    assert list(CIFAR10) == json.loads((root / "results/pretrained/cifar10/model.json").read_text())["class_names"]


def test_a_kept_model_is_found_by_its_name_and_another_word_is_refused(corruptions, tmp_path):
    kept = tmp_path / "results" / "pretrained" / "kept"
    kept.mkdir(parents=True)
    (kept / "model.json").write_text("{}")
    assert module.model_folder("kept") == kept
    found = CliRunner().invoke(module.main, ["--model", "keep"])
    assert found.exit_code == 2
    assert "models/optimized, or a kept one (cifar10, cifar10_jpeg, kept), got keep" in found.output


def test_corruptions_change_what_they_say_and_noise_is_that_of_the_image():
    pixels = np.random.default_rng(0).integers(60, 190, (3, 32, 32, 3), np.uint8)
    clean = Images(pixels, np.arange(3))
    found = {name: corrupted(clean, change).pixels.astype(int) for name, change in CHANGES.items()}
    assert np.array_equal(found.pop("none"), clean.pixels)
    changed = {name: np.abs(pixels - clean.pixels).mean() for name, pixels in found.items()}
    assert min(changed.values()) > 0
    assert found["JPEG, quality 25"].shape == clean.pixels.shape
    assert changed["JPEG, quality 25"] > changed["JPEG, quality 90"]
    assert changed["JPEG, quality 75"] > changed["JPEG, quality 75, all colours kept (4:4:4)"]
    assert (found["noise, σ 4 of 255"] - clean.pixels).std() == pytest.approx(4, rel=0.03)
    assert found["brightness × 0.5"].mean() == pytest.approx(clean.pixels.mean() / 2, rel=0.02)
    assert np.array_equal(found["pixelated, 16 x 16"][:, ::2, ::2], found["pixelated, 16 x 16"][:, 1::2, 1::2])
    assert np.ptp(found["no colour"], axis=-1).max() == 0
    alone = corrupted(Images(clean.pixels[:2], clean.labels[:2]), CHANGES["noise, σ 8 of 255"]).pixels
    assert np.array_equal(alone, found["noise, σ 8 of 255"][:2])
