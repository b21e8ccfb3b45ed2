import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.images import decode, to_square
from alexnet_tf.errors import ConfigError, DataError
from components import conversion, download, preprocess
from components.conversion import convert
from components.interfaces import BeamRuntime, Runtime
from components.sources.imagenet2012 import imagenet2012_source
from tests.components.small_dataset import contents, download_params, jpeg, preprocess_params
from tests.components.sources.test_imagenet2012 import class_folders, kaggle

RUNTIME = Runtime(beam=BeamRuntime(num_workers=2))


@pytest.fixture
def folder(tmp_path):
    for number in range(30):
        split, name = ("train", "val")[number % 5 == 0], f"class {number % 2}"
        path = tmp_path / "photos" / split / name / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number, width=40 + number, height=30 + number % 7, orientation=number % 9))
    return tmp_path / "photos"


def run(source: Path, destination: Path, size=32, encoding="png"):
    return convert(source, destination, size=size, encoding=encoding, max_pixels=10_000, runtime=RUNTIME)


def test_every_image_becomes_a_square_at_its_place(folder, tmp_path):
    report = run(folder, tmp_path / "out")
    assert report == {"size": 32, "encoding": "png", "num_images": 30, "rejected": [], "ignored": []}
    for path in folder.rglob("*.jpg"):
        made = (tmp_path / "out" / path.relative_to(folder)).with_suffix(".png")
        expected = to_square(decode(path.read_bytes(), max_pixels=10_000), 32)
        np.testing.assert_array_equal(np.asarray(Image.open(made)), expected)
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 31


def test_the_records_of_converted_images_hold_the_same_pixels(folder, tmp_path):
    run(folder, tmp_path / "out")
    pixels = []
    for number, source in enumerate((folder, tmp_path / "out")):
        dataset, records = tmp_path / f"dataset{number}", tmp_path / f"records{number}"
        params = download_params("image_folder", validation_share=0.3)
        download.run(download.Inputs(), download.Outputs(dataset), params, Runtime(source_folder=source))
        (tmp_path / "verdict.json").write_text('{"verdict": "pass"}')
        settings = preprocess_params(32, max_pixels=10_000)
        inputs = preprocess.Inputs(dataset, tmp_path / "verdict.json")
        preprocess.run(inputs, preprocess.Outputs(records), settings, RUNTIME)
        from alexnet_tf.data.record_dataset import RecordDataset

        split = RecordDataset.open(records, "test")
        stems = [key.rpartition(".")[0] for key in split.keys()]  # noqa: SIM118
        pixels.append({stem: image.tobytes() for stem, image in zip(stems, split.read(range(len(stems))), strict=True)})
    assert pixels[0] == pixels[1]
    assert len(pixels[0]) == 6


def test_what_cannot_be_used_is_listed_and_the_rest_converted(folder, tmp_path):
    (folder / "train" / "class 0" / "empty.jpg").touch()
    (folder / "train" / "class 0" / "gone.jpg").symlink_to("nowhere")
    (folder / "train" / "class 0" / "phone.heic").write_bytes(b"an image that is not read")
    (folder / "synset_words.txt").write_text("n01440764 tench\n")  # is copied
    report = run(folder, tmp_path / "out")
    assert report["num_images"] == 30
    assert report["rejected"] == [
        {"file": "train/class 0/empty.jpg", "reason": "empty file"},
        {"file": "train/class 0/gone.jpg", "reason": "a link that leads nowhere"},
    ]
    (ignored,) = report["ignored"]
    assert (ignored["count"], ignored["examples"]) == (1, ["train/class 0/phone.heic"])
    assert "heic" in ignored["reason"].lower()
    assert json.loads((tmp_path / "out" / "conversion.json").read_text()) == report


@pytest.mark.parametrize("num_workers", [1, 3])
def test_any_number_of_workers_writes_the_same(folder, tmp_path, monkeypatch, num_workers):
    monkeypatch.setattr(conversion, "FILES_PER_TASK", 4)
    run(folder, tmp_path / "two")
    runtime = Runtime(beam=BeamRuntime(num_workers=num_workers))
    convert(folder, tmp_path / "other", size=32, encoding="png", max_pixels=10_000, runtime=runtime)
    assert contents(tmp_path / "other") == contents(tmp_path / "two")


def test_workers_may_have_another_current_folder(folder, tmp_path, monkeypatch):
    """Those of a cluster have; the names on the command line are relative to the caller's."""

    def elsewhere(function, tasks, **_):
        monkeypatch.chdir("/")
        found = [function(task) for task in tasks]
        monkeypatch.chdir(tmp_path)
        return found

    monkeypatch.setattr(conversion, "run_shards", elsewhere)
    monkeypatch.chdir(tmp_path)
    assert run(Path(folder.name), Path("squares"))["num_images"] == 30
    assert len(list((tmp_path / "squares").rglob("*.png"))) == 30


@pytest.mark.parametrize("layout", ["kaggle", "class folders"])
def test_converted_imagenet_keeps_its_classes_and_their_words(tmp_path, layout):
    source = kaggle(tmp_path / "in", "csv") if layout == "kaggle" else class_folders(tmp_path / "in")
    assert run(source, tmp_path / "out")["rejected"] == [
        {"file": "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG", "reason": "no known image format"}
    ] * (layout == "kaggle")
    before, after = (imagenet2012_source(folder) for folder in (source, tmp_path / "out"))
    assert after.class_names == before.class_names == ("tench", "crane (n02012849)", "crane (n03126707)")
    for split, count in (("train", 12), ("test", 6)):
        labels = [
            {raw.key.rpartition(".")[0]: raw.label for raw in found.read(split, np.arange(count))}
            for found in (before, after)
        ]
        assert labels[0] == labels[1]


def test_a_name_as_long_as_names_get_is_kept(tmp_path):
    name = "x" * 251
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{name}.jpg").write_bytes(jpeg(1))
    assert run(tmp_path / "in", tmp_path / "out")["num_images"] == 1
    assert (tmp_path / "out" / f"{name}.png").is_file()


def test_jpeg_is_close(folder, tmp_path):
    run(folder, tmp_path / "out", encoding="jpeg")
    path = folder / "val" / "class 0" / "0.jpg"
    made = np.asarray(Image.open(tmp_path / "out" / "val" / "class 0" / "0.jpeg"), int)
    expected = to_square(decode(path.read_bytes(), max_pixels=10_000), 32)
    assert np.abs(made - expected).mean() < 2


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (["a.jpg", "a.png"], ["a.jpg.png", "a.png.png"]),
        (["a.jpg", "a.png", "a.jpg.jpeg"], ["a.jpg.jpeg.png", "a.jpg.png", "a.png.png"]),
    ],
)
def test_names_that_would_be_one_stay_apart(tmp_path, names, made):
    (tmp_path / "in").mkdir()
    for number, name in enumerate(names):
        Image.open(io.BytesIO(jpeg(number))).save(tmp_path / "in" / name)
    assert run(tmp_path / "in", tmp_path / "out")["num_images"] == len(names)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*made, "conversion.json"]


def test_after_a_kill_it_goes_on_and_ends_the_same(folder, tmp_path, monkeypatch):
    run(folder, tmp_path / "whole")
    monkeypatch.setattr(conversion, "FILES_PER_TASK", 4)
    real, made = conversion._encoded, []

    def stop_half_way(image, encoding):
        if len(made) >= 11:
            raise OSError(28, "No space left on device")
        made.append(1)
        return real(image, encoding)

    monkeypatch.setattr(conversion, "_encoded", stop_half_way)
    with pytest.raises(OSError, match="No space"):
        run(folder, tmp_path / "out")
    assert not (tmp_path / "out" / "conversion.json").exists()
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert done
    monkeypatch.setattr(conversion, "_encoded", real)
    with pytest.raises(DataError, match="found a conversion with different settings"):
        run(folder, tmp_path / "out", size=16)
    run(folder, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())


def test_a_destination_that_will_not_do_is_refused(folder, tmp_path):
    with pytest.raises(ConfigError, match="expected a folder outside of"):
        run(folder, folder / "squares")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="expected a folder or a new name, found a file"):
        run(folder, tmp_path / "file")
    with pytest.raises(DataError, match="found files in it"):
        run(folder, tmp_path)
    for source in ("none", "file"):
        with pytest.raises(ConfigError, match="expected a folder of images, found none"):
            run(tmp_path / source, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected image files, found none"):
        run(tmp_path / "empty", tmp_path / "out")


def test_what_preprocess_would_reject_for_its_size_is_rejected(folder, tmp_path):
    Image.new("RGB", (200, 60)).save(folder / "train/class 0/large.png")
    report = run(folder, tmp_path / "out")
    assert report["num_images"] == 30
    ((file, reason),) = (entry.values() for entry in report["rejected"])
    assert file == "train/class 0/large.png"
    assert reason == "too many pixels (200 x 60)"
