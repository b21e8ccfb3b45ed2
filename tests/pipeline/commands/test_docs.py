import shutil

import pytest
from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.commands.docs import rendered
from pipeline.project.create import COPIES


def test_everything_that_is_rendered_is_current(root, monkeypatch):
    monkeypatch.chdir(root)
    found = CliRunner().invoke(alexnet, ["docs", "--check"])
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize("page", ["README.md", "docs/paper.md", "docs/img/figure1.png", "dvc.yaml"])
def test_a_page_that_is_not_as_rendered_is_named_and_mended(root, tmp_path, monkeypatch, page):
    names = rendered(root)
    copied = [place for place in COPIES.values() if not place.startswith(("results/", "experiments/"))]
    for name in [*names, *copied, "params.yaml", "docs/paper.yaml", "docs/ablations.yaml"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, tmp_path / name)
    for folder in ("results", "experiments", "alexnet_tf", "components"):
        (tmp_path / folder).symlink_to(root / folder)
    content = (tmp_path / page).read_bytes()
    broken = {
        "README.md": content.replace(b"<!-- end -->", b"made up\n<!-- end -->", 1),
        "docs/paper.md": content + b"made up\n",
        "docs/img/figure1.png": content[:-1],
        "dvc.yaml": content.replace(b"      - alexnet_tf/errors.py\n", b"", 1),
    }
    (tmp_path / page).write_bytes(broken[page])
    assert (tmp_path / page).read_bytes() != content
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(alexnet, ["docs", "--check"])
    assert found.exit_code == 1
    assert f"{page}: expected what `make docs` renders" in found.output
    assert CliRunner().invoke(alexnet, ["docs"]).output == f"rendered {page}\n"
    assert (tmp_path / page).read_bytes() == content
