from pipeline.pages.dvc_yaml import refreshed


def test_code_dependencies_are_renewed_and_the_rest_stays(tmp_path):
    (tmp_path / "components").mkdir()
    (tmp_path / "alexnet_tf").mkdir()
    (tmp_path / "alexnet_tf/new.py").write_text("")
    (tmp_path / "components/download.py").write_text("from alexnet_tf import new\n")
    head, tail = "stages:\n  # why\n  download:\n    deps:\n", "      - data/x  # kept\n"
    text = head + "      - components/download.py\n      - alexnet_tf/old.py\n" + tail
    new = "      - alexnet_tf/new.py\n      - components/download.py\n"
    assert refreshed(text, tmp_path) == head + new + tail
