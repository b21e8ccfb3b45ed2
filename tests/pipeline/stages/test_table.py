import pytest
import stub_stages

from pipeline.environment.yaml_file import parse
from pipeline.pages.dvc_yaml import refreshed
from pipeline.stages.import_graph import code_closure
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


def test_the_closure_follows_imports_of_every_form(tmp_path):
    sources = {
        "components/__init__.py": '"""Doc."""',
        "components/a.py": "import numpy\nfrom alexnet_tf import b\nfrom components.sources.c import x\n",
        "components/sources/c.py": "def f():\n    import alexnet_tf.d as d\n",
        "components/unused.py": "",
        "alexnet_tf/b.py": "from . import e\nfrom .f import y\n",
        "alexnet_tf/d.py": "import components.a\n",
        "alexnet_tf/e.py": "",
        "alexnet_tf/f.py": "if TYPE_CHECKING:\n    from alexnet_tf.g import z\n",
        "alexnet_tf/g.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    expected = sorted(set(sources) - {"components/unused.py", "components/__init__.py"})
    assert code_closure(tmp_path, ["components/a.py"]) == expected


def test_code_dependencies_are_renewed_and_the_rest_stays(tmp_path):
    (tmp_path / "components").mkdir()
    (tmp_path / "alexnet_tf").mkdir()
    (tmp_path / "alexnet_tf/new.py").write_text("")
    (tmp_path / "components/download.py").write_text("from alexnet_tf import new\n")
    head, tail = "stages:\n  # why\n  download:\n    deps:\n", "      - data/x  # kept\n"
    text = head + "      - components/download.py\n      - alexnet_tf/old.py\n" + tail
    new = "      - alexnet_tf/new.py\n      - components/download.py\n"
    assert refreshed(text, tmp_path) == head + new + tail
