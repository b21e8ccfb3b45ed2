"""The pictures of the evaluations on the page: their images small, all words as text, which a phone can show."""

import base64
import io
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from PIL import Image

from alexnet_tf.comparison.charts import NUM_COLOURS
from alexnet_tf.comparison.drawings import calibration_chart, confusion_table
from alexnet_tf.plotting import MOST_NAMED_CLASSES
from alexnet_tf.wording import percent

SHEET = "gallery"  # of the evaluation, NAME_VARIANT.png: the images of all lists
_KINDS = {  # what is shown, in this order -> the evaluation's drawing of it, with the list in its gallery that tells it
    "top5_unselected": "unselected",
    "occlusion": "occlusion",
    "top5_best": "best",
    "top5_worst": "worst",
    "neighbours": "neighbours",
    "conv1_kernels": None,
    "confusion": None,
    "calibration": None,
}


def pictures(comparison: Mapping[str, Any], figures: Mapping[str, bytes]) -> str:
    """Show what the evaluations drew, each picture with words for readers who do not see it.

    Args:
        comparison: As `alexnet_tf.comparison.compare.compare` returns it.
        figures: File name -> content, NAME_VARIANT.png of a drawing and NAME_VARIANT.csv of the tables that are drawn
            here; what is not there is left out.
    """
    shown = []
    for kind, key in _KINDS.items():
        for index, name in enumerate(comparison["variants"]):
            gallery = comparison["gallery"].get(name, {})
            sheet, drawing = (figures.get(f"{each}_{name}.png") for each in (SHEET, kind))
            caption = escape(_caption(kind, name, comparison))
            table = figures.get(f"{kind}_{name}.csv", b"").decode()
            if table and kind == "calibration":
                content = calibration_chart(
                    table, comparison["errors"][name], series=index % NUM_COLOURS, label=caption
                )
            elif table and len(comparison["per_class"]) <= MOST_NAMED_CLASSES:
                content = confusion_table(table, [each["class"] for each in comparison["per_class"]])
            elif key in gallery and sheet:
                content = _cards(key, gallery, sheet)
            elif drawing:
                content = f'<img alt="{caption}" src="{_source(drawing, "png")}">'
            else:
                continue
            shown.append(f"<figure>{content}<figcaption>{caption}</figcaption></figure>")
    return "".join(shown) or "<p>No pictures were made.</p>"


def _caption(kind: str, name: str, comparison: Mapping[str, Any]) -> str:
    shown = len(comparison["gallery"].get(name, {}).get(_KINDS[kind], ()))
    classes, towers = len(comparison["per_class"]), comparison["towers"][name]
    among = f"each of the {classes} classes" if shown == classes else f"a class, for {shown} of the {classes} classes"
    gap = "; a gap separates the two towers" if towers == 2 else ""
    unnamed = f"; the {classes} classes are too many to name" if classes > MOST_NAMED_CLASSES else ""
    return {
        "top5_unselected": f"Figure 4, left: {shown} test images, not selected, with the guesses of {name} from ten "
        "crops; the bar of the true class is red, its name bold.",
        "occlusion": f"What the answers of {name} rest on: the centre crops of these {shown} images, bright where "
        "hiding a square, a quarter of the side wide, lowers the probability of the answer most; right answers are "
        "red.",
        "top5_best": f"Best answers of {name}: the test image with the lowest loss of {among}.",
        "top5_worst": f"Worst answers of {name}: the {shown} test images with the highest loss, of any class; some may "
        "be mislabelled or show several things.",
        "neighbours": f"Figure 4, right: {shown} test images, each followed by the training images nearest to it in "
        f"the last hidden layer of {name}; the names of its own class are red and bold.",
        "conv1_kernels": f"Figure 3: first-layer kernels of {name}, each scaled to its full range{gap}.",
        "confusion": f"Confusion of {name}, ten crops{unnamed}.",
        "calibration": f"How often {name} is right, by the probability that it gives.",
    }[kind]


def _tiles(sheet: bytes, gallery: Mapping[str, Any], kind: str) -> Iterator[list[str]]:
    """Cut a list's images out of a sheet as `contact_sheet` draws it; yield the addresses of each entry's."""
    with Image.open(io.BytesIO(sheet)) as opened:
        picture = opened.convert("RGB")
    heights = {each: len(entries) if each == "neighbours" else 1 for each, entries in gallery.items()}
    side = picture.height // sum(heights.values())
    top = sum(height for each, height in heights.items() if each < kind)

    def tile(row: int, column: int) -> str:
        buffer = io.BytesIO()
        place = (column * side, row * side, (column + 1) * side, (row + 1) * side)
        picture.crop(place).save(buffer, "JPEG", quality=88, subsampling="4:4:4")
        return _source(buffer.getvalue(), "jpeg")

    for index, entry in enumerate(gallery[kind]):
        if kind == "neighbours":
            yield [tile(top + index, column) for column in range(1 + len(entry["neighbours"]))]
        else:
            yield [tile(top, index)]


def _cards(kind: str, gallery: Mapping[str, Any], sheet: bytes) -> str:
    cards = []
    for entry, images in zip(gallery[kind], _tiles(sheet, gallery, kind), strict=True):
        label = entry["label"]
        if kind == "neighbours":
            cards.append(_card(images[0], f"test image of {label}", f"<b>{escape(label)}</b>"))
            for other, image in zip(entry["neighbours"], images[1:], strict=True):
                word = escape(other["label"])
                words = f'<b class="right">{word}</b>' if other["label"] == label else word
                cards.append(_card(image, f"training image of {other['label']}", words))
        elif kind == "occlusion":
            right = ' class="right"' if entry["class"] == label else ""
            words = (
                f"<b{right}>{escape(entry['class'])}</b> {percent(entry['probability'])}, at least "
                f"{percent(entry['lowest'])} with a part hidden"
            )
            cards.append(_card(images[0], f"test image of {label}, darkened in part", words))
        else:
            cards.append(_card(images[0], f"test image of {label}", f"{escape(label)}{_guesses(entry)}"))
    rows = len(gallery[kind])  # each query's images are a row of their own
    style = f'"shots small" style="--columns:{len(cards) // rows}"' if kind == "neighbours" else '"shots"'
    return f"<ul class={style}>{''.join(cards)}</ul>"


def _guesses(entry: Mapping[str, Any]) -> str:
    """List the classes that an image was taken for, as bars of their probability."""
    lines = ""
    for guess in entry["top"]:
        right = ' class="right"' if guess["class"] == entry["label"] else ""
        share = 100 * guess["probability"]
        lines += f'<li{right} style="--p:{share:.1f}%"><span>{escape(guess["class"])}</span> {share:.0f} %</li>'
    return f'<ol class="guesses">{lines}</ol>'


def _card(image: str, alternative: str, words: str) -> str:
    return f'<li><img alt="{escape(alternative)}" src="{image}"><div>{words}</div></li>'


def _source(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
