import re
import shutil

from click.testing import CliRunner

from pipeline.cli import alexnet
from pipeline.commands.docs import rendered
from pipeline.project.create import COPIES

PAGES = ("README.md", "docs/paper.md", "docs/img/figure1.png", "dvc.yaml")


def test_everything_that_is_rendered_is_current(root, monkeypatch):
    monkeypatch.chdir(root)
    found = CliRunner().invoke(alexnet, ["docs", "--check"])
    assert found.exit_code == 0, found.output


def test_pages_that_are_not_as_rendered_are_named_and_mended(root, tmp_path, monkeypatch):
    copied = [place for place in COPIES.values() if not place.startswith(("results/", "experiments/"))]
    for name in [*rendered(root), *copied, "params.yaml", "docs/paper.yaml", "docs/ablations.yaml"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, tmp_path / name)
    for folder in ("results", "experiments", "alexnet_tf", "components"):
        (tmp_path / folder).symlink_to(root / folder)
    contents = {page: (root / page).read_bytes() for page in PAGES}
    broken = {
        "README.md": contents["README.md"].replace(b"<!-- end -->", b"made up\n<!-- end -->", 1),
        "docs/paper.md": contents["docs/paper.md"] + b"made up\n",
        "docs/img/figure1.png": contents["docs/img/figure1.png"][:-1],
        "dvc.yaml": contents["dvc.yaml"].replace(b"      - alexnet_tf/errors.py\n", b"", 1),
    }
    for page in PAGES:
        assert broken[page] != contents[page]
        (tmp_path / page).write_bytes(broken[page])
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(alexnet, ["docs", "--check"])
    assert found.exit_code == 1
    named = re.search(r"(\S+(?:, \S+)*): expected what `make docs` renders", found.output)
    assert named, found.output
    assert sorted(named[1].split(", ")) == sorted(PAGES)
    said = CliRunner().invoke(alexnet, ["docs"]).output
    assert sorted(said.splitlines()) == sorted(f"rendered {page}" for page in PAGES)
    assert {page: (tmp_path / page).read_bytes() for page in PAGES} == contents
