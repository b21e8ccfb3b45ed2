"""Renders docs/performance.md and its plot from benchmarks/results/training.csv and environment.csv.

python -m benchmarks.performance_page
"""

import statistics
from collections import defaultdict
from pathlib import Path
from string import Template

from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.models.specs import AlexNetSpec
from alexnet_tf.profiles import resolve
from alexnet_tf.text_tables import markdown_table
from benchmarks import environment
from benchmarks.pages import load, machine
from benchmarks.training import MANY_IMAGES, ROOT
from pipeline.environment.yaml_file import read

PAGE, PLOT = ROOT / "docs" / "performance.md", ROOT / "docs" / "img" / "performance.png"
TEXT = ROOT / "benchmarks" / "performance_page.md"
MATRIX_SIDE = 4096
Key = tuple[str, str, int]


def flop_per_image() -> int:
    """Return the arithmetic of a training step for one image: forward and both gradients, none into the image."""
    values = resolve(read(ROOT / "experiments" / "imagenet2012.yaml")["variants"]["faithful"])
    table = layer_table(AlexNetSpec.model_validate(values["network"]), 224, 3, 1000)
    total = sum(row.multiply_adds for row in table)
    return 2 * (3 * total - next(row.multiply_adds for row in table if row.name == "conv1"))


def by_round(rows: list[dict[str, str]]) -> dict[int, dict[Key, dict[str, float]]]:
    """Return images/s (of the product: those that its GFLOP/s would make), GFLOP/s and MiB by round and subject."""
    found: dict[int, dict[Key, dict[str, float]]] = defaultdict(dict)
    for row in rows:
        seconds, size = float(row["milliseconds"]) / 1e3, int(row["batch_size"])
        work = 2 * MATRIX_SIDE**3 if row["name"] == "matrix product" else flop_per_image() * size
        figures = {"gflops": work / seconds / 1e9, "mib": float(row["peak_mib"])}
        figures["images_per_second"] = figures["gflops"] * 1e9 / flop_per_image()
        found[int(row["round"])][row["name"], row["precision"], int(row["images"])] = figures
    return found


def ratios(rounds: dict[int, dict[Key, dict[str, float]]], over: Key, under: Key, figure: str) -> list[float]:
    """Return a ratio within each round in which both subjects were measured."""
    return [each[over][figure] / each[under][figure] for each in rounds.values() if over in each and under in each]


def ratios_table(rounds: dict[int, dict[Key, dict[str, float]]]) -> str:
    """Return the table of what was to be reached."""
    product, ours, real = ("matrix product", "float32", 0), ("ours", "float32", 0), ("ours, real data", "float32", 0)
    product16, ours16, real16 = ((name, "bfloat16", 0) for name in ("matrix product", "ours", "ours, real data"))
    keras, torch, torch16 = ("Keras fit", "float32", 0), ("PyTorch", "float32", 0), ("PyTorch", "bfloat16", 0)
    many = (*real[:2], MANY_IMAGES)
    speed = "images_per_second"
    # What is measured, against what, and what at best could take the place of the first.
    wanted = [
        ("float32 step, share of the ceiling", ours, product, product, speed, "at least 0.76"),
        ("bfloat16 step, share of its ceiling", ours16, product16, product16, speed, "at least 0.64"),
        ("against PyTorch, float32", ours, torch, product, speed, "at least 3.0"),
        ("against PyTorch, bfloat16", ours16, torch16, product16, speed, "at least 3.5"),
        ("against Keras `fit`, float32", ours, keras, product, speed, "at least 1.25"),
        ("real data against one batch in memory, float32", real, ours, None, speed, "at least 0.95"),
        ("the same, bfloat16", real16, ours16, None, speed, "at least 0.95"),
        (f"{MANY_IMAGES:,} images against 1,000, float32", many, real, None, speed, ""),
        (f"peak memory at {MANY_IMAGES:,} images against 1,000", many, real, None, "mib", "0.95 to 1.05"),
    ]
    lines = [["figure", "median", "range", "target", "ceiling"]]
    for text, over, under, best, figure, bound in wanted:
        found, ceiling = ratios(rounds, over, under, figure), best and ratios(rounds, best, under, figure)
        middle, span = "not measured", ""
        if found:
            middle, span = f"{statistics.median(found):.2f}", f"{min(found):.2f} to {max(found):.2f}"
        lines.append([text, middle, span, bound, f"{statistics.median(ceiling):.2f}" if ceiling else ""])
    return markdown_table(lines)


def subjects_table(rounds: dict[int, dict[Key, dict[str, float]]]) -> str:
    """Return the medians of every subject."""
    lines = [["subject", "precision", "images/s", "GFLOP/s", "peak memory, MiB"]]
    for key in next(iter(rounds.values())):
        each = [found[key] for found in rounds.values() if key in found]
        speed, gflops, mib = (
            statistics.median(row[name] for row in each) for name in ("images_per_second", "gflops", "mib")
        )
        name = f"{key[0]}, {key[2]:,} images" if key[2] else key[0]
        shown = f"{speed:.1f} (the ceiling)" if key[0] == "matrix product" else f"{speed:.1f}"
        lines.append([name, key[1], shown, f"{gflops:.0f}", f"{mib:.0f}"])
    return markdown_table(lines)


def _needed(rounds: dict[int, dict[Key, dict[str, float]]]) -> float:
    """Return the share of the bfloat16 ceiling that 3.5 times PyTorch's rate is."""
    product, torch = ("matrix product", "bfloat16", 0), ("PyTorch", "bfloat16", 0)
    return 3.5 / statistics.median(ratios(rounds, product, torch, "images_per_second"))


def plot(rounds: dict[int, dict[Key, dict[str, float]]], path: Path) -> None:
    """Draw images/s of every subject beside the ceiling."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    shown = [key for key in next(iter(rounds.values())) if not key[2]]
    for place, (name, precision, images) in enumerate(reversed(shown)):
        speeds = [each[name, precision, images]["images_per_second"] for each in rounds.values()]
        colour = "0.75" if name == "matrix product" else "#2b6cb0" if name.startswith("ours") else "#c05621"
        axes.barh(place, statistics.median(speeds), color=colour)
        axes.plot([min(speeds), max(speeds)], [place, place], color="black", linewidth=1.5)
    axes.set_yticks(range(len(shown)), [f"{name}, {precision}" for name, precision, _ in reversed(shown)], fontsize=8)
    axes.set_xlabel("images per second (line: lowest and highest of the rounds)", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def page() -> str:
    """Return the page."""
    rounds = by_round(load("training")[1])
    return Template(TEXT.read_text()).substitute(
        machine=machine("training"),
        rounds=len(rounds),
        ratios=ratios_table(rounds),
        subjects=subjects_table(rounds),
        needed=f"{_needed(rounds):.2f}",
        environment_machine=machine("environment"),
        environment=environment.table(load("environment")[1]),
        gflop=f"{flop_per_image() / 1e9:.3f}",
    )


def main() -> None:
    """Write the page and the plot."""
    PAGE.write_text(page())
    plot(by_round(load("training")[1]), PLOT)


if __name__ == "__main__":
    main()
