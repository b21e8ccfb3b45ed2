"""Forward and backward of the 2012 network against the machine's own matrix products, in one run.

    python benchmarks/train_step.py [--batch-size 128] [--precision float32 --precision bfloat16]

Prints CSV: what, precision, median milliseconds, GFLOP/s, images/s, share of the ceiling. The first two calls of each
are a warm-up. Ceiling: a 4096 x 4096 product in the same precision; it alternates with the step, so that a change in
the machine's load hits both.
"""

import platform
import statistics
import sys
import time

import click

FLOP_PER_IMAGE = 2 * (3 * 724_406_816 - 105_415_200)  # forward, both gradients, none into the image for conv1
SIDE = 4096


@click.command()
@click.option("--batch-size", default=128, show_default=True, help="Images of a step.")
@click.option("--precision", "precisions", multiple=True, default=("float32", "bfloat16"), show_default=True)
@click.option("--repeats", default=5, show_default=True, help="Timed calls of each.")
def main(batch_size: int, precisions: tuple[str, ...], repeats: int) -> None:
    """Print one line of CSV for each precision's ceiling and step."""
    import tensorflow as tf

    print(
        f"# {platform.processor() or platform.machine()}, tensorflow {tf.__version__}, python {sys.version.split()[0]}"
    )
    print("what,precision,milliseconds,gflops,images_per_second,share_of_ceiling")
    for precision in precisions:
        product, step = _product(precision), _step(precision, batch_size)
        for call in (product, step) * 2:
            call()
        times: dict[str, list[float]] = {"matmul": [], "step": []}
        for _ in range(repeats):
            times["matmul"].append(_seconds(product))
            times["step"].append(_seconds(step))
        matmul, train = (statistics.median(times[name]) for name in times)
        ceiling, reached = 2 * SIDE**3 / matmul / 1e9, FLOP_PER_IMAGE * batch_size / train / 1e9
        print(f"matmul,{precision},{matmul * 1e3:.1f},{ceiling:.0f},{ceiling * 1e9 / FLOP_PER_IMAGE:.1f},1.00")
        print(f"step,{precision},{train * 1e3:.1f},{reached:.0f},{batch_size / train:.1f},{reached / ceiling:.2f}")


def _seconds(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _product(precision: str):
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((SIDE, SIDE)), precision)
    product = tf.function(lambda: tf.reduce_sum(tf.cast(tf.matmul(matrix, matrix)[0], tf.float32)))
    return lambda: product().numpy()


def _step(precision: str, batch_size: int):
    import tensorflow as tf

    from alexnet_tf import architecture, networks, profiles
    from alexnet_tf.layers import Draw
    from pipeline.workspace import find_workspace
    from pipeline.yaml_file import read

    variant = profiles.resolve(read(find_workspace().root / "experiments/imagenet2012.yaml")["variants"]["faithful"])
    spec = architecture.AlexNet.model_validate(variant["network"])
    model = networks.build(spec, crop_size=224, num_classes=1000, precision=precision)
    images, labels = tf.random.normal((batch_size, 224, 224, 3)) * 60.0, tf.zeros((batch_size,), tf.int32)
    draw = Draw(tf.constant([1, 1]), tf.range(batch_size), batch_size)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True, draw=draw)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        return loss, gradients

    return lambda: step()[0].numpy()


if __name__ == "__main__":
    main()
