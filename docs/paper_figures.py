"""Draws figures 3 and 4 of the paper from the kept model of CIFAR-10: `python docs/paper_figures.py`.

It scores results/pretrained/cifar10 as the stage evaluate does, on the records of this tree, which `alexnet use
cifar10` and `dvc repro preprocess@native` make; in float32, which every machine has. All that the stage writes goes to
reports/pretrained/cifar10; figure 3 goes to docs/img as well. The others show photographs of the data set, which are
not for Git.
"""

import json
import shutil
import tempfile
from pathlib import Path

from components import evaluate
from components.interfaces import Runtime
from pipeline.environment.progress import progress_for
from pipeline.results.pretrained import FOLDER

ROOT = Path(__file__).resolve().parent.parent
MODEL = "cifar10"
PICTURES = {
    "conv1_kernels.png": "figure 3",
    "top5_unselected.png": "figure 4, left",
    "top5_worst.png": "the same of the most wrong",
    "neighbours.png": "figure 4, right",
}


def main() -> None:
    """Score the kept model, and say where its pictures are."""
    report = ROOT / "reports/pretrained" / MODEL
    shutil.rmtree(report, ignore_errors=True)
    report.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        shutil.copytree(ROOT / FOLDER / MODEL, model)
        description = json.loads((model / "model.json").read_text())
        (model / "model.json").write_text(json.dumps(description | {"precision": "float32"}))
        params = evaluate.Params(batch_size=256, neighbour_pool=10_000)
        inputs = evaluate.Inputs(records=ROOT / "data/records/native", model=model)
        evaluate.run(inputs, evaluate.Outputs(report=report), params, Runtime(progress=progress_for()))
    shutil.copyfile(report / "conv1_kernels.png", ROOT / f"docs/img/figure3-{MODEL}.png")
    for name, figure in PICTURES.items():
        print(f"{(report / name).relative_to(ROOT)}: {figure}", flush=True)


if __name__ == "__main__":
    main()
