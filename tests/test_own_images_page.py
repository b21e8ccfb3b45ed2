"""docs/own_images.md: its numbers are those of experiments/my_images.yaml, and what it says to change works."""

import json
import re

import pytest
from clone import ROOT
from dvc.parsing import DataResolver
from dvc.repo import Repo

from alexnet_tf.errors import ConfigError
from pipeline.config.load import check
from pipeline.config.local_params import defaults
from pipeline.environment.yaml_file import parse, read
from pipeline.stages.table import all_items

PAGE = " ".join((ROOT / "docs/own_images.md").read_text(encoding="utf-8").split())
NUMBER = r"([\d.]*\d)"


@pytest.fixture
def params():
    """As `alexnet use my_images` makes it."""
    return read(ROOT / "experiments/my_images.yaml") | {"runtime": defaults()}


def of_both(params, key):
    """What a key below `training` is for `faithful` and for `optimized`."""
    values = [params["variants"][name]["training"] for name in ("faithful", "optimized")]
    for part in key.split("."):
        values = [value[part] for value in values]
    return values


def cell(row):
    """Numbers of a row of the table of sizes, for about 1,000 images."""
    (line,) = re.findall(rf"\| {re.escape(row)} \|([^|]*\|[^|]*)\|", PAGE)
    return [float(number) for number in re.findall(NUMBER, line.split("|")[1])]


def test_the_numbers_of_the_page_are_those_of_the_file(params):
    limits = params["validate"]
    share = params["download"]["validation_share"]
    for words, value in {
        rf"`max_corrupt_share` \({NUMBER} %\)": 100 * limits["max_corrupt_share"],
        rf"imbalance[^|.]* {NUMBER} \|": limits["max_class_imbalance"],
        rf"sides[^|.]* {NUMBER} pixels": limits["min_side_px"],
        rf"aspect[^|.]* {NUMBER} \|": limits["max_aspect"],
        rf"{NUMBER} % each \(`download\.validation_share`\)": 100 * share,
        rf"{NUMBER} pixels for `faithful`": params["images"]["large"]["size"],
        rf"{NUMBER} for `optimized` \(`images` in params\.yaml\)": params["images"]["small"]["size"],
        **{
            rf"`gate\.max_top1_error` \({NUMBER} here": variant["gate"]["max_top1_error"]
            for variant in params["variants"].values()
        },
    }.items():
        assert [float(found) for found in re.findall(words, PAGE)] == [pytest.approx(value)], words


def test_the_column_about_1000_is_the_file_as_it_is(params):
    assert cell("`training.global_batch_size`") * 2 == of_both(params, "global_batch_size")
    assert cell("`training.optimizer.learning_rate`") == of_both(params, "optimizer.learning_rate")
    epochs = [cell(f"`training.epochs` of `{name}`") for name in ("faithful", "optimized")]
    assert epochs == [[each] for each in of_both(params, "epochs")]
    assert cell("`download.validation_share`") == [params["download"]["validation_share"]]


def test_what_it_says_of_a_run_without_faithful_works(params, tmp_path):
    (recipe,) = re.findall(r"[Ww]ithout `faithful`.*?\. ", PAGE)
    assert {"compare.baseline: optimized", "images.large", "plots"} <= set(re.findall("`(.*?)`", recipe))
    del params["variants"]["faithful"]
    with pytest.raises(ConfigError, match=r"compare\.baseline must be a variant \(optimized\)"):
        check(params)
    params["compare"]["baseline"] = "optimized"
    del params["images"]["large"]
    content = parse((ROOT / "dvc.yaml").read_text(encoding="utf-8"), "dvc.yaml")
    for plot in content["plots"]:
        for each in plot.values():
            del each["y"]["reports/train/faithful/history.csv"]
            assert list(each["y"]) == ["reports/train/optimized/history.csv"]
    (tmp_path / "params.yaml").write_text(json.dumps(params))  # JSON is YAML
    with Repo(str(tmp_path), uninitialized=True) as repo:
        stages = DataResolver(repo, str(tmp_path), content).resolve()["stages"]
    assert sorted(stages) == sorted(item.address for item in all_items(check(params).values))
    assert {"train@optimized", "preprocess@small", "compare"} <= set(stages)
    assert not re.findall("faithful|large", json.dumps([stages, content["plots"]]))
