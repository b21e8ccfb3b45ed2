"""docs/library.md and docs/library.ipynb do what they say, in a folder of their own."""

import json
import re

import numpy as np
import pytest
from clone import ROOT
from PIL import Image

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(text, variables):
    exec(compile(text, "docs", "exec"), variables)
    return variables


def test_every_example_of_the_page_runs(folder, capsys):
    """Reddish and bluish pictures are told apart by the new layer."""
    random = np.random.default_rng(0)
    for name, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        (folder / "photos" / name).mkdir(parents=True)
        for index in range(6):
            pixels = random.normal(colour, 30, (40, 50, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{index}.jpg")
    Image.fromarray(pixels).save("photo.jpg")
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    run(examples[0], {})
    assert "array([['" in capsys.readouterr().out
    assert len([line for line in examples[0].splitlines() if line]) == 3
    variables = run(examples[1], {})
    assert variables["names"] == ["blue", "red"]
    inputs = variables["pretrained"].inputs(variables["files"])
    assert variables["model"].evaluate(inputs, variables["labels"], verbose=0)[1] == 1.0


@pytest.mark.slow
def test_the_notebook_runs_and_holds_no_outputs(folder, capsys):
    notebook = json.loads((ROOT / "docs/library.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    variables = {}
    for cell in cells:
        run("".join(cell["source"]), variables)
    assert "guessing: 50 %" in capsys.readouterr().out
    assert variables["error"] < 0.4
