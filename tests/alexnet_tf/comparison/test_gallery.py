import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.comparison.gallery import pictures
from alexnet_tf.evaluation.figures import contact_sheet

GUESSES = [{"class": "elm & co", "probability": 0.75}, {"class": "ash", "probability": 0.25}]
SHOWN = {"key": "k", "label": "ash", "top": GUESSES}
NEAR = {"key": "q", "label": "ash", "neighbours": [{"label": "ash"}, {"label": "elm & co"}]}
GALLERY = {
    "unselected": [SHOWN],
    "best": [SHOWN, SHOWN],
    "worst": [SHOWN],
    "neighbours": [NEAR, NEAR],
    "occlusion": [{"key": "k", "label": "ash", "class": "elm & co", "probability": 0.5, "lowest": 0.125}],
}
# Grey levels of the tiles, in the rows of the sheet: best, two queries with their neighbours, occlusion, ...
LEVELS = {"best": [[10, 20]], "neighbours": [[30, 40, 50], [60, 70, 80]], "occlusion": [[90]], "unselected": [[100]]}
LEVELS["worst"] = [[110]]


@pytest.fixture
def comparison():
    return {
        "variants": ["one"],
        "towers": {"one": 2},
        "gallery": {"one": GALLERY},
        "per_class": [{"class": str(index)} for index in range(10)],
    }


def sheet():
    rows = [row for kind in sorted(LEVELS) for row in LEVELS[kind]]
    return contact_sheet([np.stack([np.full((16, 16, 3), level, np.uint8) for level in row]) for row in rows])


def test_every_list_shows_its_own_images_in_order_with_its_words(comparison):
    page = pictures(comparison, {"gallery_one.png": sheet()})
    levels = []
    for encoded in re.findall(r"data:image/jpeg;base64,([^\"]+)", page):
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as tile:
            assert tile.size == (16, 16)
            levels.append(round(np.asarray(tile).mean()))
    order = ("unselected", "occlusion", "best", "worst", "neighbours")
    assert levels == pytest.approx([level for kind in order for row in LEVELS[kind] for level in row], abs=2)
    assert '<li style="--p:75.0%"><span>elm &amp; co</span> 75 %</li>' in page
    assert '<li class="right" style="--p:25.0%"><span>ash</span> 25 %</li>' in page
    assert "<b>elm &amp; co</b> 50.0 %, at least 12.5 % with a part hidden" in page
    assert '<div><b class="right">ash</b></div></li>' in page
    assert '<ul class="shots small" style="--columns:3">' in page
    assert page.count("<figure>") == 5


def test_without_a_sheet_the_drawings_are_shown(comparison):
    figures = {f"{kind}_one.png": kind.encode() for kind in ("top5_best", "confusion", "calibration")}
    page = pictures(comparison, figures)
    shown = [base64.b64decode(each).decode() for each in re.findall(r"base64,([^\"]+)", page)]
    assert shown == ["top5_best", "confusion", "calibration"]
    assert pictures(comparison, {}) == "<p>No pictures were made.</p>"


def test_captions_count_what_is_shown(comparison):
    figures = {"gallery_one.png": sheet(), "conv1_kernels_one.png": b"png", "confusion_one.png": b"png"}
    page = pictures(comparison, figures)
    assert "the test image with the lowest loss of a class, for 2 of the 10 classes." in page
    assert "1 test images, not selected" in page
    assert "a gap separates the two towers" in page
    assert "too many to name" not in page
    comparison |= {"towers": {"one": 1}, "per_class": comparison["per_class"][:2]}
    page = pictures(comparison, figures)
    assert "the test image with the lowest loss of each of the 2 classes." in page
    assert "towers" not in page
    comparison["per_class"] = [{"class": str(index)} for index in range(50)]
    assert "Confusion of one, ten crops; the 50 classes are too many to name." in pictures(comparison, figures)
