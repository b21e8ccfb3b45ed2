import importlib.util

import pytest
from click.testing import CliRunner

from benchmarks import performance_page, stages, subjects, training
from pipeline.environment.dotted import at
from pipeline.environment.yaml_file import read


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


def test_the_stages_are_shrunk_by_keys_that_params_yaml_has(root):
    content = read(root / "params.yaml")
    for key in stages.SMALL:
        at(content, key)  # raises where there is none


def test_the_arithmetic_of_a_step_by_hand():
    # Multiply-adds of §3.5 at 224 px: conv1 runs once forward and once for its kernels, the rest three times.
    conv1 = 55 * 55 * 96 * 11 * 11 * 3
    rest = 27 * 27 * 256 * 5 * 5 * 48 + 13 * 13 * 3 * 3 * (384 * 256 + 384 * 192 + 256 * 192)
    dense = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    assert subjects.flop_per_image() == (2 * (conv1 + rest + dense), 2 * (2 * conv1 + 3 * (rest + dense)))


def test_a_step_of_optimized_has_no_gradients_of_its_fixed_kernels():
    # Multiply-adds at 32 px: the 2 x 2 kernels of conv1 run forward alone, conv2 has no gradient of the maps before it.
    forward, step = subjects.flop_per_image("cifar10", "optimized")
    conv1, conv2 = 31 * 31 * 24 * 2 * 2 * 3, 31 * 31 * 64 * 3 * 3 * 24
    assert step == 3 * forward - 2 * (2 * conv1 + conv2)


def test_a_revision_is_compared_within_a_round():
    rows = [
        {"round": number, "name": name, "precision": "float32", "milliseconds": milliseconds}
        for number, now, then in ((1, 100.0, 150.0), (2, 200.0, 500.0), (3, 100.0, 160.0))
        for name, milliseconds in (("ours", now), ("ours at abc", then), ("matrix product", 10.0))
    ]
    assert training.against(rows) == ["ours is 1.60 times as fast as ours at abc, float32 (1.50 to 2.50)"]
    measured = [row | {"round": str(row["round"]), "images": "0", "batch_size": "128", "peak_mib": "9"} for row in rows]
    table = performance_page.ratios_table(performance_page.by_round(measured))
    assert "| against ours at abc, float32 | 1.60 | 1.50 to 2.50 |  |  |" in table


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--only", "our"], "'our' is not one of 'matrix product', 'ours'"),
        (["--only", "PyTorch"], "nothing to measure: PyTorch is not available on this machine"),
        (["--only", "matrix product", "--against", "HEAD"], "--against compares ours with ours; add --only ours"),
    ],
)
def test_what_would_measure_nothing_is_refused(command, message, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(training, "measure", lambda *_, **__: {"milliseconds": 1.0, "peak_mib": 1})
    found = CliRunner().invoke(training.main, command)
    assert found.exit_code == 2
    assert message in found.output


def test_every_processor_has_a_file_of_its_name():
    assert training.slug("AMD EPYC (family 25 model 17)") == "amd-epyc-family-25-model-17"
