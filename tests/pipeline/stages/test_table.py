import pytest
import stub_stages

from pipeline.environment.yaml_file import parse
from pipeline.stages.table import STAGES, all_items, ancestors, items, producers, served_variants

VALUES = parse(stub_stages.TEXT, "text")


def _item(address):
    return next(item for item in all_items(VALUES) if item.address == address)


def test_every_input_is_made_by_an_earlier_stage_or_committed():
    made = {"results/champions", "schemas"}
    for item in all_items(VALUES):
        for path in item.inputs().values():
            assert any(out == path or out.startswith(path + "/") for out in made), (item.address, path)
        made |= set(item.outputs().values())


def test_no_output_is_made_twice():
    outs = [path for item in all_items(VALUES) for path in item.outputs().values()]
    assert len(outs) == len(set(outs))


def test_a_variant_reads_the_records_of_its_images():
    assert _item("train@optimized").inputs() == {
        "records": "data/records/small",
        "statistics": "data/statistics/small",
    }


def test_items_follow_the_order_of_the_file():
    assert [item.key for item in items(STAGES["train"], VALUES)] == ["faithful", "optimized"]
    assert [item.key for item in items(STAGES["preprocess"], VALUES)] == ["large", "small"]


def test_a_folder_of_outputs_has_several_producers():
    assert [(item.address, path) for item, path in producers("reports/train", VALUES)] == [
        ("train@faithful", "reports/train/faithful"),
        ("train@optimized", "reports/train/optimized"),
    ]


def test_ancestors_are_all_that_a_run_rests_on():
    assert [item.address for item in ancestors(_item("evaluate@optimized"), VALUES)] == [
        "download",
        "validate",
        "preprocess@small",
        "statistics@small",
        "train@optimized",
    ]


@pytest.mark.parametrize(
    ("address", "variants"),
    [
        ("download", ["faithful", "optimized"]),
        ("preprocess@small", ["optimized"]),
        ("train@faithful", ["faithful"]),
        ("compare", ["faithful", "optimized"]),
    ],
)
def test_a_stage_serves_the_variants_downstream_of_it(address, variants):
    assert served_variants(_item(address), VALUES) == variants


def test_another_seed_reruns_trainings_and_no_stage_of_the_data():
    assert [stage.name for stage in STAGES.values() if "seed" in stage.params.values()] == ["train"]
