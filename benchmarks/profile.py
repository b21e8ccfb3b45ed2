"""Where the time of a training step goes, by kind of operation: TensorFlow's profiler, read by one command.

    python -m benchmarks.profile                                # float32
    python -m benchmarks.profile --precision bfloat16 --steps 5
    python -m benchmarks.profile --subject "ours, ablations"    # the step of another network

Operations run side by side; each moment of a step is divided equally among those that run then, so that the shares add
up to the whole step. Kinds are told from the names that TensorFlow and XLA give; what has less than half a percent is
summed up. Prints a table, the largest first.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import click

from alexnet_tf.text_tables import markdown_table
from benchmarks import subjects
from benchmarks.machine import describe
from benchmarks.training import BATCH_SIZE, BATCH_SIZES
from pipeline.commands.base import Command

STEPS = ("ours", "ours, optimized for CIFAR-10", "ours, ablations")  # of benchmarks.subjects
NOTHING = "no operation"
KINDS = (  # a part of the name of an operation, of its type or of XLA's program; the first that fits
    ("lrn", "LRN"),
    ("Conv2DBackpropFilter", "convolutions, gradient of the kernels"),
    ("Conv2DBackpropInput", "convolutions, gradient of the maps"),
    ("Conv2D", "convolutions, forward (with bias and ReLU)"),
    ("MatMul", "dense layers"),
    ("MaxPool", "max pooling"),
    ("momentum_update", "update of the weights"),
    ("cut_and_centred", "crops, mirrors, mean and noise"),
    ("/Sum", "sums of the weights (are they finite?)"),
    ("Relu", "ReLU on its own"),
    ("Pad", "padding"),
    ("Concat", "joining and splitting"),
    ("Split", "joining and splitting"),
    ("Cast", "casts"),
    ("Stateless", "random numbers"),
)
SMALL = 0.005


class Operation(NamedTuple):
    """A kernel or a compiled program while it ran, in picoseconds."""

    name: str
    start: int
    end: int


@click.command(cls=Command, help=__doc__)
@click.option("--subject", type=click.Choice(STEPS), default=STEPS[0], show_default=True, help="Whose step.")
@click.option("--precision", type=click.Choice(("float32", "bfloat16")), default="float32", show_default=True)
@click.option(
    "--batch-size", type=click.IntRange(1), help="Images of a step; by default that of `benchmarks.training`."
)
@click.option("--steps", default=3, show_default=True, type=click.IntRange(min=1), help="Steps that are recorded.")
def main(subject: str, precision: str, batch_size: int | None, steps: int) -> None:
    """Record some steps, and print where their time went."""
    import tensorflow as tf

    batch_size = batch_size or BATCH_SIZES.get(subject, BATCH_SIZE)
    call = subjects.SUBJECTS[subject](precision, batch_size, subjects.IMAGES)
    for _ in range(subjects.WARM_UP):
        call()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, tf.profiler.experimental.ProfilerOptions(host_tracer_level=2)):
            for _ in range(steps):
                call()
        [trace] = Path(folder).rglob("*.xplane.pb")
        operations, length = read(trace)
    click.echo(f"{'; '.join(describe())}; {subject}, {precision}, batch {batch_size}, mean of {steps} steps")
    click.echo(table(divided(operations, length), length, steps))


def read(trace: Path) -> tuple[list[Operation], int]:
    """Return the operations of a trace, and the picoseconds that the calls took together."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace.read_bytes())
    [host] = [plane for plane in space.planes if plane.name == "/host:CPU"]
    operations, length = [], 0
    for line in host.lines:
        zero = line.timestamp_ns * 1000
        for event in line.events:
            name = host.event_metadata[event.metadata_id].name
            start = zero + event.offset_ps
            if name == "_run_steps":
                length += event.duration_ps
            for stat in event.stats:
                # A program of XLA has its module, a kernel its name and type.
                if host.stat_metadata[stat.metadata_id].name == "hlo_module":
                    name = f"program/{stat.str_value or host.stat_metadata[stat.ref_value].name}"
            if name.startswith("program/") or (line.name.startswith("tf_Compute") and "/" in name and ":" in name):
                operations.append(Operation(name, start, start + event.duration_ps))
    return operations, length


def divided(operations: Iterable[Operation], length: int) -> dict[str, float]:
    """Return the picoseconds of each kind: every moment is shared out among what runs then, and the rest is idle."""
    changes = sorted(
        (moment, change, kind(operation.name))
        for operation in operations
        for moment, change in ((operation.start, 1), (operation.end, -1))
    )
    shares: dict[str, float] = defaultdict(float)
    running: dict[str, int] = defaultdict(int)
    before = 0
    for moment, change, name in changes:
        count = sum(running.values())
        for each, number in running.items():
            if number:
                shares[each] += (moment - before) * number / count
        running[name] += change
        before = moment
    shares[NOTHING] = max(0.0, length - sum(shares.values()))
    return dict(shares)


def kind(name: str) -> str:
    """Return what an operation is for; one that `KINDS` has no word for is called by its type."""
    return next((word for part, word in KINDS if part in name), name.rpartition(":")[2])


def table(shares: dict[str, float], length: int, steps: int) -> str:
    """Return milliseconds a step and shares, the largest first."""
    large = {name: share for name, share in shares.items() if share >= SMALL * length}
    ordered = sorted(large.items(), key=lambda item: -item[1])
    lines = [["kind of operation", "ms a step", "share"]]
    for name, share in [*ordered, ("all others", sum(shares.values()) - sum(large.values()))]:
        lines.append([name, f"{share / steps / 1e9:.1f}", f"{share / length:.3f}"])
    lines.append(["the step", f"{length / steps / 1e9:.1f}", "1.000"])
    return markdown_table(lines)


if __name__ == "__main__":
    main()
