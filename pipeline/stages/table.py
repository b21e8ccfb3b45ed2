"""The pipeline as a table: which stage reads and writes which path, which parameters it gets, which needs which.

`dvc.yaml` says the same by hand, with comments; `tests/test_conformance.py` proves that the two agree.
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from pipeline.stages.import_graph import code_closure

PARAMS_FILE = "params.yaml"
METRICS_FILE = "metrics.json"  # in Git: what dvc.lock claims, in numbers
DATASET = "data/dataset"
RECORDS = "data/records/{images}"
STATISTICS = "data/statistics/{images}"
MODELS = "models"
EVALUATIONS = "reports/evaluate"
COMPARISON_FOLDER = "reports/compare"
PROFILES_MODULE = "alexnet_tf/profiles.py"


@dataclass(frozen=True)
class Stage:
    """One row of the table.

    Attributes:
        name: Name of the stage, of its command and of its module in `components`.
        foreach: The section of params.yaml with one item a run of this stage, or "" for a single run.
        inputs: Field of the component's `Inputs` -> path template in the repository.
        outputs: Field of the component's `Outputs` -> path template in the repository.
        params: Field of the component's `Params` -> dotted key in params.yaml. `{images}` and `{variant}`
            are filled in from the item, in all templates; a variant stage's `{images}` is what the variant
            names as its images.
        profiled: The values come from variants, in which a profile's values replace the word `profile`.
    """

    name: str
    foreach: Literal["", "images", "variants"]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    params: Mapping[str, str]
    profiled: bool = False

    @property
    def component(self) -> ModuleType:
        """The stage's module; its heavy imports wait until it runs."""
        return importlib.import_module(f"components.{self.name}")

    def code(self, root: Path) -> list[str]:
        """Name the Python files that decide what this stage writes, sorted, relative to `root`."""
        extra = [PROFILES_MODULE] if self.profiled else []
        return code_closure(root, [f"components/{self.name}.py", *extra])


class Item(NamedTuple):
    """One run of a stage: what `{images}` and `{variant}` mean in its templates."""

    stage: Stage
    key: str
    images: str

    @property
    def address(self) -> str:
        """What DVC calls it, for example `train@faithful`."""
        return f"{self.stage.name}@{self.key}" if self.key else self.stage.name

    @property
    def command(self) -> str:
        """How it is started by hand, without the leading `alexnet`."""
        return f"{self.stage.name} {self.key}".strip()

    def fill(self, template: str) -> str:
        """Put this item's names into a path or key template."""
        return template.format(images=self.images, variant=self.key)

    def inputs(self) -> dict[str, str]:
        """Field -> path, relative to the repository."""
        return {name: self.fill(path) for name, path in self.stage.inputs.items()}

    def outputs(self) -> dict[str, str]:
        """Field -> path, relative to the repository."""
        return {name: self.fill(path) for name, path in self.stage.outputs.items()}

    def params(self) -> dict[str, str]:
        """Field -> dotted key of params.yaml."""
        return {name: self.fill(key) for name, key in self.stage.params.items()}


def _section(name: str, *keys: str) -> dict[str, str]:
    return {key: f"{name}.{key}" for key in keys}


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            name="download",
            foreach="",
            inputs={},
            outputs={"dataset": DATASET},
            params=_section("download", "source", "validation_share", "subset", "sample"),
        ),
        Stage(
            name="validate",
            foreach="",
            inputs={"dataset": DATASET, "schemas": "schemas"},
            outputs={"report": "reports/validate", "verdict": "data/verdict.json"},
            params=_section(
                "validate",
                "max_corrupt_share",
                "max_class_imbalance",
                "allow_split_leakage",
                "near_copy_bits",
                "allow_near_leakage",
                "reference_schema",
                "min_side_px",
                "max_aspect",
            )
            | _section("preprocess", "max_pixels"),
        ),
        Stage(
            name="preprocess",
            foreach="images",
            inputs={"dataset": DATASET, "verdict": "data/verdict.json"},
            outputs={"records": RECORDS},
            params=_section("images.{images}", "size", "stored_size")
            | _section("validate", "max_corrupt_share")
            | _section("preprocess", "max_pixels", "images_per_shard", "encoding", "jpeg_quality"),
        ),
        Stage(
            name="statistics",
            foreach="images",
            inputs={"records": RECORDS},
            outputs={"statistics": STATISTICS},
            params={"size": "images.{images}.size"},
        ),
        Stage(
            name="train",
            foreach="variants",
            inputs={"records": RECORDS, "statistics": STATISTICS},
            outputs={"model": MODELS + "/{variant}", "report": "reports/train/{variant}"},
            params={"seed": "seed"} | _section("variants.{variant}", "input", "network", "training"),
            profiled=True,
        ),
        Stage(
            name="evaluate",
            foreach="variants",
            inputs={"records": RECORDS, "model": MODELS + "/{variant}"},
            outputs={"report": EVALUATIONS + "/{variant}"},
            params=_section("variants.{variant}.evaluation", "batch_size", "neighbour_pool"),
        ),
        Stage(
            name="compare",
            foreach="",
            inputs={"trainings": "reports/train", "evaluations": EVALUATIONS},
            outputs={"report": COMPARISON_FOLDER, "metrics": METRICS_FILE},
            params=_section("compare", "baseline", "confidence", "bootstrap_samples") | {"variants": "variants"},
            profiled=True,
        ),
        Stage(
            name="export",
            foreach="variants",
            inputs={
                "model": MODELS + "/{variant}",
                "evaluation": EVALUATIONS + "/{variant}",
                "records": RECORDS,
                "champions": "results/champions",
            },
            outputs={"export": "exports/{variant}"},
            params=_section("variants.{variant}", "gate", "export"),
        ),
    )
}


def items(stage: Stage, params: Mapping[str, Any]) -> list[Item]:
    """List the runs of `stage` that params.yaml asks for, in its order.

    Args:
        stage: A row of the table.
        params: The content of params.yaml, checked.
    """
    if stage.foreach == "images":
        return [Item(stage, name, name) for name in params["images"]]
    if stage.foreach == "variants":
        return [Item(stage, name, variant["images"]) for name, variant in params["variants"].items()]
    return [Item(stage, "", "")]


def all_items(params: Mapping[str, Any]) -> list[Item]:
    """List every run of every stage, in an order in which each comes after what it reads."""
    return [item for stage in STAGES.values() for item in items(stage, params)]


def producers(path: str, params: Mapping[str, Any]) -> Iterator[tuple[Item, str]]:
    """Yield each run that writes `path` or something below it, with what it writes there."""
    for item in all_items(params):
        for written in item.outputs().values():
            if written == path or written.startswith(path + "/"):
                yield item, written


def ancestors(item: Item, params: Mapping[str, Any]) -> list[Item]:
    """List the runs whose outputs `item` needs, directly or through others, in pipeline order."""
    found: set[str] = set()
    waiting = [item]
    while waiting:
        for path in waiting.pop().inputs().values():
            for producer, _ in producers(path, params):
                if producer.address not in found:
                    found.add(producer.address)
                    waiting.append(producer)
    return [each for each in all_items(params) if each.address in found]


def served_variants(item: Item, params: Mapping[str, Any]) -> list[str]:
    """List the variants that need `item`: its own, or all those downstream of a shared stage."""
    if item.stage.foreach == "variants":
        return [item.key]
    return [
        name
        for name, variant in params["variants"].items()
        if item.stage.foreach == "" or variant["images"] == item.key
    ]
