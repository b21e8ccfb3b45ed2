import pytest

from alexnet_tf.errors import DataError
from benchmarks import pages


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
        "| blur | 7.50 % (6.50 to 8.50) | −0.50 (−1.00 to +0.10) | not measured |  |",
    ]


def test_several_models_are_side_by_side_by_name():
    other = ("b", "blur", "center", "100", "0.0300", "0.0200", "0.0400", "0.0100", "0.0000", "0.0200")
    lines = pages.corruptions(corruption_rows(CORRUPTIONS[0], CORRUPTIONS[2], other)).splitlines()
    assert lines == [
        "| images | `a`, top-1 error, centre crop | more than clean, points "
        "| `b`, top-1 error, centre crop | more than clean, points |",
        "| --- | --- | --- | --- | --- |",
        "| as they are | 8.00 % (7.00 to 9.00) |  | not measured |  |",
        "| blur | 7.50 % (6.50 to 8.50) | −0.50 (−1.00 to +0.10) | 3.00 % (2.00 to 4.00) | +1.00 (+0.00 to +2.00) |",
    ]


def test_every_model_stands_with_the_machine_that_it_was_measured_on():
    rows = [{"model": model, "machine": machine} for model, machine in (("a", "old"), ("b", "new"), ("c", "old"))]
    assert pages.corruptions_machine([*rows, rows[0]]) == "`a` and `c`: old.\n`b`: new."
