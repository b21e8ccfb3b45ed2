import io
import json
import os
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli import alexnet


@pytest.fixture
def workspace(tmp_path, monkeypatch, classifier):
    """A repository with two trained models and a folder of photos."""
    from alexnet_tf.models.classifier import write_classifier

    (tmp_path / "params.yaml").touch()
    (tmp_path / "dvc.yaml").write_text("stages: {download: {cmd: alexnet download}}\n")
    (tmp_path / "models").mkdir()
    for name, error in (("faithful", 0.5), ("optimized", 0.2)):
        write_classifier(tmp_path / "models" / name, classifier)
        (tmp_path / "reports/evaluate" / name).mkdir(parents=True)
        metrics = json.dumps({"ten_crop": {"top1_error": error}})
        (tmp_path / "reports/evaluate" / name / "metrics.json").write_text(metrics)
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        photo(seed).save(photos / f"{seed}.JPG", "JPEG")
    (photos / "notes.txt").write_text("no image, and no suffix of one")
    (photos / ".hidden.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photo(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((40, 50))


def invoke(*arguments):
    return CliRunner().invoke(alexnet, ["predict", *map(str, arguments)])


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("center", [False, True])
def test_answers_are_those_of_the_evaluation(workspace, classifier, center):
    import tensorflow as tf

    from alexnet_tf.data.images import decode, to_square
    from alexnet_tf.metrics.top_k import softmax

    result = invoke("photos", "--json", *(["--center"] if center else []))
    assert result.exit_code == 0, result.stderr
    answers = lines(result)
    assert [answer["file"] for answer in answers] == [f"photos/{seed}.JPG" for seed in range(3)]
    for answer in answers:
        encoded = (workspace / answer["file"]).read_bytes()
        image = np.asarray(to_square(decode(encoded, max_pixels=10_000), 16))[None]
        views = classifier.views.ten(image)[0]
        views = views[4:5] if center else views
        mean = softmax(classifier.model(tf.constant(views), training=False).numpy()).mean(axis=0)
        best = np.argsort(-mean)[:5]
        assert [guess["class"] for guess in answer["top"]] == [classifier.class_names[index] for index in best]
        np.testing.assert_allclose([guess["probability"] for guess in answer["top"]], mean[best], atol=2e-6)


def test_the_better_model_is_taken_and_said(workspace):
    result = invoke("photos/0.JPG")
    assert result.exit_code == 0
    assert "model: optimized (of faithful, optimized, the one with the lowest test error)" in result.stderr
    assert result.stdout.startswith("photos/0.JPG  ")
    assert result.stdout.count(" %") == 5


def test_a_model_that_was_not_evaluated_is_not_the_better_one(workspace):
    (workspace / "reports/evaluate/optimized/metrics.json").unlink()
    result = invoke("photos/0.JPG")
    assert result.exit_code == 0
    told = "model: faithful (of faithful, the one with the lowest test error; not evaluated: optimized)"
    assert told in result.stderr
    (workspace / "reports/evaluate/faithful/metrics.json").unlink()
    result = invoke("photos/0.JPG")
    assert result.exit_code == 1
    assert "faithful, optimized, none of which is evaluated; name one with --variant" in result.stderr
    assert invoke("photos/0.JPG", "--variant", "faithful").exit_code == 0


def test_the_unreadable_are_named_and_the_others_predicted(workspace):
    (workspace / "photos/broken.png").write_bytes(b"no image")
    (workspace / "photos/empty.jpg").touch()
    whole = io.BytesIO()
    photo(1).save(whole, "JPEG")
    (workspace / "photos/half.jpg").write_bytes(whole.getvalue()[:-200])
    Image.new("1", (15_000, 14_000)).save(workspace / "photos/huge.png")
    os.mkfifo(workspace / "pipe.jpg")
    result = invoke("photos", "pipe.jpg", "photos/notes.txt", "--json")
    assert result.exit_code == 1
    answers = {answer["file"]: answer for answer in lines(result)}
    assert sum("top" in answer for answer in answers.values()) == 3
    assert answers["photos/broken.png"]["error"] == "no known image format"
    assert answers["photos/empty.jpg"]["error"] == "empty file"
    assert answers["photos/half.jpg"]["error"].startswith("cannot be decoded")
    assert answers["photos/huge.png"]["error"] == "too many pixels (15000 x 14000)"
    assert answers["pipe.jpg"]["error"] == "not a regular file"
    assert answers["photos/notes.txt"]["error"] == "no known image format"
    assert "6 of 9 files could not be read" in result.stderr
    assert "Traceback" not in result.output


def test_a_name_that_is_not_utf_8_is_escaped_for_strict_parsers(workspace):
    os.rename(workspace / "photos/0.JPG", os.fsencode(workspace) + b"/photos/lat\xe9.jpg")
    result = invoke("photos", "--json")
    assert result.exit_code == 0
    assert "photos/lat\\udce9.jpg" in [answer["file"] for answer in lines(result)]
    json.dumps(lines(result), ensure_ascii=False).encode()


def test_a_long_path_is_printed_whole_and_the_others_stay_in_columns(workspace):
    deep = workspace / "photos" / ("a_long_name_" * 8)
    deep.mkdir()
    photo(1).save(deep / "1.JPG", "JPEG")
    said = invoke("photos").stdout.splitlines()
    assert any(line.startswith(f"photos/{deep.name}/1.JPG  ") for line in said)
    assert [line[:50].rstrip() for line in said if deep.name not in line] == [f"photos/{seed}.JPG" for seed in range(3)]


def test_a_missing_file_does_not_stop_the_others(workspace):
    (workspace / "photos/a.heic").write_bytes(b"no image")
    result = invoke("nothing.jpg", "photos/1.JPG", "photos/a.heic", "photos")
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["photos/1.JPG", "photos/0.JPG", "photos/2.JPG"]
    assert "error: nothing.jpg: does not exist; expected an image file or a folder of them\n" in result.stderr
    assert "error: photos/a.heic: no known image format; .heic is not read, save it as JPEG\n" in result.stderr
    assert "skipped 1 images whose format is not read (1 .heic), such as photos/a.heic" in result.stderr
    assert "2 of 5 files could not be read" in result.stderr
    assert "predict: 5/5 files" in result.stderr
    alone = invoke("nothing.jpg")
    assert alone.exit_code == 1
    assert alone.stderr.splitlines()[-1] == "error: 1 of 1 files could not be read"


def test_photographs_are_turned_as_exif_says_unless_told_otherwise(workspace):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(7).save(workspace / "upright.png")
    photo(7).transpose(Image.Transpose.ROTATE_90).save(workspace / "turned.png", exif=exif)
    upright, turned, stored = (
        lines(invoke(*arguments, "--json"))[0]["top"]
        for arguments in (["upright.png"], ["turned.png"], ["turned.png", "--ignore-orientation"])
    )
    assert turned == upright != stored


def test_all_unreadable_is_no_crash(workspace):
    (workspace / "broken.png").write_bytes(b"no image")
    result = invoke("broken.png")
    assert result.exit_code == 1
    assert "broken.png: no known image format" in result.stderr


def test_a_sheet_is_drawn(workspace):
    result = invoke("photos", "--sheet", "sheet.png")
    assert result.exit_code == 0
    with Image.open(workspace / "sheet.png") as sheet:
        assert sheet.width > 400
    assert "sheet.png: 3 images" in result.stderr
    for wrong in ("nowhere/sheet.png", "photos", "sheet.txt"):
        assert invoke("photos", "--sheet", wrong).exit_code == 2


def test_a_sheet_never_takes_the_place_of_an_image_that_is_read(workspace):
    path = workspace / "photos/mine.png"
    photo(1).save(path)
    before = path.read_bytes()
    for images in ("photos/mine.png", "photos"):
        result = invoke(images, "--sheet", "photos/../photos/mine.png")
        assert result.exit_code == 2
        assert "it is one of the images to read; name another file" in result.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["photos", "--variant", "optimised"], 2, "(faithful, optimized); did you mean optimized?"),
        (["reports"], 1, "reports: no image file in it or below; looked for names that end in .apng"),
    ],
)
def test_what_is_asked_for_wrongly_is_one_sentence(workspace, arguments, code, sentence):
    result = invoke(*arguments)
    assert result.exit_code == code
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_model_of_another_version_and_no_model_are_named(workspace):
    from alexnet_tf.models.classifier import FORMAT

    path = workspace / "models/optimized/model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    result = invoke("photos", "--variant", "optimized")
    assert result.exit_code == 1
    assert f"has format 99, expected {FORMAT}" in result.stderr
    for name in ("faithful", "optimized"):
        (workspace / "models" / name / "model.json").unlink()
    assert "models/ holds no trained model; run `dvc repro`" in invoke("photos").stderr


def test_the_models_of_the_package_need_no_project(tmp_path, monkeypatch):
    photo(0).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    result = invoke("--pretrained", "cifar10", "photo.png", "--center", "--json")
    assert result.exit_code == 0, result.stderr
    (answer,) = lines(result)
    assert answer["file"] == "photo.png"
    assert "error" not in answer
    assert "change into a clone or a project" in invoke("photo.png").stderr


def test_a_model_that_is_kept_needs_no_training(workspace, classifier):
    from alexnet_tf.models.classifier import write_classifier

    shutil.rmtree(workspace / "models")
    (workspace / "results/pretrained").mkdir(parents=True)
    write_classifier(workspace / "results/pretrained/cifar10", classifier, halved=True)
    assert len(lines(invoke("--pretrained", "cifar10", "photos", "--json"))) == 3
    unknown = invoke("--pretrained", "cifar", "photos")
    assert unknown.exit_code == 2
    assert (
        "expected a model that is published or comes with the package (cifar10, cifar10_jpeg); did you mean cifar10?"
        in unknown.stderr
    )
    assert invoke("--pretrained", "cifar10", "--variant", "optimized", "photos").exit_code == 2
