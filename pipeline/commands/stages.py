"""One command a stage: exactly what DVC runs, also by hand."""

import os
from functools import partial
from typing import TYPE_CHECKING

import click

from alexnet_tf.errors import AlexNetError, TrainingError
from pipeline.commands import completion
from pipeline.commands.base import Command, example, overrides, say
from pipeline.environment.typed import typed
from pipeline.environment.workspace import Workspace, workspace_around
from pipeline.stages.table import STAGES, Item, Stage

if TYPE_CHECKING:
    from components.interfaces import Tracker
    from pipeline.config.load import Config

_ABOUT = {
    "download": "Read the source of params.yaml into data/dataset.",
    "validate": "Check the raw images; an ERROR stops the pipeline.",
    "preprocess": "Write records of scaled, cropped images for one entry of `images`.",
    "statistics": "Compute mean image and colour covariance for one entry of `images`.",
    "train": "Train one variant; after an interruption, the same command resumes it.",
    "evaluate": "Measure one variant's errors on the test split.",
    "compare": "Compare the variants and write the report.",
    "export": "Export one variant, if it passed its gate.",
}
_ENTRIES = {"": "", "images": " small", "variants": " optimized"}  # by `foreach`, in the examples
_EXAMPLES = {
    "validate": ["alexnet validate -S validate.min_side_px=16"],
    "train": [
        "alexnet train optimized",
        "alexnet train faithful -S variants.faithful.training.epochs=2",
        "alexnet train optimized --kill-test 6",
    ],
}
"""The others show the command with an entry."""


def _command(stage: Stage) -> click.Command:
    def callback(
        overrides: tuple[str, ...],
        entry: str = "",
        fresh: bool = False,
        kill_test: int | None = None,
    ) -> None:
        if kill_test:
            _check_resume(entry, overrides, kill_test)
        else:
            run(stage.name, entry, overrides, fresh=fresh)

    params: list[click.Parameter] = []
    if stage.foreach:
        metavar = "VARIANT" if stage.foreach == "variants" else "IMAGES"
        about_entry, offered = f"An entry of `{stage.foreach}`.", completion.entries(stage.foreach)
        params.append(click.Argument(["entry"], metavar=metavar, help=about_entry, shell_complete=offered))
    if stage.name == "train":
        params += [
            click.Option(["--fresh"], is_flag=True, help="Ignore and delete an earlier checkpoint of this training."),
            click.Option(
                ["--kill-test"],
                type=click.IntRange(min=1),
                metavar="N",
                help="Test recovery instead: train twice in a scratch folder, once killed N times at random moments, "
                "and compare every byte.",
            ),
        ]
    about = _ABOUT[stage.name]
    shown = _EXAMPLES.get(stage.name, [f"alexnet {stage.name}{_ENTRIES[stage.foreach]}"])
    text = f"{about}\n\n{example(*shown)}"
    return overrides(Command(stage.name, callback=callback, params=params, help=text, short_help=about))


def _check_resume(variant: str, changes: tuple[str, ...], kills: int) -> None:
    """Train twice in a scratch folder, once killed again and again; exit with 1 where the results differ."""
    from pipeline.config.load import workspace_and_config
    from pipeline.verify.kill_test import kill_test

    workspace, config = workspace_and_config(changes)
    item = config.item("train", variant)
    verdict = kill_test(workspace, item, changes, kills, say)
    told = (
        f"{item.address}: killed {verdict.kills} times, {verdict.resumable} of them resumed from a checkpoint, "
        f"{verdict.kills_in_write} while one was being written"
    )
    if verdict.differing:
        raise TrainingError(f"{told}; {', '.join(verdict.differing)} differ from those of the uninterrupted training")
    click.echo(f"{told}; every byte of {' and '.join(item.outputs().values())} equals the uninterrupted training's")


def run(name: str, entry: str, changes: tuple[str, ...], *, fresh: bool = False) -> None:
    """Run one stage in the current repository, with tracking and progress.

    Args:
        name: The stage.
        entry: The entry of its `foreach` section, "" where it has none.
        changes: Texts `key=value` from `-S`.
        fresh: Ignore and delete an earlier checkpoint.

    Raises:
        AlexNetError: The stage is refused or fails. Its notes say how outputs come back that DVC has removed before.
    """
    try:
        _run(name, entry, changes, fresh)
    except AlexNetError as error:
        item, workspace = Item(STAGES[name], entry, entry), workspace_around()
        if os.environ.get("DVC_STAGE") == item.address and workspace and _has_former(workspace, item):
            error.add_note(f"`dvc checkout {item.address}` brings back the former outputs, which DVC has removed")
        raise


def _run(name: str, entry: str, changes: tuple[str, ...], fresh: bool) -> None:
    from alexnet_tf.devices.cluster import cluster
    from pipeline.config.load import workspace_and_config
    from pipeline.environment.progress import progress_for
    from pipeline.runner import run_stage
    from pipeline.stages import installed_code
    from pipeline.stages.source_state import USES_SOURCE, listed, remember, require_current
    from pipeline.tracking.tracker import open_tracker

    workspace, config = workspace_and_config(changes)
    item = config.item(name, entry)
    installed_code.require_current(workspace.root, name)
    source, folder = config.values["download"]["source"], workspace.located(config.runtime.source_folder)
    listing = listed(source, folder) if name == "download" else None
    if name in USES_SOURCE and (told := require_current(workspace, source, folder).told):
        say(told)

    def after(tracker: "Tracker") -> None:
        if name == "download":
            remember(workspace, source, folder, listing)
        if not os.environ.get("DVC_STAGE"):
            _say_written(workspace, item, changes)  # before anything waits for MLflow, and Ctrl-C ends that
        if name == "compare":
            _write_page(workspace, config, tracker)
        if name == "export":
            _register(workspace, config, item)

    workers = cluster()  # of several workers one alone records
    opened = partial(open_tracker, workspace, say) if workers is None or workers.is_chief else None
    run_stage(workspace, config, item, progress=progress_for(), open_tracker=opened, fresh=fresh, after=after)


def _say_written(workspace: Workspace, item: Item, changes: tuple[str, ...]) -> None:
    """Say what a run by hand has written, and how DVC learns of it."""
    written = ", ".join(item.outputs().values())
    told = f"`dvc status` shows a change until `dvc commit {item.address}`"
    if any(not change.startswith("runtime.") for change in changes):  # DVC would take it for a run of params.yaml
        told = "params.yaml lacks the values of -S, so do not `dvc commit` it; `dvc repro` makes it without them"
    say(f"{item.address}: wrote {written}; {told}{_way_back(workspace, item)}")


def _way_back(workspace: Workspace, item: Item) -> str:
    """Say how the outputs come back that the run has replaced, if DVC has them."""
    if not _has_former(workspace, item):
        return ""
    return f", and `dvc checkout --force {item.address}` brings back those of dvc.lock"


def _has_former(workspace: Workspace, item: Item) -> bool:
    """Whether DVC's cache has the outputs that dvc.lock names."""
    from pipeline.stages.dvc_cache import holds
    from pipeline.stages.dvc_lock import read_lock

    locked = read_lock(workspace.root).outputs(item)
    return bool(locked) and holds(workspace, locked.values())


def _write_page(workspace: Workspace, config: "Config", tracker: "Tracker") -> None:
    """Write reports/report.html; the comparison is complete without it, so a fault here is only reported."""
    from pipeline.results.report import write_report

    try:
        tracker.artifact(write_report(workspace, config))
    except Exception as error:
        say(f"reports/report.html was not written: {error}; `alexnet report` tries again")


def _register(workspace: Workspace, config: "Config", item: Item) -> None:
    """Put a blessed export into MLflow's registry; the export is complete without it, so a fault is only reported."""
    import json

    from pipeline.stages.fingerprint import fingerprint
    from pipeline.tracking.model_registry import register

    variant, identity = item.key, fingerprint(workspace.root, item, config.params[item.address])
    folder = workspace.root / item.outputs()["export"]
    if not json.loads((folder / "blessing.json").read_text(encoding="utf-8"))["blessed"]:
        return
    place = f"the model is in exports/{variant}/saved_model"
    try:
        registered = register(workspace.home, folder, variant, "challenger", {"alexnet.fingerprint": identity})
    except AlexNetError as error:
        say(f"{place}; {error}; `alexnet promote {variant}` registers it later")
    else:
        say(f"{place}; {registered}")
        serve = f"mlflow models serve -m models:/alexnet-{variant}@challenger --env-manager local --port 5050"
        say(f"serve it: {typed(serve, starts_others=True)}")


commands = [_command(stage) for stage in STAGES.values()]
