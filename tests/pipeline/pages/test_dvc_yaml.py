from ruamel.yaml import YAML

from pipeline.pages.dvc_yaml import for_project, refreshed


def test_code_dependencies_are_renewed_and_the_rest_stays(tmp_path):
    (tmp_path / "components").mkdir()
    (tmp_path / "alexnet_tf").mkdir()
    (tmp_path / "alexnet_tf/new.py").write_text("")
    (tmp_path / "components/download.py").write_text("from alexnet_tf import new\n")
    head, tail = "stages:\n  # why\n  download:\n    deps:\n", "      - data/x  # kept\n"
    text = head + "      - components/download.py\n      - alexnet_tf/old.py\n" + tail
    new = "      - alexnet_tf/new.py\n      - components/download.py\n"
    assert refreshed(text, tmp_path) == head + new + tail


def test_a_project_has_the_stages_of_a_clone_with_one_parameter_for_their_code(root):
    yaml = YAML(typ="safe")
    clone = yaml.load((root / "dvc.yaml").read_text(encoding="utf-8"))
    project = yaml.load(for_project((root / "dvc.yaml").read_text(encoding="utf-8")))
    for name, stage in clone["stages"].items():
        wanted = stage.get("do", stage)
        data = [path for path in wanted["deps"] if not path.endswith(".py")]
        wanted |= {"params": [*wanted["params"], {"code.json": [name]}], "deps": data}
        if not data:
            del wanted["deps"]
    assert project == clone
