"""The comparison page with what the runs cost on this machine.

It holds measured seconds, so it is no output of a stage: DVC would see it change at every run.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alexnet_tf.data.record_dataset import read_manifest
from alexnet_tf.errors import AlexNetError, DataError
from components.interfaces import SPLITS
from pipeline.config.load import Config
from pipeline.environment.provenance import COMMIT, provenance_tags, words_of
from pipeline.environment.workspace import Workspace
from pipeline.stages.cost import read_timings
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.outputs import write_text
from pipeline.stages.table import COMPARISON_FOLDER, DATASET, EVALUATIONS

_COMPARISON_FILE = f"{COMPARISON_FOLDER}/comparison.json"
PAGE = "reports/report.html"
COMPARED = "reports/compared.html"
_SHOWN = (
    "against",
    "baseline",
    "bootstrap_samples",
    "confidence",
    "curves",
    "errors",
    "gallery",
    "knobs",
    "num_examples",
    "paired",
    "per_class",
    "slices",
    "towers",
    "training",
    "variants",
)
_MIB = 2**20
_DRAWN = ("confusion.csv", "calibration.csv")
"""Tables of an evaluation that the page draws itself."""


def read_comparison(workspace: Workspace) -> dict[str, Any]:
    """Read what `compare` wrote.

    Raises:
        AlexNetError: It is not there, broken, or something else.
    """
    try:
        comparison = json.loads((workspace.root / _COMPARISON_FILE).read_text(encoding="utf-8"))
        if not isinstance(comparison, dict):
            raise ValueError("it is not a JSON object")
        if missing := [key for key in _SHOWN if key not in comparison]:
            raise ValueError(f"it has no {missing[0]!r}")
        return comparison
    except FileNotFoundError:
        raise AlexNetError(f"{_COMPARISON_FILE} is missing; run `dvc repro` or `alexnet compare`") from None
    except ValueError as error:
        raise AlexNetError(f"{_COMPARISON_FILE} is broken ({error}); run `dvc repro -f compare`") from None


def costs(workspace: Workspace, config: Config) -> dict[str, dict[str, float]]:
    """Collect what training and evaluating each variant cost, as far as it was measured on this machine."""
    found: dict[str, dict[str, float]] = {}
    for variant in config.values["variants"]:
        train, evaluate = (_timings(workspace, config, stage, variant) for stage in ("train", "evaluate"))
        named = {
            "seconds_per_epoch": train.get("seconds_per_epoch"),
            "training_seconds": train.get("wall_seconds"),
            "training_images_per_second": train.get("images_per_second"),
            "evaluation_images_per_second": evaluate.get("images_per_second"),
            "peak_memory_mib": train["peak_memory_bytes"] / _MIB if "peak_memory_bytes" in train else None,
        }
        found[variant] = {name: value for name, value in named.items() if value is not None}
    return found


def _timings(workspace: Workspace, config: Config, stage: str, variant: str) -> dict[str, float]:
    item = config.item(stage, variant)
    try:
        identity = fingerprint(workspace.root, item, config.params[item.address])
    except OSError:
        return {}
    return read_timings(workspace.timings, item, identity)


def write_report(workspace: Workspace, config: Config) -> Path:
    """Write the page and return its path.

    Raises:
        AlexNetError: There is no comparison yet.
    """
    comparison = read_comparison(workspace)
    folder = workspace.root / COMPARISON_FOLDER
    figures = {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}
    for variant in comparison["variants"]:
        figures |= figures_of(workspace.root / EVALUATIONS / variant, variant, _DRAWN)
    origin = {"data set": data_set_words(workspace, config)} | origin_of(workspace.root)
    return write_page(workspace.root / PAGE, comparison, costs(workspace, config), figures, origin)


def figures_of(evaluation: Path, name: str, patterns: tuple[str, ...] = ("*.png", *_DRAWN)) -> dict[str, bytes]:
    """Read what the page shows of an evaluation, by the file names that it asks for, which end in the variant's."""
    found = [path for pattern in patterns for path in sorted(evaluation.glob(pattern))]
    return {f"{path.stem}_{name}{path.suffix}": path.read_bytes() for path in found}


def write_page(
    page: Path,
    comparison: dict[str, Any],
    measured: dict[str, dict[str, float]],
    figures: dict[str, bytes],
    origin: dict[str, str],
) -> Path:
    """Write a comparison as a page, whole or not at all, and return its path."""
    from alexnet_tf.comparison.page import render

    write_text(page, render(comparison, measured, figures, origin))
    return page


def data_set_words(workspace: Workspace, config: Config) -> str:
    """Name the data set of the parameters, with its size where it is here."""
    source = config.values["download"]["source"]
    try:
        manifest = read_manifest(workspace.root / DATASET, stage="download")
    except DataError:
        return source
    sizes = ", ".join(f"{manifest['splits'][name]['num_examples']:,} {name}" for name in SPLITS)
    return f"{source}: {len(manifest['class_names'])} classes, {sizes} images"


def origin_of(root: Path) -> dict[str, str]:
    """Say when, at which commit and on which machine a page is made."""
    tags = provenance_tags(root)
    commit = tags.get(COMMIT, "none")[:10]
    dirty = ", with uncommitted changes" if tags.get("git.dirty") == "true" else ""
    return {
        "page written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "at commit": f"{commit}{dirty}",
        "on machine": f"{words_of(tags)}; {tags['host.memory_gib']} GiB",
    }
