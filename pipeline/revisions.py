"""Brings the reports of past runs back: any Git revision or DVC experiment, compared with what lies here.

DVC's cache still holds them, so nothing is trained or evaluated again: the bits in correct.npz are enough for a
paired test.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet_tf.errors import AlexNetError, ConfigError
from alexnet_tf.profiles import resolve
from pipeline.config import PARAMS_FILE, Config
from pipeline.workspace import Workspace
from pipeline.yaml_file import parse

if TYPE_CHECKING:
    from alexnet_tf.comparison import Evaluation, Training

_MAX_SECONDS = 600


def compare_with(
    workspace: Workspace, config: Config, revisions: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Compare the variants here with all those of past revisions.

    Args:
        workspace: With reports of the current parameters.
        config: Of the current parameters; its section `compare` holds.
        revisions: Git revisions or names of DVC experiments; their variants are called VARIANT@REVISION.

    Returns:
        As `alexnet_tf.comparison.compare`, and the pictures by file name.

    Raises:
        ConfigError: There is no such revision.
        AlexNetError: Its reports cannot be had, or it was tested on other images.
    """
    from alexnet_tf.comparison import compare
    from components.compare import read_evaluation, read_training

    evaluations: dict[str, Evaluation] = {}
    trainings: dict[str, Training] = {}
    variants: dict[str, Any] = {}
    figures: dict[str, bytes] = {}

    def take(name: str, training: Path, evaluation: Path, params: Any) -> None:
        trainings[name], evaluations[name] = read_training(training), read_evaluation(evaluation)
        variants[name] = params
        figures.update({f"{path.stem}_{name}.png": path.read_bytes() for path in evaluation.glob("*.png")})

    past = {revision: _variants(workspace.root, revision) for revision in revisions}
    for variant, params in config.values["variants"].items():
        reports = workspace.root / "reports"
        take(variant, reports / "train" / variant, reports / "evaluate" / variant, params)
    for revision in past:
        with tempfile.TemporaryDirectory() as place:
            for variant, params in past[revision].items():
                training, evaluation = (Path(place) / stage / variant for stage in ("train", "evaluate"))
                for folder in (training, evaluation):
                    folder.parent.mkdir(exist_ok=True)
                    _get(workspace.root, f"reports/{folder.parent.name}/{variant}", revision, folder)
                take(f"{variant}@{revision}", training, evaluation, params)
    section = config.values["compare"]
    comparison = compare(
        evaluations,
        trainings,
        variants,
        baseline=section["baseline"],
        confidence=section["confidence"],
        bootstrap_samples=section["bootstrap_samples"],
    )
    return comparison, figures


def _variants(root: Path, revision: str) -> dict[str, Any]:
    """Read the variants of a revision's params.yaml, profiles resolved where this code still knows them."""
    shown = subprocess.run(
        ["git", "show", f"{revision}:{PARAMS_FILE}"], cwd=root, capture_output=True, text=True, check=False
    )
    if shown.returncode:
        raise ConfigError(
            f"--rev {revision}: no Git revision or DVC experiment of that name holds {PARAMS_FILE}; `dvc exp show` and"
            " `git log` list them"
        )
    content = parse(shown.stdout, f"{revision}:{PARAMS_FILE}")
    found = {}
    for name, variant in content["variants"].items():
        try:
            found[name] = resolve(variant)
        except ConfigError:
            found[name] = variant
    return found


def _get(root: Path, path: str, revision: str, target: Path) -> None:
    command = [sys.executable, "-m", "dvc", "get", "--quiet", str(root), path, "--rev", revision, "-o", str(target)]
    try:
        got = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=_MAX_SECONDS)
    except subprocess.TimeoutExpired:
        raise AlexNetError(f"--rev {revision}: DVC did not bring {path} within {_MAX_SECONDS} s; try again") from None
    if got.returncode:
        reason = (got.stderr.strip().splitlines() or ["no message"])[0].removeprefix("ERROR: ")
        raise AlexNetError(
            f"--rev {revision}: {path} is not to be had ({reason}); `dvc fetch` it, or check that revision out and run"
            " `dvc repro`"
        )
