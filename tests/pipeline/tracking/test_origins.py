"""What a row is of: its data set, its name, its command and its description."""

import json
import shlex

import pytest
from made_results import made
from stub_stages import ROOT

from pipeline.environment.yaml_file import parse
from pipeline.tracking import origins


@pytest.mark.parametrize(
    ("source", "experiment", "subset", "named"),
    [
        ("sample", "sample", "null", "sample"),
        ("tfds:cifar10", "relu_tanh", "null", "cifar10"),
        ("image_folder", "imagenette", "null", "imagenette"),
        ("image_folder", "", "null", "image_folder"),
        ("tfds:cifar10", "cifar10", "5", "cifar10-subset"),
    ],
)
def test_the_data_set_is_the_source_or_of_a_folder_the_experiment(source, experiment, subset, named):
    params = {"download.source": source, "download.subset.classes": subset, "download.subset.images_per_class": "null"}
    assert origins.data_set(params, experiment) == named


def tags_of(changes):
    return origins.result_tags("cifar10", changes, "faithful", "tfds:cifar10")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "faithful"),
        ({"variants.faithful.training.epochs": 9, "seed": 3}, "faithful seed 3 epochs=9"),
        ({"variants.faithful.network.filters": [1, 2]}, "faithful filters=[1,2]"),
        ({"variants.faithful.a.b": 1, "variants.faithful.c.b": 2}, "faithful a.b=1 c.b=2"),
        ({f"k{number}": number for number in range(6)}, "faithful k0=0 k1=1 k2=2 k3=3 and 2 more"),
    ],
)
def test_a_row_is_named_by_what_differs(changes, name):
    assert origins.row_name("faithful", tags_of(changes), {"seed": "3"}) == name


def test_a_row_of_an_experiment_has_its_name_and_one_of_an_earlier_version_its_seed():
    assert origins.row_name("faithful", {**tags_of({}), "dvc.exp_name": "brave-exp"}, {}) == "faithful brave-exp"
    assert origins.row_name("faithful", {}, {"seed": "3"}) == "faithful seed 3"


def test_what_differs_is_told_from_params_yaml_and_another_profile_is_one_change():
    text = (ROOT / "experiments/sample.yaml").read_text()
    assert origins.origin_tags(ROOT, text, parse(text, "sample"), "faithful")[origins.CHANGES] == ""
    changed = parse(text.replace("profile: original", "profile: paper").replace("\nseed: 2012", "\nseed: 4"), "sample")
    tags = origins.origin_tags(ROOT, text, changed, "faithful")
    assert tags[origins.CHANGES] == "seed=4 profile=paper"
    assert tags[origins.COMMAND] == (
        "alexnet use sample && dvc exp run -S 'seed=4' -S 'variants.faithful.profile=\"paper\"' evaluate@faithful"
    )
    assert origins.origin_tags(ROOT, "# mine", changed, "faithful") == {}


def test_a_command_can_be_pasted_into_a_shell_whatever_words_it_has():
    classes = ["jack-o'-lantern", 'a "b"', "$HOME"]
    result = made("sample", "faithful", changes={"download.subset.classes": classes})
    words = shlex.split(result.command.rpartition("&& ")[2])
    assert words == ["dvc", "exp", "run", "-S", f"download.subset.classes={json.dumps(classes)}", "evaluate@faithful"]


def test_where_no_override_brings_it_back_there_is_no_command():
    text = (ROOT / "experiments/sample.yaml").read_text()
    content = parse(text, "sample")
    content["variants"]["mine"] = content["variants"]["optimized"]
    assert origins.COMMAND not in origins.origin_tags(ROOT, text, content, "mine")
    assert origins.COMMAND in origins.origin_tags(ROOT, text, content, "optimized")
    content["images"]["middle"] = {"size": 64, "stored_size": 64}  # which only `mine` is fed
    content["variants"]["mine"] = {**content["variants"]["mine"], "images": "middle"}
    assert origins.origin_tags(ROOT, text, content, "faithful")[origins.CHANGES] == ""
    assert origins.COMMAND in origins.origin_tags(ROOT, text, content, "faithful")


@pytest.mark.parametrize("broken", ["a: [", "[]", "variants: 1", ""])
def test_a_broken_experiment_costs_the_row_its_tags_and_nothing_else(tmp_path, broken):
    content = parse((ROOT / "experiments/sample.yaml").read_text(), "sample")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.yaml").write_text(broken)
    assert origins.origin_tags(tmp_path, "# EXPERIMENT mine: x", content, "faithful") == {}


def test_the_description_has_errors_with_intervals_the_model_the_command_and_the_commit():
    metrics = {
        f"test/ten_crop/top1_error{end}": value for end, value in (("", 0.067), ("_low", 0.0623), ("_high", 0.0721))
    }
    tags = tags_of({"seed": 3}) | {origins.COMMIT: "0123456789abcdef", "git.dirty": "true"}
    found = origins.description({**metrics, "test/num_examples": 10000}, tags, [("alexnet-faithful", "2")])
    assert "Error on 10,000 test images" in found
    assert "ten crops: top-1 6.70 % (6.23 to 7.21), top-5 not measured" in found
    assert "[alexnet-faithful version 2](#/models/alexnet-faithful/versions/2)" in found
    assert "git checkout 0123456789ab && alexnet use cifar10 && dvc exp run -S 'seed=3' evaluate@faithful" in found
    assert "Commit 0123456789ab, with changes that are not committed" in found
    assert origins.description({}, {}, []) == ""
