from benchmarks import performance_page


def test_the_page_is_that_of_the_measurements():
    assert performance_page.PAGE.read_text() == performance_page.page()


def test_ratios_are_taken_within_a_round_and_their_median_is_shown():
    def milliseconds(name, value):
        return {"name": name, "precision": "float32", "images": "0", "milliseconds": value, "batch_size": "128"}

    rows = [
        {"round": str(number), "peak_mib": "1000"} | row
        for number, (ours, torch) in enumerate([(100, 300), (200, 300), (100, 200)], start=1)
        for row in (milliseconds("ours", ours), milliseconds("PyTorch", torch))
    ]
    table = performance_page.ratios_table(performance_page.by_round(rows))
    assert "| against PyTorch, float32 | 2.00 | 1.50 to 3.00 | at least 3.0 |  |" in table
    assert "Keras" not in table  # which was not measured


def test_every_subject_has_its_batch_but_the_product_which_has_no_images():
    names = ("round", "batch_size", "name", "precision", "images", "milliseconds", "peak_mib")
    measured = [
        ("1", "128", "matrix product", "float32", "0", "500.0", "900"),
        ("1", "32", "ours, ten views of a test", "float32", "0", "1000.0", "1000"),
        ("1", "128", "our LRN alone", "float32", "0", "100.0", "1100"),
    ]
    rounds = performance_page.by_round([dict(zip(names, row, strict=True)) for row in measured])
    lines = performance_page.subjects_table(rounds).splitlines()
    assert lines[2].startswith("| matrix product | float32 |  | ")
    assert lines[3].startswith("| ours, ten views of a test | float32 | 32 | 32.0 | ")
    assert lines[4] == "| our LRN alone | float32 | 128 | 1280.0 |  | 1100 |"


def test_a_setting_is_a_share_of_the_one_without_either_within_a_round():
    rows = [
        {"round": number, "onednn": onednn, "kept_buffers": "False", "milliseconds": milliseconds, "peak_mib": "900"}
        for number, onednn, milliseconds in (
            ("1", "True", "2000"),
            ("1", "False", "4000"),
            ("2", "True", "9000"),
            ("2", "False", "12000"),
            ("3", "True", "3000"),
            ("3", "False", "3000"),
        )
    ]
    assert performance_page.environment_table(rows).splitlines()[2:] == [
        "| yes | no | 3.0 | 0.75 | 900 |",
        "| no | no | 4.0 | 1.00 | 900 |",
    ]


def test_a_stage_is_a_share_of_what_it_was_at_the_revision_within_a_round():
    rows = [
        {"round": number, "revision": revision, "stage": stage, "seconds": seconds, "cpu_seconds": cpu_seconds}
        for number, revision, stage, seconds, cpu_seconds in (
            ("1", "", "train@faithful", "9", "10"),
            ("1", "abc", "train@faithful", "18", "20"),
            ("2", "", "train@faithful", "8", "12"),
            ("2", "abc", "train@faithful", "8", "16"),
            ("1", "", "a new one", "1", "2"),
            ("2", "", "a new one", "3", "4"),
        )
    ]
    assert performance_page.stages_table(rows).splitlines() == [
        "| `dvc repro` of | seconds | CPU-seconds | CPU-seconds at abc | ratio |",
        "| --- | --- | --- | --- | --- |",
        "| train@faithful | 8.5 | 11.0 | 18.0 | 0.62 |",
        "| a new one | 2.0 | 3.0 |  |  |",
    ]
    alone = [row for row in rows if not row["revision"]]
    assert performance_page.stages_table(alone).splitlines()[2] == "| train@faithful | 8.5 | 11.0 |"
