"""Renders docs/performance.md and its plots from the training-PROCESSOR, environment and stages files of results/.

python -m benchmarks.performance_page
"""

import statistics
from collections import defaultdict
from pathlib import Path
from string import Template

from alexnet_tf.plotting import new_figure, png
from alexnet_tf.text_tables import markdown_table
from benchmarks.pages import machine
from benchmarks.results import FOLDER, ROOT, load
from benchmarks.subjects import flop_per_image
from benchmarks.training import AT, MANY_IMAGES

PAGE, PLOTS = ROOT / "docs" / "performance.md", ROOT / "docs" / "img"
TEXT, SECTION = ROOT / "benchmarks" / "performance_page.md", ROOT / "benchmarks" / "performance_section.md"
MATRIX_SIDE = 4096
Key = tuple[str, str, int]


def work(name: str, batch_size: int) -> int:
    """Return the arithmetic of one call of a subject, in floating-point operations; of LRN alone 0."""
    if name == "matrix product":
        return 2 * MATRIX_SIDE**3
    if name == "our LRN alone":
        return 0
    if name == "ours, ten views of a test":
        return 10 * batch_size * flop_per_image()[0]
    if name == "ours, optimized for CIFAR-10":
        return batch_size * flop_per_image("cifar10", "optimized")[1]
    return batch_size * flop_per_image()[1]


def by_round(rows: list[dict[str, str]]) -> dict[int, dict[Key, dict[str, float]]]:
    """Return images/s, GFLOP/s, milliseconds, MiB and the batch size by round and subject.

    The product's images/s are those that its GFLOP/s would make.
    """
    found: dict[int, dict[Key, dict[str, float]]] = defaultdict(dict)
    for row in rows:
        milliseconds, size = float(row["milliseconds"]), int(row["batch_size"])
        figures = {"gflops": work(row["name"], size) / milliseconds / 1e6, "milliseconds": milliseconds}
        figures |= {"mib": float(row["peak_mib"]), "batch": size}
        product = row["name"] == "matrix product"
        figures["images_per_second"] = (
            figures["gflops"] * 1e9 / flop_per_image()[1] if product else size / milliseconds * 1e3
        )
        found[int(row["round"])][row["name"], row["precision"], int(row["images"])] = figures
    return found


def ratios(rounds: dict[int, dict[Key, dict[str, float]]], over: Key, under: Key, figure: str) -> list[float]:
    """Return a ratio within each round in which both subjects were measured."""
    return [each[over][figure] / each[under][figure] for each in rounds.values() if over in each and under in each]


def ratios_table(rounds: dict[int, dict[Key, dict[str, float]]]) -> str:
    """Return the table of what was to be reached, without the figures that were not measured."""
    product, ours, real = ("matrix product", "float32", 0), ("ours", "float32", 0), ("ours, real data", "float32", 0)
    product16, ours16, real16 = ((name, "bfloat16", 0) for name in ("matrix product", "ours", "ours, real data"))
    keras, torch, torch16 = ("Keras fit", "float32", 0), ("PyTorch", "float32", 0), ("PyTorch", "bfloat16", 0)
    lrn, lrn16 = (("our LRN alone", precision, 0) for precision in ("float32", "bfloat16"))
    many = (*real[:2], MANY_IMAGES)
    views, views16 = (("ours, ten views of a test", precision, 0) for precision in ("float32", "bfloat16"))
    bn, bn16 = (("ours, optimized for CIFAR-10", precision, 0) for precision in ("float32", "bfloat16"))
    speed = "images_per_second"
    # What is measured, against what, and what stands for the first at the speed of matrix products.
    wanted = [
        ("float32 step, share of the ceiling", ours, product, product, "gflops", "at least 0.76"),
        ("bfloat16 step, share of its ceiling", ours16, product16, product16, "gflops", "at least 0.64"),
        ("LRN alone, share of the float32 step", lrn, ours, None, "milliseconds", ""),
        ("LRN alone, share of the bfloat16 step", lrn16, ours16, None, "milliseconds", "at most 0.10"),
        ("ten views of a test, float32, share of the ceiling", views, product, product, "gflops", "at least 0.75"),
        ("the same, bfloat16", views16, product16, product16, "gflops", "at least 0.75"),
        ("optimized step on CIFAR-10, float32, share of the ceiling", bn, product, product, "gflops", ""),
        ("the same, bfloat16", bn16, product16, product16, "gflops", "at least 0.70"),
        *(
            (f"against {key[0]}, {key[1]}", ("ours", *key[1:]), key, None, speed, "")
            for key in next(iter(rounds.values()))
            if AT in key[0]
        ),
        ("against PyTorch, float32", ours, torch, product, speed, "at least 3.0"),
        ("against PyTorch, bfloat16", ours16, torch16, product16, speed, "at least 3.5"),
        ("against Keras `fit`, float32", ours, keras, product, speed, "at least 1.25"),
        ("real data against one batch in memory, float32", real, ours, None, speed, "at least 0.95"),
        ("the same, bfloat16", real16, ours16, None, speed, "at least 0.95"),
        (f"first steps on {MANY_IMAGES:,} images against 1,000, float32", many, real, None, speed, ""),
        (
            f"peak memory of the first steps on {MANY_IMAGES:,} images against 1,000",
            many,
            real,
            None,
            "mib",
            "0.95 to 1.05",
        ),
    ]
    lines = [["figure", "median", "range", "target", "ceiling"]]
    for text, over, under, best, figure, bound in wanted:
        found, ceiling = ratios(rounds, over, under, figure), best and ratios(rounds, best, under, figure)
        if found:
            middle, span = f"{statistics.median(found):.2f}", f"{min(found):.2f} to {max(found):.2f}"
            lines.append([text, middle, span, bound, f"{statistics.median(ceiling):.2f}" if ceiling else ""])
    return markdown_table(lines)


def subjects_table(rounds: dict[int, dict[Key, dict[str, float]]]) -> str:
    """Return the medians of every subject."""
    lines = [["subject", "precision", "batch", "images/s", "GFLOP/s", "peak memory, MiB"]]
    for key in next(iter(rounds.values())):
        each = [found[key] for found in rounds.values() if key in found]
        speed, gflops, mib = (
            statistics.median(row[name] for row in each) for name in ("images_per_second", "gflops", "mib")
        )
        name = f"{key[0]}, {key[2]:,} images" if key[2] else key[0]
        product = key[0] == "matrix product"  # which has no images
        batch = "" if product else f"{each[0]['batch']:.0f}"
        shown = f"{speed:.1f} (the ceiling)" if product else f"{speed:.1f}"
        lines.append([name, key[1], batch, shown, f"{gflops:.0f}" if gflops else "", f"{mib:.0f}"])
    return markdown_table(lines)


def _needed(rounds: dict[int, dict[Key, dict[str, float]]]) -> str:
    """Return a sentence on the share of the bfloat16 ceiling that is 3.5 times PyTorch, where that was measured."""
    product, torch = ("matrix product", "bfloat16", 0), ("PyTorch", "bfloat16", 0)
    found = ratios(rounds, product, torch, "images_per_second")
    return (
        f" 3.5 times PyTorch's bfloat16 would take {3.5 / statistics.median(found):.2f} of the ceiling."
        if found
        else ""
    )


def environment_table(rows: list[dict[str, str]]) -> str:
    """Return the medians of every setting, with what each is of the one without either."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["onednn"], row["kept_buffers"]), []).append(row)
    base = {row["round"]: float(row["milliseconds"]) for row in groups["False", "False"]}
    lines = [["oneDNN", "buffers kept", "seconds per step", "ratio to neither", "peak memory, MiB"]]
    for (onednn, kept), group in groups.items():
        seconds = statistics.median(float(row["milliseconds"]) for row in group) / 1e3
        share = statistics.median(float(row["milliseconds"]) / base[row["round"]] for row in group)
        mib = statistics.median(float(row["peak_mib"]) for row in group)
        words = ["yes" if each == "True" else "no" for each in (onednn, kept)]
        lines.append([*words, f"{seconds:.1f}", f"{share:.2f}", f"{mib:.0f}"])
    return markdown_table(lines)


def stages_table(rows: list[dict[str, str]]) -> str:
    """Return the medians of every stage, with the ratio to those at the revision where there is one."""
    found: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for row in rows:
        each = found.setdefault((row["stage"], row["revision"]), {})
        each[row["round"]] = {name: float(row[name]) for name in ("seconds", "cpu_seconds")}
    revision = next((row["revision"] for row in rows if row["revision"]), "")
    head = ["`dvc repro` of", "seconds", "CPU-seconds"]
    lines = [head + ([f"CPU-seconds at {revision}", "ratio"] if revision else [])]
    for stage, name in found:
        if name:
            continue  # a line has both
        ours = found[stage, ""]
        line = [stage, *(f"{_median(ours, figure):.1f}" for figure in ("seconds", "cpu_seconds"))]
        if revision and (theirs := found.get((stage, revision))):
            ratio = statistics.median(ours[number]["cpu_seconds"] / theirs[number]["cpu_seconds"] for number in ours)
            line += [f"{_median(theirs, 'cpu_seconds'):.1f}", f"{ratio:.2f}"]
        elif revision:
            line += ["", ""]
        lines.append(line)
    return markdown_table(lines)


def _median(rounds: dict[str, dict[str, float]], figure: str) -> float:
    return statistics.median(each[figure] for each in rounds.values())


def plot(rounds: dict[int, dict[Key, dict[str, float]]], path: Path) -> None:
    """Draw images/s of the training step of each subject beside the ceiling."""
    figure = new_figure(8, 3.2)
    axes = figure.add_subplot()
    figures = next(iter(rounds.values()))
    shown = [key for key in figures if not key[2] and work(key[0], 1) in (work("ours", 1), work("matrix product", 1))]
    for place, (name, precision, images) in enumerate(reversed(shown)):
        speeds = [each[name, precision, images]["images_per_second"] for each in rounds.values()]
        colour = "0.75" if name == "matrix product" else "#2b6cb0" if name.startswith("ours") else "#c05621"
        axes.barh(place, statistics.median(speeds), color=colour)
        axes.plot([min(speeds), max(speeds)], [place, place], color="black", linewidth=1.5)
    axes.set_yticks(range(len(shown)), [f"{name}, {precision}" for name, precision, _ in reversed(shown)], fontsize=8)
    axes.set_xlabel("images per second (line: lowest and highest of the rounds)", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(png(figure))


def section(path: Path) -> str:
    """Return the part of the page on one processor."""
    comments, rows = load(path.stem)
    rounds = by_round(rows)
    return Template(SECTION.read_text()).substitute(
        processor=comments[0],
        machine="; ".join(comments[1:]),
        rounds=len(rounds),
        ratios=ratios_table(rounds),
        subjects=subjects_table(rounds),
        needed=_needed(rounds),
        plot=_plot(path).name,
    )


def page() -> str:
    """Return the page."""
    return Template(TEXT.read_text()).substitute(
        sections="\n".join(map(section, _measured())),
        environment_machine=machine("environment"),
        environment=environment_table(load("environment")[1]),
        stages_machine=machine("stages"),
        stages=stages_table(load("stages")[1]),
        stages_rounds=max(int(row["round"]) for row in load("stages")[1]),
        gflop=f"{flop_per_image()[1] / 1e9:.3f}",
    )


def _measured() -> list[Path]:
    """Return the results of every processor."""
    return sorted(FOLDER.glob("training-*.csv"))


def _plot(path: Path) -> Path:
    return PLOTS / f"{path.stem.replace('training', 'performance', 1)}.png"


def main() -> None:
    """Write the page and the plots."""
    PAGE.write_text(page())
    for path in _measured():
        plot(by_round(load(path.stem)[1]), _plot(path))


if __name__ == "__main__":
    main()
