"""`alexnet promote`: make an exported model the champion that later ones are held against."""

import json
from pathlib import Path
from typing import Any

import click

from alexnet_tf.errors import AlexNetError
from alexnet_tf.whole_file import write_whole
from pipeline.commands import completion
from pipeline.commands.base import Command, example

_HELP = f"""Make the exported model of VARIANT its champion, which later exports are compared with.

Sets the alias `champion` in MLflow's registry and writes to results/champions/VARIANT which test images the model got
right. Commit that folder. From then on `export` refuses a model of VARIANT that may be worse on the same images by more
than variants.VARIANT.gate.champion_margin in params.yaml.

{example("alexnet promote optimized")}"""
_FILES = ("metrics.json", "correct.npz")
_OTHER_EVALUATION = (
    "exports/{variant} was judged by a different evaluation than reports/evaluate/{variant}; run "
    "`dvc repro export@{variant}`"
)


@click.command("promote", cls=Command, help=_HELP, short_help="Make an exported model the champion.")
@click.argument("variant", shell_complete=completion.entries("variants"))
def command(variant: str) -> None:
    """Register the export as champion, then keep its evaluation."""
    from pipeline.config.load import workspace_and_config
    from pipeline.stages.dvc_lock import dvc_md5, read_lock
    from pipeline.tracking.model_registry import register
    from pipeline.tracking.stage_runs import locked_stage

    workspace, config = workspace_and_config()
    item = config.item("export", variant)
    judged_by = item.inputs()["evaluation"]
    export, evaluation = workspace.root / item.outputs()["export"], workspace.root / judged_by
    _require_blessed(export, evaluation, variant)
    judged = read_lock(workspace.root).inputs(item).get(judged_by)
    if judged and judged != dvc_md5(evaluation):
        raise AlexNetError(_OTHER_EVALUATION.format(variant=variant))
    # Not by the stage's fingerprint: the champions are among its inputs, and one of them is about to change.
    found = locked_stage(read_lock(workspace.root), item)
    made_by = {"dvc.stage": found["stage"], **found["outs"]} if found else {}
    click.echo(register(workspace.home, export, variant, "champion", made_by))
    target = workspace.root / item.inputs()["champions"] / variant
    _replace(target, evaluation)
    place = target.relative_to(workspace.root)
    click.echo(f"{place}: commit it; from the next `dvc repro` on, export@{variant} is compared with this model")


def _require_blessed(export: Path, evaluation: Path, variant: str) -> None:

    blessing = _read(export / "blessing.json", variant, "blessed", "rules")
    metrics = _read(evaluation / "metrics.json", variant, "ten_crop")
    if not blessing["blessed"]:
        raise AlexNetError(
            f"exports/{variant}/blessing.json: this model did not pass its gate, so it cannot become champion; "
            f"see variants.{variant}.gate in params.yaml"
        )
    if blessing["rules"][0]["value"] != metrics["ten_crop"]["top1_error"]:
        raise AlexNetError(_OTHER_EVALUATION.format(variant=variant))
    if not (export / "saved_model").is_dir():
        raise AlexNetError(f"exports/{variant}/saved_model is missing; run `dvc repro -f export@{variant}`")


def _read(path: Path, variant: str, *keys: str) -> dict[str, Any]:

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: content[key] for key in keys}
    except (OSError, ValueError, KeyError, TypeError):
        place = "/".join(path.parts[-3:])
        raise AlexNetError(f"{place} is missing or broken; run `dvc repro export@{variant}`") from None


def _replace(target: Path, evaluation: Path) -> None:
    """Put the two files in the place of the former champion's, each whole or not at all."""
    target.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        write_whole(target / name, (evaluation / name).read_bytes())
