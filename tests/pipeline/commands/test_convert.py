import json

import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli import alexnet
from tests.components.small_dataset import jpeg


def test_it_converts_and_says_how_much(workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(workspace.root)
    source = tmp_path / "photos" / "train" / "ash"
    source.mkdir(parents=True)
    (source / "1.jpg").write_bytes(jpeg(1))
    (source / "2.jpg").write_bytes(b"no image")
    result = CliRunner().invoke(
        alexnet, ["convert", str(tmp_path / "photos"), str(tmp_path / "squares"), "--size", "16"]
    )
    assert result.exit_code == 0, result.output
    assert "wrote 1 images of 16 x 16 pixels" in result.stderr
    assert "1 cannot be used" in result.stderr
    assert json.loads((tmp_path / "squares/conversion.json").read_text())["num_images"] == 1
    assert (tmp_path / "squares/train/ash/1.png").is_file()


@pytest.mark.parametrize(("encoding", "name"), [("png", "1.png"), ("jpeg", "1.jpeg")])
def test_squares_are_encoded_as_asked(workspace, tmp_path, monkeypatch, encoding, name):
    monkeypatch.chdir(workspace.root)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/1.webp").write_bytes(jpeg(1))
    words = ["convert", str(tmp_path / "photos"), str(tmp_path / "squares"), "--size", "16", "--encoding", encoding]
    assert CliRunner().invoke(alexnet, words).exit_code == 0
    with Image.open(tmp_path / "squares" / name) as made:
        assert made.format == encoding.upper()
