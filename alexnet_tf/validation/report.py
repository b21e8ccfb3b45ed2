"""A survey as a report that JSON can hold, and as one HTML page without network."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from alexnet_tf.data.images import BOMB_PIXELS, FORMATS, SUFFIXES, ImageRejected, decode
from alexnet_tf.validation.anomalies import Anomaly, Place
from alexnet_tf.validation.survey import Survey, tally

_LISTED = 100


def validation_report(
    surveys: Mapping[str, Survey],
    class_names: Sequence[str],
    anomalies: Sequence[Anomaly],
    copies: Sequence[Sequence[Place]],
) -> dict[str, Any]:
    """Return what validation.json says: counts, ranges and words of each split, copies, anomalies."""
    groups = [[surveys[split].keys[row] for split, row in group] for group in copies]
    return {
        "splits": {split: _split_report(survey, class_names) for split, survey in surveys.items()},
        "num_copied_images": len(groups),
        "copies": groups[:_LISTED],
        "anomalies": [
            {name: getattr(anomaly, name) for name in ("name", "split", "severity", "description", "feature")}
            for anomaly in anomalies
        ],
    }


def _split_report(survey: Survey, class_names: Sequence[str]) -> dict[str, Any]:
    counts = np.bincount(survey.labels, minlength=len(class_names)).tolist()
    corrupt = [
        {"key": key, "reason": reason} for key, reason in zip(survey.keys, survey.reasons, strict=True) if reason
    ]
    known = survey.widths > 0
    widths, heights = survey.widths[known], survey.heights[known]
    return {
        "num_examples": len(survey.keys),
        "num_corrupt": len(corrupt),
        "corrupt": corrupt[:_LISTED],
        "classes": dict(zip(class_names, counts, strict=True)),
        "bytes": _range(survey.num_bytes),
        "width": _range(widths),
        "height": _range(heights),
        "aspect": _range(widths / heights),
        "formats": dict(tally(survey.formats)),
        "modes": dict(tally(survey.modes)),
        "orientations": dict(tally(survey.orientations)),
    }


def _range(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    return {"min": values.min().item(), "mean": round(float(values.mean()), 3), "max": values.max().item()}


THUMBNAIL_PX = 96
PER_FINDING = 12
_UNFOLDED_CLASSES = 40  # the counts of more classes are shown on request
_STYLE = """
:root { --paper: #fff; --ink: #222; --rule: #ddd; --band: #eee; --error: #a40000; --warning: #8a5a00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171d; --ink: #e6e9ef; --rule: #343b47; --band: #1d222b; --error: #f08a8f; --warning: #f0a35e; }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere; }
table { border-collapse: collapse; overflow-wrap: normal; }
td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid var(--rule); }
td:first-child, th:first-child { text-align: left; }
section { margin: 1.5rem 0; } h2 { font-size: 1.1rem; } .ERROR { color: var(--error); }
.WARNING { color: var(--warning); }
.images { display: flex; flex-wrap: wrap; gap: .8rem; } figure { margin: 0; width: 9rem; }
figure img, figure .none { display: block; height: 96px; max-width: 9rem; background: var(--band); }
figure .none { width: 96px; font: 12px monospace; overflow: hidden; word-break: break-all; }
figcaption { font-size: 13px; }
.scroll { overflow-x: auto; margin: 1rem 0; } summary { cursor: pointer; }
"""


@dataclass(frozen=True)
class ImageFinding:
    """A heading, why it matters, and the images that it is about.

    Attributes:
        severity: ERROR, WARNING, or "" for what is only worth a look.
    """

    title: str
    severity: str
    text: str
    images: Sequence[Place]


def oddities(surveys: Mapping[str, Survey]) -> list[ImageFinding]:
    """Return what is accepted but unusual: pixels other than RGB, names of another format, turned by EXIF."""
    kinds: dict[str, tuple[str, Callable[[Survey], np.ndarray]]] = {
        "not RGB": ("Converted to RGB when decoded.", lambda survey: (survey.modes != "RGB") & survey.decodable),
        "named as another format": ("The format is taken from the content, not from the name.", _misnamed),
        "turned by EXIF": (
            "The stages take these as stored, as the 2012 code does; `alexnet predict` turns them.",
            lambda survey: (survey.orientations > 1) & (survey.formats != "TIFF"),  # Pillow turns these
        ),
    }
    found = []
    for title, (text, chosen) in kinds.items():
        rows = [(split, row) for split, survey in surveys.items() for row in np.flatnonzero(chosen(survey)).tolist()]
        if rows:
            found.append(ImageFinding(f"{len(rows)} images {title}", "", text, rows))
    return found


def as_findings(anomalies: Sequence[Anomaly]) -> list[ImageFinding]:
    """Return the anomalies as findings."""
    return [
        ImageFinding(each.name.replace("_", " "), each.severity, each.description, each.images) for each in anomalies
    ]


def page(
    report: Mapping[str, Any],
    found: Sequence[ImageFinding],
    surveys: Mapping[str, Survey],
    read: Callable[[Place], bytes],
) -> str:
    """Return the page.

    Args:
        report: What validation.json holds.
        found: In the order of the page.
        surveys: By split.
        read: Returns an image's encoded bytes.
    """
    rows = "".join(_row(split, content) for split, content in report["splits"].items())
    parts = "".join(_section(finding, surveys, read) for finding in found) or "<p>No anomalies.</p>"
    head = "<tr><th>split<th>images<th>corrupt<th>classes<th>width<th>height<th>formats<th>modes</tr>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Validation: {report['verdict']}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Validation: {report['verdict']}</h1>{_table(head + rows)}{_class_counts(report['splits'])}"
        f"{parts}</body></html>\n"
    )


def _table(rows: str) -> str:
    return f'<div class="scroll" tabindex="0"><table>{rows}</table></div>'


def _class_counts(splits: Mapping[str, Mapping[str, Any]]) -> str:
    """List how many images of each class each split has."""
    classes = list(dict.fromkeys(name for content in splits.values() for name in content["classes"]))
    rows = f"<tr><th>class{''.join(f'<th>{escape(split)}' for split in splits)}</tr>"
    for name in classes:
        counts = "".join(f"<td>{content['classes'].get(name, 0):,}" for content in splits.values())
        rows += f"<tr><td>{escape(name)}{counts}</tr>"
    shown = " open" if len(classes) <= _UNFOLDED_CLASSES else ""
    return f"<details{shown}><summary>Images of each of the {len(classes)} classes</summary>{_table(rows)}</details>"


def _row(split: str, content: Mapping[str, Any]) -> str:
    ranges = [f"{x['min']} to {x['max']}" if x else "" for x in (content["width"], content["height"])]
    words = [", ".join(f"{word} {count}" for word, count in sorted(content[n].items())) for n in ("formats", "modes")]
    classes = sum(1 for count in content["classes"].values() if count)
    cells = [split, content["num_examples"], content["num_corrupt"], classes, *ranges, *words]
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + "</tr>"


def _section(finding: ImageFinding, surveys: Mapping[str, Survey], read: Callable[[Place], bytes]) -> str:
    figures = "".join(_figure(place, surveys, read(place)) for place in finding.images[:PER_FINDING])
    label = f'<span class="{finding.severity}">{finding.severity}</span> ' if finding.severity else ""
    shown = f" The first {PER_FINDING} images are shown." if len(finding.images) > PER_FINDING else ""
    return (
        f"<section><h2>{label}{escape(finding.title)}</h2><p>{escape(finding.text)}{shown}</p>"
        f'<div class="images">{figures}</div></section>'
    )


def _figure(place: Place, surveys: Mapping[str, Survey], content: bytes) -> str:
    split, row = place
    survey = surveys[split]
    detail = survey.reasons[row] or f"{survey.widths[row]} x {survey.heights[row]}, {survey.modes[row]}"
    picture = (
        f'<span class="none">{escape(content[:48].hex(" "))}</span>' if survey.reasons[row] else _thumbnail(content)
    )
    return f"<figure>{picture}<figcaption>{escape(survey.keys[row])}<br>{escape(detail)}</figcaption></figure>"


def _thumbnail(content: bytes) -> str:
    try:
        image = decode(content, max_pixels=BOMB_PIXELS)
    except ImageRejected as error:
        return f'<span class="none">{escape(error.reason)}</span>'
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), reducing_gap=2.0)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}">'


def _misnamed(survey: Survey) -> np.ndarray:
    known = tuple(SUFFIXES)
    return np.array(
        [
            bool(form)
            and key.lower().endswith(known)
            and not key.lower().endswith(FORMATS.get(form, f".{form.lower()}"))
            for key, form in zip(survey.keys, survey.formats.tolist(), strict=True)
        ],
        bool,
    )
