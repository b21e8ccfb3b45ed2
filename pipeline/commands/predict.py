"""`alexnet predict`: what a trained model says of image files."""

import json
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alexnet_tf.errors import AlexNetError, ConfigError
from alexnet_tf.nearest import nearest
from alexnet_tf.packaged_models import model_names
from alexnet_tf.whole_file import write_whole
from pipeline.commands import completion
from pipeline.commands.base import Command, as_json, example, say
from pipeline.environment.workspace import find_workspace, root_or_here
from pipeline.stages.table import EVALUATIONS, MODELS

if TYPE_CHECKING:
    from alexnet_tf.models.classifier import Classifier
    from pipeline.commands.image_files import Found, Unreadable

_BATCH = 32
_MAX_FILE_BYTES = 2**28
_ON_SHEET = 64
_EXAMPLES = (
    "alexnet predict photo.jpg",
    "alexnet predict --pretrained cifar10 photo.jpg",
    "alexnet predict photos/ --json > answers.jsonl",
    "alexnet predict photos/ --sheet sheet.png",
)
_HELP = f"""Name the five most probable classes of image files, or of all images in folders.

Images are prepared as in the pipeline, and ten views of each are averaged. Unlike the pipeline, which takes images as
they are stored, this command first turns them as their EXIF orientation says. A file that does not exist or cannot be
read is reported on standard error, the others are still answered, and the exit code is 1.

The models cifar10 and cifar10_jpeg are for photographs of one object of their ten classes. They see 32 x 32 pixels, and
make more errors on images of that size that were saved as JPEG or are noisy or blurred. cifar10_jpeg, which was trained
with JPEGs among its images, makes fewer errors on most of those (docs/models.md).

{example(*_EXAMPLES)}"""


@click.command("predict", cls=Command, help=_HELP, short_help="Classify image files.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--variant",
    shell_complete=completion.entries("variants"),
    help="Model to use; by default the one trained here with the lowest test error.",
)
@click.option(
    "--pretrained",
    metavar="NAME",
    shell_complete=completion.pretrained,
    help="Use a kept model instead: cifar10, cifar10_jpeg, or one of `alexnet results publish`.",
)
@click.option("--center", is_flag=True, help="Use only the centre crop: a tenth of the work.")
@click.option("--ignore-orientation", is_flag=True, help="Take images as stored, as the stages of the pipeline do.")
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Also draw the first {_ON_SHEET} images, as a PNG.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=50_000_000,
    show_default=True,
    help="Larger images count as unreadable.",
)
@as_json
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    variant: str | None,
    pretrained: str | None,
    center: bool,
    ignore_orientation: bool,
    sheet: Path | None,
    max_pixels: int,
    as_json: bool,
) -> None:
    """Predict file by file, in batches."""
    from pipeline.commands.image_files import image_files
    from pipeline.results.pretrained import folder_of

    if variant and pretrained:
        raise click.UsageError("--variant and --pretrained name two models; use one of them")
    found = image_files(paths)
    if sheet and not sheet.parent.is_dir():
        raise click.UsageError(f"--sheet {sheet}: the folder {sheet.parent} does not exist; make it first")
    if sheet and sheet.suffix.lower() != ".png":
        raise click.UsageError(f"--sheet {sheet}: expected a name that ends in .png, such as sheet.png")
    if sheet and sheet.exists() and any(path.exists() and path.samefile(sheet) for path in found.files):
        raise click.UsageError(f"--sheet {sheet}: it is one of the images to read; name another file")
    folder = folder_of(root_or_here(), pretrained) if pretrained else _model(find_workspace().root, variant)
    if note := found.skipped_note():
        say(note)
    options = {"ten_crop": not center, "max_pixels": max_pixels, "exif_orientation": not ignore_orientation}
    answers = _answers(folder, found, **options) if found.files else ()
    failed, shown = 0, []
    width = min(48, max((len(str(path)) for path in found.files), default=0))
    for answer, image in chain((_no_answer(each) for each in found.unreadable), answers):
        failed += "error" in answer
        if as_json:
            file = answer["file"].encode("utf-8", "backslashreplace").decode()  # strict parsers refuse half a surrogate
            click.echo(json.dumps({**answer, "file": file}))
        elif "error" in answer:
            say(f"{click.format_filename(answer['file'])}: {answer['error']}", error=True)
        else:
            click.echo(_line(answer, width))
        if sheet and image is not None and len(shown) < _ON_SHEET:
            shown.append((image, answer))
    if sheet and shown:
        _draw(sheet, shown)
        left = found.num_asked - failed - len(shown)
        say(f"{sheet}: {len(shown)} images" + (f", {left} more are not drawn" if left else ""))
    if failed:
        say(f"{failed} of {found.num_asked} files could not be read", error=True)
        context.exit(1)


def _model(root: Path, variant: str | None) -> Path:
    """Find the folder of the model: the named one, or the best of those that were trained."""
    folder = root / MODELS
    trained = model_names(folder)
    if not trained:
        raise AlexNetError(f"{MODELS}/ holds no trained model; run `dvc repro`, or use `--pretrained cifar10`")
    if variant and variant not in trained:
        found = ", ".join(trained)
        raise ConfigError(f"--variant {variant}: expected a trained variant ({found}){nearest(variant, trained)}")
    if variant or len(trained) == 1:
        return folder / (variant or trained[0])
    errors = {name: error for name in trained if (error := _test_error(root, name)) is not None}
    if not errors:
        raise AlexNetError(
            f"{MODELS}/ holds {', '.join(trained)}, none of which is evaluated; name one with --variant, or run "
            "`dvc repro`"
        )
    chosen = min(errors, key=lambda name: (errors[name], name))
    untold = [name for name in trained if name not in errors]
    rest = f"; not evaluated: {', '.join(untold)}" if untold else ""
    say(f"model: {chosen} (of {', '.join(errors)}, the one with the lowest test error{rest})")
    return folder / chosen


def _test_error(root: Path, variant: str) -> float | None:

    try:
        metrics = json.loads((root / EVALUATIONS / variant / "metrics.json").read_text(encoding="utf-8"))
        return float(metrics["ten_crop"]["top1_error"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _answers(
    folder: Path, found: "Found", *, ten_crop: bool, max_pixels: int, exif_orientation: bool
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield for each file to be read what is printed, and its image where there is one."""
    from alexnet_tf.devices.strategy import keep_float32
    from alexnet_tf.evaluation.predict import predictor, stored_image
    from alexnet_tf.models.classifier import read_classifier
    from pipeline.commands.image_files import batches
    from pipeline.environment.progress import progress_for

    keep_float32()
    classifier: Classifier = read_classifier(folder)
    predict = predictor(classifier, ten_crop=ten_crop)

    def prepare(encoded: bytes) -> Any:
        return stored_image(
            encoded,
            stored_size=classifier.stored_size,
            max_pixels=max_pixels,
            exif_orientation=exif_orientation,
        )

    with progress_for().task("predict", total=found.num_asked, unit="files") as task:
        task.advance(len(found.unreadable))
        for read, images, unreadable in batches(found.files, prepare, batch_size=_BATCH, max_bytes=_MAX_FILE_BYTES):
            for each in unreadable:
                yield _no_answer(each)
            if read:
                for path, image, classes, probabilities in zip(read, images, *predict(images), strict=True):
                    top = [
                        {"class": classifier.class_names[index], "probability": round(float(probability), 6)}
                        for index, probability in zip(classes, probabilities, strict=True)
                    ]
                    yield {"file": os.fspath(path), "top": top}, image
            task.advance(len(read) + len(unreadable))


def _no_answer(unreadable: "Unreadable") -> tuple[dict[str, Any], None]:
    return {"file": os.fspath(unreadable.path), "error": unreadable.reason}, None


def _line(answer: dict[str, Any], width: int) -> str:
    name = click.format_filename(answer["file"])  # whole: a longer one shifts its own line only
    guesses = [f"{guess['class']} {100 * guess['probability']:.1f} %" for guess in answer["top"]]
    return f"{name.ljust(width)}  {click.style(guesses[0], bold=True)}  {'  '.join(guesses[1:])}"


def _draw(sheet: Path, shown: list[tuple[Any, dict[str, Any]]]) -> None:
    import numpy as np

    from alexnet_tf.evaluation.figures import top_five

    described = [
        {"key": click.format_filename(answer["file"], shorten=True), "top": answer["top"]} for _, answer in shown
    ]
    drawn = top_five(np.stack([image for image, _ in shown]), described)
    write_whole(sheet, drawn)
