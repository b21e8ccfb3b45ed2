"""Runs one stage: checks its inputs, gives it a place to write, puts what it wrote in place, records it."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from alexnet_tf.devices.cluster import cluster
from alexnet_tf.devices.processor import usable_cores
from alexnet_tf.errors import AlexNetError, ConfigError, Stopped
from alexnet_tf.stop import Stop
from components.interfaces import BeamRuntime, Progress, Runtime, SilentProgress, SilentTracker, StageParams
from pipeline.config.load import PARAMS_FILE, Config
from pipeline.config.schema import RuntimeParams
from pipeline.environment.dotted import at
from pipeline.environment.interruption import Interrupted, Interruption
from pipeline.environment.lock import locked
from pipeline.environment.os_errors import os_error_sentence
from pipeline.environment.provenance import this_machine
from pipeline.environment.workspace import Workspace
from pipeline.environment.yaml_file import read
from pipeline.stages import outputs
from pipeline.stages.cost import CostTracker, Meter
from pipeline.stages.fingerprint import fingerprint
from pipeline.stages.table import Item, all_items, producers
from pipeline.tracking.tracker import StageTracker

_MOST_PARALLEL_CALLS = 4  # one copies thousands of raw images a second; of JPEGs each has a pool of threads


class SilentStageTracker(SilentTracker):
    """Records nothing and needs no closing."""

    def close(self, status: str, cost: dict[str, float]) -> None:
        """Ignore the end of the run."""


def run_stage(
    workspace: Workspace,
    config: Config,
    item: Item,
    *,
    progress: Progress | None = None,
    open_tracker: Callable[[Item, Config, str], StageTracker] | None = None,
    fresh: bool = False,
    after: Callable[[StageTracker], None] | None = None,
) -> None:
    """Run one stage as `dvc repro` does, also when started by hand.

    Args:
        workspace: Where it reads and writes.
        config: The checked params.yaml.
        item: Which stage, for which entry.
        progress: Shows a heading, progress and what the stage found; by default nothing does.
        open_tracker: Starts recording the run, given its fingerprint; by default nothing is recorded.
        fresh: Ignore and delete an earlier checkpoint.
        after: Called with the tracker once the outputs are in their places.

    Raises:
        AlexNetError: An input is missing, the disk or its rights do not do, what DVC will record of the stage changed
            while it ran, or the stage says so.
        Interrupted: Ctrl-C, SIGTERM or a closed terminal.
    """
    places = {name: workspace.root / path for name, path in item.outputs().items()}
    progress = progress or SilentProgress()
    tracker: StageTracker = SilentStageTracker()
    status, committed = "FAILED", False
    meter, stop = Meter(), Stop()
    interruption = Interruption(stop, item.address)
    checkpoint: Path | None = None
    with interruption.heard(), ExitStack() as locks:
        try:
            _lock(locks, workspace.stage_lock(item.address), item, "the same stage here", progress)
            locks.callback(outputs.discard, places.values())  # before the lock goes, and only by who has it
            _require_inputs(workspace.root, item, config)
            params = config.params[item.address]
            identity, written = fingerprint(workspace.root, item, params), _written(workspace.root, item)
            checkpoint = workspace.checkpoints / identity
            if item.stage.name == "train" and ((workers := cluster()) is None or workers.is_chief):
                _lock(locks, workspace.lock(identity), item, "the same training", progress)  # and keeps its checkpoint
            outputs.prepare(places.values())
            if open_tracker:
                tracker = open_tracker(item, config, identity)
            runtime = _runtime(workspace, config, CostTracker(tracker, meter), progress, checkpoint, fresh, stop)
            progress.line(_heading(item, config))
            found = _run(item, params, runtime, workspace.root, places)
            if stop.asked:
                raise KeyboardInterrupt
            if changed := _changed(workspace.root, item, params, identity, written):
                raise AlexNetError(
                    f"{item.address}: {changed} changed while it ran, and DVC would record the present state for this "
                    "result; undo the change and give the same command again (a training resumes from its checkpoint)"
                )
            outputs.commit(places.values())
            committed = True
            progress.line(f"{item.address}: {found}")
            meter.write(workspace.timings, item, identity, this_machine(workspace.root))
            outputs.remove(checkpoint)
            if after:
                after(tracker)
            status = "FINISHED"
        except Stopped as error:
            status = "KILLED"
            raise Interrupted(f"{item.address}: {error}", interruption.number) from None
        except KeyboardInterrupt:
            status = "KILLED"
            kept = "its outputs are complete, but not recorded to the end" if committed else "no partial output is kept"
            on = "resumes from its last checkpoint" if checkpoint and checkpoint.exists() else "starts it again"
            raise Interrupted(
                f"{item.address}: interrupted; {kept}, and the same command {on}", interruption.number
            ) from None
        except OSError as error:
            raise os_error_sentence(error, item.address, workspace.root) from error
        finally:
            tracker.close(status, meter.read())


def _lock(locks: ExitStack, path: Path, item: Item, doing: str, progress: Progress) -> None:
    def waiting(process: str) -> None:
        progress.line(f"{item.address}: waiting for process {process}, which runs {doing}")

    locks.enter_context(locked(path, waiting))


def _written(root: Path, item: Item) -> Mapping[str, Any] | None:
    """The parameters of a stage as params.yaml has them now, by dotted key; None where it cannot be read."""
    try:
        content = read(root / PARAMS_FILE)
        return {key: at(content, key) for key in item.params().values()}
    except (ConfigError, KeyError):
        return None


def _changed(root: Path, item: Item, params: StageParams, identity: str, written: Mapping[str, Any] | None) -> str:
    """Say what of a stage is no longer as it was; DVC looks only when the stage has ended."""
    if _written(root, item) != written:
        return f"its part of {PARAMS_FILE}"
    return "" if fingerprint(root, item, params) == identity else "its code or an input"


def _heading(item: Item, config: Config) -> str:
    addresses = [each.address for each in all_items(config.values)]  # in the order in which DVC runs them
    return f"{item.address} (stage {addresses.index(item.address) + 1} of {len(addresses)})"


def _run(item: Item, params: StageParams, runtime: Runtime, root: Path, places: dict[str, Path]) -> str:
    component = item.stage.component
    inputs = component.Inputs(**{name: root / path for name, path in item.inputs().items()})
    written = component.Outputs(**{name: outputs.partial(path) for name, path in places.items()})
    found = component.run(inputs, written, params, runtime)
    if absent := outputs.missing(places):
        names = ", ".join(str(places[name].relative_to(root)) for name in absent)
        raise AlexNetError(
            f"{item.address}: ended without writing {names}; this is a bug in components/{item.stage.name}.py"
        )
    return found


def beam_runtime(settings: RuntimeParams) -> BeamRuntime:
    """Return how Beam is to run, by the settings."""
    return BeamRuntime(runner=settings.beam_runner, num_workers=settings.beam_workers, options=settings.beam_options)


def _runtime(
    workspace: Workspace,
    config: Config,
    tracker: CostTracker,
    progress: Progress,
    checkpoint: Path,
    fresh: bool,
    stop: Stop,
) -> Runtime:
    settings = config.runtime
    return Runtime(
        tracker=tracker,
        progress=progress,
        beam=beam_runtime(settings),
        devices=settings.devices,
        source_folder=workspace.located(settings.source_folder),
        scratch=checkpoint,
        fresh=fresh,
        checkpoint_interval_seconds=settings.checkpoint_interval_seconds,
        input_parallel_calls=settings.input_parallel_calls or min(usable_cores(), _MOST_PARALLEL_CALLS),
        stop=stop,
    )


def _require_inputs(root: Path, item: Item, config: Config) -> None:
    for path in item.inputs().values():
        for producer, written in producers(path, config.values):
            if not (root / written).exists():
                raise AlexNetError(
                    f"{item.address}: {written} is missing; run `dvc repro {producer.address}` or "
                    f"`alexnet {producer.command}`"
                )
