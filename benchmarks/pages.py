"""Renders the tables of docs/ from benchmarks/results/: `python -m benchmarks.pages`.

A page says where: `<!-- benchmark: NAME -->`, up to `<!-- end -->`; NAME is one of `TABLES`.
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from alexnet_tf.metrics.top_k import VIEW_NAMES
from alexnet_tf.text_tables import markdown_table
from alexnet_tf.wording import percent_with_interval, points_with_interval
from benchmarks.results import ROOT, Row, load
from pipeline.pages import blocks
from pipeline.results.seeds_and_images import shown_error

IMAGENET_TRAINING = 1_281_167  # ILSVRC-2012
IMAGENET = IMAGENET_TRAINING + 50_000  # with its validation split
PAGES = ("docs/models.md", "docs/own_images.md", "docs/results.md", "docs/scale.md")


def rendered(text: str) -> str:
    """Return a page with every table made anew."""
    return blocks.rendered(text, "benchmark", lambda name: TABLES[name]())


def machine(name: str) -> str:
    """Return a line that says where a result is from."""
    return "; ".join(load(name)[0]) + "."


def stall_rate(rows: Sequence[Row]) -> str:
    """Return a line for each profile and each change of one: how many seeds stalled, and how far they got.

    A training that its guard stopped has no error.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["profile"], row["changed"]].append(row)
    lines = [("profile", "changed", "stalled", "training loss of the last epoch", "validation top-1 error", "by seed")]
    for (profile, changed), group in groups.items():
        stalled = sum(row["stalled"] == "True" for row in group)
        losses = sorted(float(row["train_loss"]) for row in group)
        errors = [float(row["validation_top1_error"]) for row in group if row["validation_top1_error"]]
        lines.append(
            (
                f"`{profile}`",
                changed and f"`{changed}`",
                f"{stalled} of {len(group)}",
                f"{losses[0]:.2f} to {losses[-1]:.2f}",
                shown_error(errors, digits=1) if errors else "",
                ", ".join(_percent(row["validation_top1_error"]) for row in group),
            )
        )
    return markdown_table(lines)


def _percent(error: str) -> str:
    return f"{100 * float(error):.1f}" if error else "stopped"


def data_side(rows: Sequence[Row]) -> str:
    """Return a line for each kind of records, number of images and stage; the medians of its rounds."""
    lines = [
        (
            "records",
            "images",
            "stage",
            "rounds",
            "seconds",
            "images/s",
            "largest process, MiB",
            "bytes written per image",
        )
    ]
    for (records, images, stage), group in _by_size(rows).items():
        seconds, mib, written = (statistics.median(float(row[name]) for row in group) for name in _FIGURES)
        lines.append(
            (
                records,
                f"{images:,}",
                f"`{stage}`",
                str(len(group)),
                f"{seconds:.1f}",
                f"{images / seconds:,.0f}",
                f"{mib:.0f}",
                f"{written / images:,.0f}",
            )
        )
    return markdown_table(lines)


def data_side_wanted(rows: Sequence[Row]) -> str:
    """Return what was to be reached and what was: ratios within a round, and their medians, by number of images."""
    groups = _by_size(rows)
    sizes = list(dict.fromkeys((records, images) for records, images, _ in groups))

    def over(size: tuple[str, int], upper: str, lower: str) -> str:
        pairs = zip(groups[*size, upper], groups[*size, lower], strict=True)
        return f"{statistics.median(float(above['seconds']) / float(below['seconds']) for above, below in pairs):.2f}"

    def median(size: tuple[str, int], stage: str, name: str) -> float:
        return statistics.median(float(row[name]) for row in groups[*size, stage])

    stages = ("validate", "preprocess", "statistics")
    largest = {size: max(median(size, stage, "mib") for stage in stages) for size in sizes}
    first = {records: min(size for size in sizes if size[0] == records) for records, _ in sizes}
    memory = (f"{largest[size] / largest[first[size[0]]]:.2f} ({largest[size]:.0f} MiB)" for size in sizes)
    fewest = f"{min(images for _, images in sizes):,}"
    lines = [
        ("figure", *(f"{images:,}, {records}" for records, images in sizes), "target"),
        (
            "preprocess, images/s relative to the pool",
            *(over(each, "pool", "preprocess") for each in sizes),
            "at least 0.85",
        ),
        ("statistics, time relative to reading", *(over(each, "statistics", "read") for each in sizes), "at most 1.5"),
        (f"largest process, memory relative to {fewest}", *memory, "at most 1.2, 1.5 GB"),
    ]
    for stage in stages:
        speed = {size: size[1] / median(size, stage, "seconds") for size in sizes}
        shares = (f"{speed[size] / speed[first[size[0]]]:.2f}" for size in sizes)
        lines.append((f"{stage}, images/s relative to {fewest}", *shares, "at least 0.9"))
    return markdown_table(lines)


def imagenet_minutes(rows: Sequence[Row]) -> str:
    """Return minutes for ImageNet, from the images/s of the largest number of images, by number of cores."""
    groups = _by_size(rows)
    records, images, _ = max(groups, key=lambda each: each[1])
    cores = int(load("data_side")[0][0].split()[0])
    many = (cores, 16, 64, 256)
    lines = [("stage", *(f"{number} cores, minutes" for number in many))]
    for stage in ("validate", "preprocess", "statistics"):
        number = IMAGENET_TRAINING if stage == "statistics" else IMAGENET
        seconds = statistics.median(float(row["seconds"]) for row in groups[records, images, stage]) / images * number
        lines.append((f"`{stage}`", *(f"{seconds * cores / number / 60:.1f}" for number in many)))
    return markdown_table(lines)


def record_bytes(rows: Sequence[Row]) -> str:
    """Return what an image takes, by size and encoding, and what JPEG takes from it."""
    lines = [
        (
            "side, pixels",
            "encoding",
            "bytes per image",
            "relative to raw",
            "mean difference from raw, grey levels of 255",
        )
    ]
    for row in rows:
        size, stored = int(row["size"]), float(row["bytes_per_image"])
        share = f"{stored / (3 * size**2):.2f}"
        lines.append((str(size), row["encoding"], f"{stored:,.0f}", share, row["mean_difference"]))
    return markdown_table(lines)


def input_side(rows: Sequence[Row]) -> str:
    """Return what the input side of training reaches: medians of the rounds."""
    lines = [("records", "bytes per image", "cores", "batches at once", "images/s", "CPU-seconds per 1,000 images")]
    for (encoding, cores, calls), group in _by_cores(rows).items():
        rate, cpu = (statistics.median(float(row[name]) for row in group) for name in _INPUT_FIGURES)
        size = f"{int(group[0]['bytes_per_image']):,}"
        lines.append((encoding, size, str(cores), str(calls), f"{rate:,.0f}", f"{cpu:.2f}"))
    return markdown_table(lines)


def input_cores(rows: Sequence[Row]) -> str:
    """Return how many cores feed a GPU of a given speed: its images/s times the CPU-seconds of an image."""
    groups, speeds = _by_cores(rows), (3_000, 16_000)
    most = max(cores for _, cores, _ in groups)
    lines = [("records", *(f"cores for {speed:,} images/s" for speed in speeds), "GB/s of files at the last")]
    for encoding in dict.fromkeys(name for name, _, _ in groups):
        group = groups[encoding, most, most]
        cpu = statistics.median(float(row["cpu_seconds_per_1000"]) for row in group)
        needed = (f"{speed * cpu / 1000:.1f}" for speed in speeds)
        read = speeds[-1] * int(group[0]["bytes_per_image"]) / 1e9
        lines.append((encoding, *needed, f"{read:.2f}"))
    return markdown_table(lines)


def near_copies(rows: Sequence[Row]) -> str:
    """Return how many changed copies each hash finds, and how many pairs that are none."""
    lines = [("changed copy", "images", "found", "found by the plain hash")]
    found = {(row["subject"], row["hash"]): row for row in rows if row["hash"]}
    for subject in dict.fromkeys(subject for subject, _ in found):
        ours, plain = (found[subject, name] for name in ("ours", "plain"))
        column = "others" if subject == "no copies" else "found"
        name = "none: pairs of different images" if subject == "no copies" else subject
        lines.append((name, f"{int(ours['images']):,}", ours[column], plain[column]))
    return markdown_table(lines)


def near_search(rows: Sequence[Row]) -> str:
    """Return what the search for near pairs costs, by number of hashes."""
    lines = [("images", "pairs found", "seconds", "memory of the process, MiB")]
    for row in rows:
        if row["subject"] == "search":
            lines.append((f"{int(row['images']):,}", f"{int(row['found']):,}", row["seconds"], row["mib"]))
    return markdown_table(lines)


def _by_cores(rows: Sequence[Row]) -> dict[tuple[str, int, int], list[Row]]:
    groups: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["encoding"], int(row["cores"]), int(row["parallel_calls"])].append(row)
    return groups


def interchange(rows: Sequence[Row]) -> str:
    """Return a line for each format and runtime: what each variant gave there."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    groups: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for row in rows:
        found = row["reason"] and f"{row['outcome']}: {row['reason']}"
        if row["outcome"] == "answers":
            found = f"{row['difference']} of {row['largest_logit']}"
        groups[row["format"], row["runtime"], row["version"]][row["variant"]] = found
    lines = [("format", "runtime", *(f"`{variant}`" for variant in variants))]
    for (file, runtime, version), found in groups.items():
        lines.append((f"`{file}`", f"{runtime} {version}", *(found[variant] for variant in variants)))
    return markdown_table(lines)


def corruptions(rows: Sequence[Row]) -> str:
    """Return a line for each corruption: each model's errors by view and their distances from those of clean images."""
    measured = sorted({(row["model"], row["view"]) for row in rows})
    several = len({model for model, _ in measured}) > 1
    words = {view: f"top-1 error, {name}" for view, name in VIEW_NAMES.items()}
    header = [
        column
        for model, view in measured
        for column in (f"`{model}`, {words[view]}" if several else words[view], "more than clean, points")
    ]
    found = {(row["model"], row["corruption"], row["view"]): row for row in rows}
    lines = [["images", *header]]
    for name in dict.fromkeys(row["corruption"] for row in rows):
        cells = [name if name != "none" else "as they are"]
        for model, view in measured:
            row = found.get((model, name, view))
            if row is None:
                cells += ["not measured", ""]
                continue
            share = {key: float(value) for key, value in row.items() if key not in _NAMES}
            cells.append(percent_with_interval(share["error"], share["low"], share["high"], digits=2))
            apart = (share[f"difference{end}"] for end in ("", "_low", "_high"))
            cells.append("" if name == "none" else points_with_interval(*apart, digits=2))
        lines.append(cells)
    return markdown_table(lines)


def corruptions_machine(rows: Sequence[Row]) -> str:
    """Return a sentence for each machine: which models were measured on it."""
    models: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        models[row["machine"]].append(f"`{row['model']}`")
    return "\n".join(f"{' and '.join(dict.fromkeys(names))}: {machine}." for machine, names in models.items())


_NAMES = ("model", "corruption", "view", "images", "model_hash", "machine")
_FIGURES = ("seconds", "mib", "bytes")
_INPUT_FIGURES = ("images_per_second", "cpu_seconds_per_1000")
TABLES = {
    "record_bytes": lambda: record_bytes(load("record_bytes")[1]),
    "stall_rate": lambda: stall_rate(load("stall_rate")[1]),
    "interchange": lambda: interchange(load("interchange")[1]),
    "interchange_machine": lambda: machine("interchange"),
    "corruptions": lambda: corruptions(load("corruptions")[1]),
    "corruptions_machine": lambda: corruptions_machine(load("corruptions")[1]),
    "data_side": lambda: data_side(load("data_side")[1]),
    "data_side_wanted": lambda: data_side_wanted(load("data_side")[1]),
    "data_side_machine": lambda: machine("data_side"),
    "imagenet_minutes": lambda: imagenet_minutes(load("data_side")[1]),
    "input_side": lambda: input_side(load("input_side")[1]),
    "input_cores": lambda: input_cores(load("input_side")[1]),
    "near_copies": lambda: near_copies(load("near_copies")[1]),
    "near_search": lambda: near_search(load("near_copies")[1]),
    "near_machine": lambda: machine("near_copies"),
    "input_machine": lambda: machine("input_side"),
}


def _by_size(rows: Sequence[Row]) -> dict[tuple[str, int, str], list[Row]]:
    groups: dict[tuple[str, int, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["records"], int(row["images"]), row["stage"]].append(row)
    return groups


def main() -> None:
    """Write the pages."""
    for page in PAGES:
        path = ROOT / page
        path.write_text(rendered(path.read_text()))


if __name__ == "__main__":
    main()
