"""Stages that write tiny files, and a repository for them: the wiring is tested without the real ones."""

import dataclasses
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from components.interfaces import StageParams
from pipeline.stages.table import STAGES

ROOT = Path(__file__).resolve().parents[2]


class Sample(StageParams):
    train_images_per_class: Annotated[int, Field(ge=1)]


class Subset(StageParams):
    images_per_class: int | None


class Input(StageParams):
    crop_size: Annotated[int, Field(ge=1)]
    test_border: Annotated[int, Field(ge=0)]


class AlexNet(StageParams):
    name: Literal["alexnet"]
    filters: Annotated[list[int], Field(min_length=5, max_length=5)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    lrn_alpha: float


class AlexNetBN(StageParams):
    name: Literal["alexnet_bn"]
    batch_norm_momentum: float


class Schedule(StageParams):
    name: Literal["plateau", "steps", "one_cycle"]


class Augmentation(StageParams):
    padding: Annotated[int, Field(ge=0)]


class Training(StageParams):
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Schedule
    augmentation: Augmentation


class Gate(StageParams):
    max_top1_error: float


class Download(StageParams):
    source: str
    validation_share: Annotated[float, Field(gt=0, lt=1)]
    subset: Subset
    sample: Sample


class Validate(StageParams):
    max_corrupt_share: float
    max_class_imbalance: float
    allow_split_leakage: bool
    near_copy_bits: int | None
    allow_near_leakage: bool
    reference_schema: str | None
    min_side_px: int
    max_aspect: float
    max_pixels: int


class Preprocess(StageParams):
    size: Annotated[int, Field(ge=1)]
    stored_size: Annotated[int, Field(ge=1)]
    max_corrupt_share: float
    max_pixels: int
    images_per_shard: int
    encoding: str
    jpeg_quality: int


class Statistics(StageParams):
    size: int


class Train(StageParams):
    seed: int
    input: Input
    network: Annotated[AlexNet | AlexNetBN, Field(discriminator="name")]
    training: Training


class Evaluate(StageParams):
    batch_size: Annotated[int, Field(ge=1)]
    neighbour_pool: Annotated[int, Field(ge=0)]


class Compare(StageParams):
    baseline: str
    confidence: float
    bootstrap_samples: int
    variants: dict[str, dict[str, Any]]


class Package(StageParams):
    tflite: Literal["none", "float16"]
    onnx: bool


class Export(StageParams):
    gate: Gate
    export: Package


PARAMS: dict[str, type[StageParams]] = {
    "download": Download,
    "validate": Validate,
    "preprocess": Preprocess,
    "statistics": Statistics,
    "train": Train,
    "evaluate": Evaluate,
    "compare": Compare,
    "export": Export,
}

TEXT = """\
# EXPERIMENT stub: for tests
seed: 2012
download:
  source: sample
  validation_share: 0.1
  subset:
    images_per_class: null
  sample:
    train_images_per_class: 4
validate:
  max_corrupt_share: 0.02
  max_class_imbalance: 20.0
  allow_split_leakage: false
  near_copy_bits: 4
  allow_near_leakage: true
  reference_schema: null
  min_side_px: 8
  max_aspect: 20.0
images:
  large: {size: 256, stored_size: 256}
  small: {size: 64, stored_size: 32}
preprocess:
  max_pixels: 50000000
  images_per_shard: 512
  encoding: raw
  jpeg_quality: 95
variants:
  faithful:
    images: large
    profile: original
    input: {crop_size: 224, test_border: 0}
    network: {name: alexnet, filters: [96, 256, 384, 384, 256], dropout: 0.5, lrn_alpha: profile}
    training:
      epochs: 12
      learning_rate: 0.01
      schedule:
        name: profile
      augmentation: {padding: 0}
    evaluation: {batch_size: 64, neighbour_pool: 0}
    gate: {max_top1_error: 0.5}
    export: {tflite: none, onnx: false}
  optimized:
    images: small
    profile: none
    input: {crop_size: 56, test_border: 0}
    network: {name: alexnet_bn, batch_norm_momentum: 0.9}
    training: {epochs: 30, learning_rate: 0.1, schedule: {name: one_cycle}, augmentation: {padding: 0}}
    evaluation: {batch_size: 256, neighbour_pool: 0}
    gate: {max_top1_error: 0.3}
    export: {tflite: none, onnx: false}
compare:
  baseline: faithful
  confidence: 0.95
  bootstrap_samples: 2000

runtime:  # of this machine
  source_folder: data/sources   # folder of data sets
  devices: []
  checkpoint_interval_seconds: 120.0
  input_parallel_calls: 0
  tensorboard: false
  beam_runner: FnApiRunner
  beam_workers: 0
  beam_options: []
"""


def reports_of(inputs: Any, variant: str) -> dict[str, Any]:
    """What `compare` puts into the repository's metrics.json."""
    folders = {"train": inputs.trainings, "evaluate": inputs.evaluations}
    return {stage: json.loads((folder / variant / "metrics.json").read_text()) for stage, folder in folders.items()}


_RUNS = itertools.count(1)  # as TensorFlow counts names, which a saved model holds


def _wait_to_be_killed(moment: str) -> None:
    """Wait at the moment that STUB_PAUSE names, such as `in train@faithful`."""
    if os.environ.get("STUB_PAUSE") == f"{moment} {os.environ.get('DVC_STAGE')}":
        Path("paused").touch()
        time.sleep(600)


_wait_to_be_killed("before")


def run(inputs: Any, outputs: Any, params: StageParams, runtime: Any) -> str:
    """Write what was given into every output, which run of its process it is, and metrics where the wiring reads."""
    number = next(_RUNS)
    for field in dataclasses.fields(outputs):
        path = getattr(outputs, field.name)
        if path.name.lstrip(".").startswith("verdict.json"):
            path.write_text('{"verdict": "pass"}\n')
            continue
        if field.name == "metrics":
            path.write_text(json.dumps({name: reports_of(inputs, name) for name in params.variants}, indent=1) + "\n")
            continue
        path.mkdir()
        (path / "params.json").write_text(params.model_dump_json())
        (path / "run_of_this_process.txt").write_text(f"{number}\n")
        if field.name == "export":
            (path / "blessing.json").write_text('{"blessed": false}')
        if path.name.lstrip(".").startswith("compare"):
            names = ("baseline", "bootstrap_samples", "confidence", "errors", "num_examples", "paired", "training")
            names += ("against", "curves", "gallery", "knobs", "per_class", "slices", "towers")
            compared = dict.fromkeys(names) | {"variants": ["faithful", "optimized"]}
            (path / "comparison.json").write_text(json.dumps(compared))
        if field.name == "report":
            errors = {"center": {"top1_error": 0.25}, "ten_crop": {"top1_error": 0.25}}
            (path / "metrics.json").write_text(json.dumps({"best_epoch": 2, "kept_epoch": 2} | errors))
            right = np.packbits([True, True, True, False])  # as the errors say
            np.savez(path / "correct.npz", num=4, keys_sha256="0" * 64, center_top1=right, ten_crop_top1=right)
    with runtime.progress.task("stub", total=2, unit="epochs") as task:
        for epoch in (1, 2):
            runtime.tracker.metrics({"train/loss": 2.0 / epoch}, step=epoch)
            task.advance()
            _wait_to_be_killed("in")
    if os.environ.get("STUB_FAIL") == os.environ.get("DVC_STAGE", ""):
        raise ValueError("as STUB_FAIL asks")
    runtime.tracker.metrics({"cost/seconds_per_epoch": 0.5})
    runtime.tracker.tags({"devices": "CPU:0"})
    for field in dataclasses.fields(outputs):
        if field.name == "report":
            runtime.tracker.artifact(outputs.report / "metrics.json", folder="reports")
    return f"stub wrote {' and '.join(field.name for field in dataclasses.fields(outputs))}"


def modules() -> dict[str, types.ModuleType]:
    """A stub for each stage module, by its full name."""
    found = {}
    for name, stage in STAGES.items():
        module = types.ModuleType(f"components.{name}")
        paths = {"Inputs": stage.inputs, "Outputs": stage.outputs}
        for kind, fields in paths.items():
            made = dataclasses.make_dataclass(kind, [(field, Path) for field in fields], frozen=True)
            setattr(module, kind, made)
        module.Params = PARAMS[name]  # type: ignore[attr-defined]
        module.run = run  # type: ignore[attr-defined]
        found[module.__name__] = module
    return found


def make_repository(folder: Path) -> Path:
    """Lay out a repository of stub stages: everything that the command line needs to run there on its own."""
    for package in ("pipeline", "components", "alexnet_tf"):
        (folder / package).mkdir(parents=True)
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", dirs_exist_ok=True)
    for name in ("__init__", "errors", "nearest", "profiles", "stop"):
        shutil.copyfile(ROOT / f"alexnet_tf/{name}.py", folder / f"alexnet_tf/{name}.py")
    for path in ("components/__init__.py", "components/interfaces.py", "dvc.yaml"):
        shutil.copyfile(ROOT / path, folder / path)
    for committed in ("results/champions", "schemas"):
        shutil.copytree(ROOT / committed, folder / committed)
    shutil.copyfile(__file__, folder / "stub_stages.py")
    for name in STAGES:
        (folder / f"components/{name}.py").write_text(
            f"import stub_stages, sys\nsys.modules[__name__] = stub_stages.modules()['components.{name}']\n"
        )
    (folder / "params.yaml").write_text(TEXT)
    return folder


def refresh_code_lists(folder: Path) -> None:
    """Give dvc.yaml the code files that the stages in a folder have."""
    from pipeline.pages.dvc_yaml import refreshed

    path = folder / "dvc.yaml"
    path.write_text(refreshed(path.read_text(), folder))


def make_dvc_repository(folder: Path) -> Path:
    """Lay out a repository of stub stages in which `dvc repro` works, with one commit."""
    make_repository(folder)
    for path in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    refresh_code_lists(folder)
    settings = [("user.name", "stub"), ("user.email", "stub@example.org"), ("commit.gpgsign", "false")]
    commands = [
        ["git", "init", "-q", "-b", "main"],
        *(["git", "config", *setting] for setting in settings),
        ["git", "add", "-A"],
        ["git", "commit", "-qm", "stub"],
    ]
    for command in commands:
        subprocess.run(command, cwd=folder, check=True)
    return folder


def install(monkeypatch: Any) -> None:
    """Put the stubs in the place of the real stages, in this process."""
    from pipeline.config import schema

    schema.file_type.cache_clear()
    schema.json_schema.cache_clear()
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
        package = sys.modules["components"]
        monkeypatch.setattr(package, name.rpartition(".")[2], module, raising=False)
