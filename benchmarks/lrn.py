"""LRN alone, forwards and backwards: both ways to sum over neighbouring channels, in both precisions.

    python -m benchmarks.lrn                            # batch 128, both precisions
    python -m benchmarks.lrn --only float32

The maps are those of the network of 2012, two towers of 55 x 55 x 48 and of 27 x 27 x 128. All are measured in one
process, in turn within a round. Prints medians in milliseconds, and the processor time of all threads, which other work
on the machine disturbs less. `lrn.faster_method` says which one a training takes: if the other one is faster here, that
is the line to change.
"""

import statistics
import time
from itertools import product

import click

import alexnet_tf  # noqa: F401 - before TensorFlow, so that oneDNN is on
from alexnet_tf.text_tables import markdown_table
from benchmarks.machine import describe
from pipeline.commands.base import Command

MAPS = {"norm1": (55, 55, 48), "norm2": (27, 27, 128)}  # of a tower
FORMULA = {"alpha": 2e-5, "beta": 0.75, "k": 2.0, "size": 5}
METHODS = ("shifts", "band")
PRECISIONS = ("float32", "bfloat16")


@click.command(cls=Command, help=__doc__)
@click.option("--batch-size", default=128, show_default=True, type=click.IntRange(1), help="Images.")
@click.option(
    "--rounds",
    default=7,
    show_default=True,
    type=click.IntRange(1),
    help="How often each is measured, after once to warm up.",
)
@click.option("--only", type=click.Choice(PRECISIONS), help="One precision; both if it is not given.")
def main(batch_size: int, rounds: int, only: str | None) -> None:
    """Measure, and print a table."""
    import tensorflow as tf

    from alexnet_tf.models.lrn import faster_method

    cases = list(product([only] if only else PRECISIONS, MAPS, METHODS))
    calls = {case: forward_and_backward(*case, batch_size) for case in cases}
    taken: dict[tuple[str, str, str], list[tuple[float, float]]] = {case: [] for case in cases}
    for _, (case, call) in product(range(rounds + 1), calls.items()):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        taken[case].append((time.perf_counter() - wall, time.process_time() - cpu))
    lines = [
        ["precision", "maps", *(f"{method}, ms ({kind})" for kind in ("wall", "CPU") for method in METHODS), "taken"]
    ]
    for precision, maps in dict.fromkeys(case[:2] for case in cases):
        figures = [
            f"{1e3 * statistics.median(each[kind] for each in taken[precision, maps, method][1:]):.1f}"
            for kind in (0, 1)
            for method in METHODS
        ]
        lines.append([precision, maps, *figures, faster_method(tf.as_dtype(precision))])
    click.echo("; ".join(describe()))
    click.echo(markdown_table(lines))


def forward_and_backward(precision: str, maps: str, method: str, batch_size: int):
    """Return a call that normalizes both towers and takes the gradient."""
    import tensorflow as tf

    from alexnet_tf.models.lrn import local_response_normalization

    generator = tf.random.Generator.from_seed(0)
    shape = (batch_size, *MAPS[maps])
    towers = [tf.cast(generator.normal(shape, 0, 60), precision) for _ in range(2)]
    upstream = [tf.cast(generator.normal(shape), precision) for _ in range(2)]

    @tf.function
    def run(towers, upstream):
        with tf.GradientTape() as tape:
            tape.watch(towers)
            normal = [local_response_normalization(each, **FORMULA, method=method) for each in towers]
        return normal, tape.gradient(normal, towers, upstream)

    def call() -> None:
        for tensor in tf.nest.flatten(run(towers, upstream)):
            tensor[0, 0, 0].numpy()

    return call


if __name__ == "__main__":
    main()
