"""Headless Chromium opens the report as people do."""

import io

import chromium
import numpy as np
import pytest
from PIL import Image

from alexnet_tf.comparison import page as report
from tests.alexnet_tf.comparison.test_page import make_comparison

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.installed() is None, reason="Chromium is not installed on this machine"),
]


@pytest.fixture(scope="module")
def page():
    """Six variants with long names, and a picture wider than a phone."""
    others = [f"a_variant_with_a_long_name_{index}@0123456789abcdef" for index in range(5)]
    picture = io.BytesIO()
    Image.new("RGB", (900, 300), "green").save(picture, "PNG")
    figures = {f"top5_best_{name}.png": picture.getvalue() for name in ("plain", *others)}
    return report.render(make_comparison(*others), {}, figures, {})


@pytest.mark.parametrize("width", [320, 390, 820, 1280])
def test_nothing_scrolls_sideways_but_tables(page, width):
    picture, taken = chromium.look(page, width=width, height=1000)
    assert taken <= width
    ink = np.asarray(picture.convert("L")) < 128
    assert ink[:200, : width // 2].any(), "there is no headline"


def test_a_page_that_is_too_wide_is_found_out(page):
    _, taken = chromium.look(page.replace("<main>", '<main><p style="width:2000px">wide</p>'), width=390, height=500)
    assert taken > 1900


def test_dark_pages_are_dark(page):
    dark, _ = chromium.look(page, width=390, height=600, dark=True)
    light, _ = chromium.look(page, width=390, height=600)
    assert np.asarray(dark).mean() < 80 < 180 < np.asarray(light).mean()
