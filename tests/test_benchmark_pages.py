import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from PIL import Image

from alexnet_tf.errors import DataError
from benchmarks import pages, results


def test_the_pages_are_those_of_the_measurements():
    for page in pages.PAGES:
        text = (pages.ROOT / page).read_text()
        assert "<!-- benchmark: " in text
        assert text == pages.rendered(text), f"{page}: run `python -m benchmarks.pages`"


def test_every_table_stands_on_a_page():
    together = "".join((pages.ROOT / page).read_text() for page in pages.PAGES)
    assert [name for name in pages.TABLES if f"<!-- benchmark: {name} -->" not in together] == []


def test_a_table_without_an_end_takes_no_prose():
    page = "<!-- benchmark: record_bytes -->\nprose\n<!-- benchmark: stall_rate -->\nold\n<!-- end -->\n"
    with pytest.raises(DataError, match="found 1 of 2 that do"):
        pages.rendered(page)


def rows(*cells):
    return [dict(zip(("records", "images", "stage", "seconds", "mib", "bytes"), cell, strict=True)) for cell in cells]


ROUNDS = rows(
    *(
        (records, images, stage, seconds, mib, "5000")
        for records, images, scale in (("jpeg", "1000", 1), ("jpeg", "2000", 3), ("raw", "1000", 0.5))
        for stage, times, mib in (
            ("validate", (1, 1, 1), "90"),
            ("pool", (4, 5, 9), "999"),
            ("preprocess", (5, 5, 10), "100"),
            ("read", (1, 1, 1), "999"),
            ("statistics", (2, 3, 4), "80"),
        )
        for seconds in (str(scale * time) for time in times)
    )
)


def test_ratios_are_taken_within_a_round_and_their_median_is_shown():
    lines = pages.data_side_wanted(ROUNDS).splitlines()
    assert "| preprocess, images/s relative to the pool | 0.90 | 0.90 | 0.90 | at least 0.85 |" in lines
    assert "| statistics, time relative to reading | 3.00 | 3.00 | 3.00 | at most 1.5 |" in lines
    assert (
        "| largest process, memory relative to 1,000 | 1.00 (100 MiB) | 1.00 (100 MiB) | 1.00 (100 MiB) "
        "| at most 1.2, 1.5 GB |" in lines
    )
    assert "| preprocess, images/s relative to 1,000 | 1.00 | 0.67 | 1.00 | at least 0.9 |" in lines


def test_the_curve_shows_medians():
    assert "| jpeg | 2,000 | `preprocess` | 3 | 15.0 | 133 | 100 | 2 |" in pages.data_side(ROUNDS).splitlines()


def test_minutes_are_in_proportion_to_the_images_and_the_cores(monkeypatch):
    monkeypatch.setattr(pages, "load", lambda name: (["2 cores of something"], []))
    minutes = 15 / 2000 * pages.IMAGENET / 60
    line = f"| `preprocess` | {minutes:.1f} | {minutes / 8:.1f} | {minutes / 32:.1f} | {minutes / 128:.1f} |"
    assert line in pages.imagenet_minutes(ROUNDS).splitlines()


def test_an_image_takes_its_share_of_raw_pixels():
    names = ("size", "encoding", "bytes_per_image", "mean_difference")
    measured = [("10", "raw", "300", "0"), ("10", "jpeg 95", "75", "0.90")]
    table = pages.record_bytes([dict(zip(names, each, strict=True)) for each in measured])
    assert table.splitlines()[2:] == ["| 10 | raw | 300 | 1.00 | 0 |", "| 10 | jpeg 95 | 75 | 0.25 | 0.90 |"]


def test_a_stall_is_counted_and_the_errors_stand_by_seed():
    names = ("profile", "changed", "seed", "stalled", "train_loss", "validation_top1_error")
    measured = [("paper", "", "1", "False", "1.5", "0.3"), ("paper", "", "2", "True", "2.3", "0.9")]
    table = pages.stall_rate([dict(zip(names, row, strict=True)) for row in measured])
    assert table.splitlines()[-1] == "| `paper` |  | 1 of 2 | 1.50 to 2.30 | 60.0 ± 42.4 % | 30.0, 90.0 |"
    alone = pages.stall_rate([dict(zip(names, measured[0], strict=True))])
    assert alone.splitlines()[-1] == "| `paper` |  | 0 of 1 | 1.50 to 1.50 | 30.0 % | 30.0 |"


def test_every_variant_has_a_column_and_a_refusal_its_reason():
    names = ("variant", "format", "runtime", "version", "outcome", "difference", "largest_logit", "reason")
    measured = [
        ("a", "model.onnx", "opencv", "5.0", "answers", "1e-06", "4.9", ""),
        ("b", "model.onnx", "opencv", "5.0", "crashes", "", "", "signal 11"),
    ]
    table = pages.interchange([dict(zip(names, row, strict=True)) for row in measured])
    assert table.splitlines() == [
        "| format | runtime | `a` | `b` |",
        "| --- | --- | --- | --- |",
        "| `model.onnx` | opencv 5.0 | 1e-06 of 4.9 | crashes: signal 11 |",
    ]


def test_a_runtime_that_fails_is_a_row_and_no_end(tmp_path):
    import numpy as np

    from benchmarks import interchange

    (tmp_path / "model.onnx").write_bytes(b"no model")
    np.save(tmp_path / "crops.npy", np.zeros((1, 4, 4, 3), np.float32))
    found = interchange.ask("onnxruntime", tmp_path / "model.onnx", np.zeros((1, 2)), 60)
    assert found["outcome"] == "refuses"
    assert "rotobuf" in found["reason"]
    assert str(tmp_path) not in found["reason"]
    assert interchange.ask("onnxruntime", tmp_path / "model.onnx", np.zeros((1, 2)), 0.01)["outcome"] == "hangs"


def corruption_rows(*measured):
    names = ("model", "corruption", "view", "images", "error", "low", "high")
    names += ("difference", "difference_low", "difference_high")
    return [dict(zip(names, row, strict=True)) | {"machine": "a machine"} for row in measured]


CORRUPTIONS = (
    ("a", "none", "center", "100", "0.0800", "0.0700", "0.0900", "0.0000", "0.0000", "0.0000"),
    ("a", "none", "ten_crop", "100", "0.0600", "0.0500", "0.0700", "0.0000", "0.0000", "0.0000"),
    ("a", "blur", "center", "100", "0.0750", "0.0650", "0.0850", "-0.0050", "-0.0100", "0.0010"),
)


def test_a_corruption_has_its_errors_by_view_and_what_was_not_measured_is_said():
    lines = pages.corruptions(corruption_rows(*CORRUPTIONS)).splitlines()
    assert lines == [
        "| images | top-1 error, centre crop | more than clean, points "
        "| top-1 error, ten crops | more than clean, points |",
        "| --- | --- | --- | --- | --- |",
        "| as they are | 8.00 % (7.00 to 9.00) |  | 6.00 % (5.00 to 7.00) |  |",
        "| blur | 7.50 % (6.50 to 8.50) | −0.50 (−1.00 to 0.10) | not measured |  |",
    ]


def test_several_models_are_side_by_side_by_name():
    other = ("b", "blur", "center", "100", "0.0300", "0.0200", "0.0400", "0.0100", "0.0000", "0.0200")
    lines = pages.corruptions(corruption_rows(CORRUPTIONS[0], CORRUPTIONS[2], other)).splitlines()
    assert lines == [
        "| images | `a`, top-1 error, centre crop | more than clean, points "
        "| `b`, top-1 error, centre crop | more than clean, points |",
        "| --- | --- | --- | --- | --- |",
        "| as they are | 8.00 % (7.00 to 9.00) |  | not measured |  |",
        "| blur | 7.50 % (6.50 to 8.50) | −0.50 (−1.00 to 0.10) | 3.00 % (2.00 to 4.00) | 1.00 (0.00 to 2.00) |",
    ]


def test_every_model_stands_with_the_machine_that_it_was_measured_on():
    rows = [{"model": model, "machine": machine} for model, machine in (("a", "old"), ("b", "new"), ("c", "old"))]
    assert pages.corruptions_machine([*rows, rows[0]]) == "`a` and `c`: old.\n`b`: new."


@pytest.fixture
def corruptions(tmp_path, monkeypatch):
    """The module in a folder of its own, with a model `mine` that knows three of four clean images and no other."""
    import numpy as np

    from benchmarks import corruptions

    def right(model, images, view, strategy):
        assert model == (tmp_path / "models" / "mine").resolve()
        return (images.pixels == 7).all(axis=(1, 2, 3)) & (images.labels < 3)

    for folder in ("models/mine", "benchmarks/results"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("model.json", "weights.safetensors"):
        (tmp_path / "models" / "mine" / name).write_text("{}")
    split = corruptions.Images(np.full((4, 8, 8, 3), 7, np.uint8), np.arange(4))
    strategy = SimpleNamespace(make_strategy=lambda devices: None)
    monkeypatch.setitem(sys.modules, "alexnet_tf.devices.strategy", strategy)
    monkeypatch.setattr(results, "FOLDER", tmp_path / "benchmarks" / "results")
    monkeypatch.setattr(corruptions, "RecordDataset", SimpleNamespace(open=lambda records, name: split))
    monkeypatch.setattr(corruptions, "TEST_IMAGES", 4)
    monkeypatch.setattr(corruptions, "in_float32", lambda folder, strategy: folder)
    monkeypatch.setattr(corruptions, "right", right)
    monkeypatch.setattr(corruptions, "describe", lambda: ["a machine"])
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "main", lambda: None)
    return corruptions


def test_rows_of_a_folder_have_its_name_and_leave_those_of_other_models(corruptions, tmp_path, monkeypatch):
    header, path = f"{','.join(corruptions.COLUMNS)},machine", tmp_path / "benchmarks" / "results" / "corruptions.csv"
    already = "a,none,center,100,0.0800,0.0700,0.0900,0.0000,0.0000,0.0000,another machine"
    gone = already.replace("none", "a corruption of before")
    path.write_text(f"{header}\n{already}\n{gone}\n")
    command = ["--model", str(tmp_path / "models" / "mine"), "--only", "brightness × 0.5"]
    for _ in range(2):  # the second time replaces the rows of the first
        found = CliRunner().invoke(corruptions.main, command)
        assert found.exit_code == 0, found.output
        written = path.read_text().splitlines()
        assert written[:2] == [header, already]
        assert [line[:30] for line in written[2:]] == [
            "mine,none,center,4,0.2500,0.04",
            "mine,brightness × 0.5,center,4",
        ]
        assert ",1.0000," in written[3]
        assert [line.rpartition(",")[2] for line in written[2:]] == ["a machine"] * 2
    monkeypatch.setattr(corruptions, "TEST_IMAGES", 5)
    assert CliRunner().invoke(corruptions.main, ["--model", command[1]]).output.startswith("mine none center 4 0.2500")
    assert path.read_text().splitlines() == written


def test_trainings_of_another_machine_keep_its_name(tmp_path, monkeypatch):
    from benchmarks import stall_rate

    path = tmp_path / "benchmarks" / "results" / "stall_rate.csv"
    path.parent.mkdir(parents=True)
    header, already = f"{','.join(stall_rate.COLUMNS)},machine", "paper,,1,True,2.3,0.8,another machine"
    path.write_text(f"{header}\n{already}\n")
    monkeypatch.setattr(results, "FOLDER", path.parent)
    monkeypatch.setattr(stall_rate, "describe", lambda: ["a machine", "its versions"])
    stall_rate._write([("paper", "", 2, False, 1.3, 0.3)])
    written = path.read_text().splitlines()
    assert written == [header, already, "paper,,2,False,1.3,0.3,a machine; its versions"]


def test_no_more_images_are_copied_than_asked_for(tmp_path, monkeypatch):
    from benchmarks import near_copies

    for number in range(5):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    asked = []
    took = {"found": 0, "seconds": 0.0, "mib": 0.0}
    monkeypatch.setattr(results, "in_own_process", lambda *arguments: asked.append(arguments) or took)
    found = CliRunner().invoke(near_copies.main, [str(tmp_path), "--images", "3"])
    assert found.exit_code == 0, found.output
    assert "no copies,ours,4,3," in found.output
    assert asked[0] == ("benchmarks.near_copies", "search", 10_000, 4)


def test_results_are_read_as_they_were_written_and_a_search_runs_in_a_process_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(results, "describe", lambda: ["a machine", "its versions"])
    text = results.write("one", [{"a": 1, "b": "x, y"}, {"a": 2, "b": ""}])
    assert text == '# a machine\n# its versions\na,b\n1,"x, y"\n2,\n'
    assert results.load("one") == (["a machine", "its versions"], [{"a": "1", "b": "x, y"}, {"a": "2", "b": ""}])
    results.write("two", [{"a": 1, "machine": "another"}])
    assert results.load("two") == ([], [{"a": "1", "machine": "another"}])
    assert results.load("none") == ([], [])
    found = results.in_own_process("benchmarks.near_copies", "search", 1000, 4)
    assert found["found"] == 10
    assert found["mib"] > 1


def test_a_kept_model_is_found_by_its_name_and_another_word_is_refused(corruptions, tmp_path):
    kept = tmp_path / "results" / "pretrained" / "kept"
    kept.mkdir(parents=True)
    (kept / "model.json").write_text("{}")
    assert corruptions.model_folder("kept") == kept
    found = CliRunner().invoke(corruptions.main, ["--model", "keep"])
    assert found.exit_code == 2
    assert "models/optimized, or a kept one (cifar10, cifar10_jpeg, kept), got keep" in found.output


def test_corruptions_change_what_they_say_and_noise_is_that_of_the_image():
    import numpy as np

    from benchmarks.corruptions import CHANGES, Images, corrupted

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
