"""Results kept in Git: what is written of a run, the rows that come back from it, the tables."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clone import PARAMS
from made_results import made, write

from alexnet_tf.errors import AlexNetError, DataError
from alexnet_tf.metrics.correctness import Correctness, write_correctness
from alexnet_tf.metrics.top_k import VIEWS
from pipeline.config import experiments
from pipeline.config.load import check
from pipeline.config.local_params import defaults
from pipeline.environment.workspace import Workspace
from pipeline.environment.yaml_file import read
from pipeline.pages.result_tables import PAGES, figures_table, rendered, runs_table
from pipeline.results import kept
from pipeline.results.groups import grouped, shown_difference
from pipeline.tracking.run_descriptions import row_params

ROOT = Path(__file__).resolve().parents[3]


def result(seed=1, error=0.25, changes=None, **metrics):
    """A result of `optimized`, with its two stages."""
    values = {"test/ten_crop/top1_error": error, "test/ten_crop/top1_error_low": error - 0.01} | metrics
    return made(
        "sample",
        "optimized",
        seed,
        changes=changes,
        commit="0123456789abcdef",
        train={"cost/cpu_seconds": 90.0, "train/last/validation_top1_error": error},
        test=values | {"test/ten_crop/top1_error_high": error + 0.02},
        **{"training.epochs": str((changes or {}).get("variants.optimized.training.epochs", 4))},
    )


def test_what_is_written_is_read_back(tmp_path):
    write(tmp_path, result(2), result(1))
    assert kept.load(tmp_path / "results") == [result(1), result(2)]


@pytest.mark.parametrize(("gpus", "named"), [({}, "EPYC"), ({"host.gpus": "NVIDIA H200"}, "EPYC, NVIDIA H200")])
def test_a_result_names_its_processor_and_the_gpus_beside_it(gpus, named):
    tags = {"host.cpu": "EPYC", "host.cpus": "2"} | gpus
    told = replace(result(), row=result().row | {"tags": tags})
    assert (told.processor, told.machine) == (named, f"2 cores of {named}")


def test_which_images_are_right_is_kept_and_older_results_do_not_tell(tmp_path):
    right = np.random.default_rng(0).random(21) < 0.5
    views = {f"{view}_top{k}": right if (view, k) == ("ten_crop", 1) else ~right for view in VIEWS for k in (1, 5)}
    write_correctness(tmp_path / "correct.npz", Correctness(21, "abc", views))
    told = replace(result(), correct=kept._correct(tmp_path))
    named = {"num": 21, "keys_sha256": "abc", "source_digest": None}
    assert told.correct == named | {"ten_crop_top1": told.correct["ten_crop_top1"]}
    write(tmp_path, told)
    np.testing.assert_array_equal(kept.read_result(tmp_path / told.path).right(), right)
    for content in (None, {}, {"num": 21, "ten_crop_top1": "?"}, {"num": 99, "ten_crop_top1": "/w=="}):
        with pytest.raises(DataError, match=r"-1optimiz.json: expected `correct`, which test images are right"):
            replace(result(), correct=content).right()


def test_a_result_tells_how_it_is_started_again():
    changed = result(changes={"seed": 7, "variants.optimized.training.epochs": 3})
    assert changed.command == (
        "git checkout 0123456789ab && alexnet use sample && "
        "dvc exp run -S 'seed=7' -S 'variants.optimized.training.epochs=3' evaluate@optimized"
    )
    assert result().command.endswith("alexnet use sample && dvc repro evaluate@optimized")
    folders = result()
    for source in ("image_folder", "imagenet2012"):  # which nothing downloads
        folders.row["params"]["download.source"] = source
        assert folders.command.endswith("alexnet use sample --source-folder FOLDER && dvc repro evaluate@optimized")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"experiment": "sample"}', "null"])
def test_another_file_is_one_sentence(tmp_path, content):
    write(tmp_path, result())
    path = tmp_path / result().path
    path.write_text(content)
    with pytest.raises(DataError, match=r"optimized-seed1-1optimiz.json: expected a result .* remove it"):
        kept.load(tmp_path)


def test_a_result_whose_stages_lack_their_outputs_is_another_file(tmp_path):
    write(tmp_path, result())
    path = tmp_path / result().path
    content = json.loads(path.read_text())
    del content["row"]["standing"][0]["outs"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="expected a result of one run, found another file"):
        kept.load(tmp_path)


def test_a_comparison_in_place_of_a_result_is_not_to_be_removed():
    with pytest.raises(DataError, match=r"comparison.json: expected a result of one run, .*; name a file results/"):
        kept.read_result(ROOT / "results/cifar10/comparison.json")


def test_a_folder_without_results_is_one_sentence(tmp_path):
    with pytest.raises(AlexNetError, match="holds no result"):
        kept.load(tmp_path)


def test_seeds_stand_together_and_changes_apart():
    other = replace(result(3), changes={"variants.optimized.training.epochs": 3})
    seeded = replace(result(2), changes={"seed": 2})
    assert [[each.seed for each in group] for group in grouped([seeded, other, result(1)])] == [[1, 2], [3]]


def test_an_experiment_that_was_edited_is_no_other_seed():
    old = result(2)
    old.row["params"]["training.epochs"] = "3"
    assert [[each.seed for each in group] for group in grouped([old, result(1)])] in ([[1], [2]], [[2], [1]])


def test_what_differs_is_told_against_the_latest_run_that_changes_nothing():
    changes = {"variants.optimized.training.epochs": 9}
    older, latest, changed = result(1), result(2), result(3, changes=changes)
    older.row["standing"][1]["remake"]["time"] -= 1  # when the file said 3 epochs, and had no clip
    older.row["params"] |= {"training.epochs": "3", "training.precision": "bfloat16"}
    latest.row["params"]["training.clip"] = "none"
    groups = [[older], [latest], [changed]]
    told = [shown_difference(group, groups) for group in groups]
    assert told == ["`training.epochs=3`", "", "`training.epochs=9`"]
    assert shown_difference([changed], [[changed]]) == "`training.epochs=9`"  # nothing speaks for the file
    other = replace(latest, row={**latest.row, "variant": "faithful"})
    assert shown_difference([changed], [[changed], [other]]) == "`training.epochs=9`"


def test_auto_is_what_it_was_on_the_machine_of_the_run():
    runs = [result(1), result(2), result(3)]
    for run, bits in zip(runs, (16.0, 32.0, 32.0), strict=True):
        run.row["params"]["training.precision"] = "auto"
        run.row["standing"][0]["metrics"]["train/precision_bits"] = bits
    assert [run.precision for run in runs] == ["bfloat16", "float32", "float32"]
    assert [[run.seed for run in group] for group in grouped(runs)] == [[1], [2, 3]]
    assert result(1).precision == "float32"  # kept before the metric was


def test_what_compression_cost_is_a_sentence(tmp_path):
    view = {"classes_changed": 3, "largest_probability_difference": 0.012}
    errors = {"top1_error_before": 0.07, "top1_error_after": 0.071}
    said = {"bytes_before": 8_020_638, "bytes_after": 3_794_187, "num_examples": 10_000}
    folder = tmp_path / "results" / "pretrained" / "small"
    folder.mkdir(parents=True)
    (folder / "model.json").touch()
    (folder / "loss.json").write_text(json.dumps(said | {"test": {"ten_crop": view | errors, "center": view | errors}}))
    page = rendered(tmp_path, "<!-- results: pretrained small -->\n<!-- end -->\n")
    assert page.splitlines()[1] == (
        "3.8 MB instead of 8.0 MB. On 10,000 test images, 3 predicted classes change, the probability of the true "
        "class changes by at most 0.012, and the ten-crop top-1 error is 7.10 % instead of 7.00 %."
    )
    nothing = {"classes_changed": 0, "largest_probability_difference": 0.0, "top1_error_after": 0.07}
    (folder / "loss.json").write_text(json.dumps(said | {"test": {"ten_crop": nothing, "center": nothing}}))
    assert rendered(tmp_path, page).splitlines()[1] == (
        "3.8 MB instead of 8.0 MB. On 10,000 test images, no predicted class and no probability of the true class "
        "changes, and the ten-crop top-1 error stays 7.00 %."
    )


KEPT = [path for path in sorted((ROOT / "experiments").glob("*.yaml")) if (ROOT / "results" / path.stem).is_dir()]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_every_parameter_of_an_experiment_has_a_value_in_its_kept_results(path):
    """Else they are in other groups than new runs; what they had belongs in `_LATER` of pipeline/results/kept.py."""
    values = check(read(path) | {"runtime": defaults()}).values
    for each in kept.load(ROOT / "results" / path.stem):
        if each.variant in values["variants"]:
            assert not row_params(values, each.variant).keys() - each.params.keys(), each.path


def test_the_same_seed_twice_is_one_sentence():
    again = replace(result(1), row={**result(1).row, "state": "ffffffffff"})
    with pytest.raises(DataError, match=r"-1optimiz.json and .*-ffffffff.json have the same parameters, seed and"):
        grouped([result(1), again])


def test_one_seed_shows_its_interval_and_several_their_deviation_by_hand():
    several = [result(seed, seed / 10, **{"train/last/train_top1_error": seed / 100}) for seed in (1, 2, 3)]
    several[0].row["tags"]["host.cpu"] = "one kind, avx2"
    one, several = runs_table([[result(1)]]), runs_table([several])
    assert "| 25.00 % (24.00 to 27.00) |" in one
    assert "| 1, 2, 3 | float32 | 20.00 ± 10.00 % |" in several
    assert "| 2.00 ± 1.00 % |" in several  # the training error
    assert several.endswith("| not recorded; one kind, avx2 |")  # older results do not tell
    assert "| 1.5 |" in one  # 90 CPU-seconds


def test_what_figures_3_and_4_show_by_hand():
    shares = {"test/conv1/colour_share_tower1": 0.5, "test/neighbours/same_class_pixels": 0.3}
    shares["test/conv1/towers_apart_p_value"] = 0.0321
    other = {"test/conv1/colour_share_tower1": 0.6, "test/neighbours/same_class_pixels": 0.3}
    several = [result(1, **shares), result(2, **other), result(3)]
    lines = figures_table([several, [result(4)]]).splitlines()
    assert len(lines) == 3  # older results do not say
    assert lines[2] == "| `optimized` |  | 1, 2 | float32 | 55.0 ± 7.1 % |  |  | 30.0 ± 0.0 % | 0.0321, – |"


def test_a_block_is_replaced_and_the_rest_stays(tmp_path):
    write(tmp_path, result())
    page = (
        "a\n<!-- results: runs sample -->\nold\n<!-- end -->\nb\n<!-- results: commands sample -->\n<!-- end -->\nc\n"
    )
    found = rendered(tmp_path, page)
    assert found.startswith("a\n<!-- results: runs sample -->\n| variant |")
    assert "old" not in found
    assert f"```bash\n{result().command}\n```\n<!-- end -->\nc\n" in found
    assert rendered(tmp_path, found) == found
    with pytest.raises(DataError, match="found walks"):
        rendered(tmp_path, "<!-- results: walks sample -->\n<!-- end -->")


@pytest.mark.parametrize(
    "page",
    [
        "<!-- results: runs sample -->\nno end",
        "<!-- results: runs -->\n<!-- end -->",
        "<!-- results: runs sample -->\n<!-- results: commands sample -->\n<!-- end -->",
    ],
)
def test_a_block_that_is_none_is_one_sentence(tmp_path, page):
    write(tmp_path, result())
    with pytest.raises(DataError, match=r"found [01] of [12] that do|: expected KIND EXPERIMENT, .*, found runs"):
        rendered(tmp_path, page)


@pytest.mark.parametrize(
    ("machines", "words"),
    [
        (("One", "One"), "Measured on 2 cores of One."),
        (("One", "Two"), "Measured: faithful on 2 cores of One; optimized on 2 cores of Two."),
    ],
)
def test_a_comparison_names_the_machines_of_its_runs(tmp_path, machines, words):
    folder = ROOT / "results/sample"
    content = json.loads((folder / "comparison.json").read_text())
    for variant, cpu in zip(("faithful", "optimized"), machines, strict=True):
        loss = content["comparison"]["errors"][variant]["ten_crop"]["mean_loss"]
        for seed, test in ((1, {"test/ten_crop/mean_loss": loss}), (2, {"test/ten_crop/mean_loss": 9.0})):
            each = made("sample", variant, seed, test=test)
            each.row["tags"].update({"host.cpus": "2", "host.cpu": cpu if seed == 1 else "Other"})
            write(tmp_path, each)
    (tmp_path / "results/sample/comparison.json").write_text(json.dumps(content))
    block = "<!-- results: comparison sample -->\n<!-- end -->"
    assert rendered(tmp_path, block).splitlines()[-3] == words
    for path in (tmp_path / "results/sample").glob("faithful-seed1-*"):
        path.unlink()
    with pytest.raises(DataError, match="is of runs of faithful that are not kept"):
        rendered(tmp_path, block)


def test_a_comparison_that_is_not_kept_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"results/sample/comparison.json is missing or broken"):
        rendered(tmp_path, "<!-- results: comparison sample -->\n<!-- end -->")


def test_changes_are_those_of_the_variant_and_what_it_shares(tmp_path):
    text = PARAMS
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/sample.yaml").write_text((ROOT / "experiments/sample.yaml").read_text())
    changed = text.replace("epochs: 12", "epochs: 13").replace("beam_workers: 0", "beam_workers: 5")
    (tmp_path / "params.yaml").write_text(changed.replace("seed: 2012", "seed: 3", 1))
    workspace = Workspace(tmp_path, tmp_path)
    assert experiments.changes(workspace, "sample", "optimized") == {
        "seed": 3,
        "variants.optimized.training.epochs": 13,
    }
    assert experiments.changes(workspace, "sample", "faithful") == {"seed": 3}


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_have_blocks_of_results(page):
    """Without any, a page would be as rendered for ever."""
    assert "<!-- results: " in (ROOT / page).read_text()


def test_a_kept_training_has_the_history_of_its_epochs():
    for found in kept.load(ROOT / "results"):
        train = next(stage for stage in found.row["standing"] if stage["stage"].startswith("train@"))
        curve = [epoch["values"]["validation/top1_error"] for epoch in train["remake"]["curves"]]
        assert len(curve) == int(found.row["params"]["training.epochs"]), found.path
        assert curve[-1] == found.metrics["train/last/validation_top1_error"]
