import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from alexnet_tf.comparison import page as report
from alexnet_tf.comparison.compare import Evaluation, TrainingReport, compare
from alexnet_tf.comparison.gallery import pictures
from alexnet_tf.comparison.tables import NOT_MEASURED

ORIGIN = {"data set": "sample: 10 classes", "on machine": "<abacus>"}


def make_comparison(*others):
    """Compare a variant called plain, right on 30 of 80 images, with others that are right on 60."""
    evaluations, trainings = {}, {}
    for name in ("plain", *others):
        num_right = 30 if name == "plain" else 60
        correct = np.arange(80) < num_right
        view = {"top1_error": 1 - num_right / 80, "top5_error": 0.0, "mean_loss": 1.0}
        bits = {f"{v}_top{k}": correct for v in ("center", "ten_crop") for k in (1, 5)}
        per_class = {"ash": (80, 1 - num_right / 80), "elm": (0, None)}
        slices = [{"quantity": "side", "low": 0, "high": None, "num_examples": 80, "top1_error": 0.25}]
        top = [{"class": "elm & co", "probability": 0.75}]
        neighbours = [{"key": "q", "label": "ash", "neighbours": [{"key": "n", "label": "elm", "distance": 1.0}]}]
        gallery = {"best": [{"key": "k", "label": "ash", "top": top}], "neighbours": neighbours}
        views = {"center": view, "ten_crop": view | {"calibration_error": 0.031}}
        evaluations[name] = Evaluation(80, "sha", views, bits, per_class, slices, gallery)
        history = {"epoch": [1, 2], "train_loss": [2.0, 1.0], "validation_loss": [2.1, None]}
        trainings[name] = TrainingReport({"best_epoch": 2}, history)
    variants = {"plain": {"rate": 0.01, "flip": True}} | {name: {"rate": 0.1, "flip": False} for name in others}
    return compare(evaluations, trainings, variants, baseline="plain", confidence=0.95, bootstrap_samples=200)


@pytest.fixture
def comparison():
    return make_comparison("<better> & co")


class Outline(HTMLParser):
    """Checks that tags nest, and keeps what a reader of the structure would meet."""

    VOID = ("meta", "img", "wbr")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.attributes = [], [], [], {}

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        self.attributes.setdefault(tag, []).append(values)
        self.links += [values[name] for name in ("src", "href") if name in values]
        assert tag != "img" or values.get("alt")
        assert tag != "svg" or (values.get("role") == "img" and values.get("aria-label"))
        assert tag != "th" or values.get("scope") in ("col", "row")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_well_formed_and_needs_no_network(comparison):
    page = report.render(comparison, {"plain": {"seconds_per_epoch": 1.5}}, {"confusion_plain.png": b"png"}, ORIGIN)
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("table") == outline.tags.count("caption") == 5
    assert "script" not in outline.tags
    assert all(link.startswith("data:") for link in outline.links)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "$" not in page
    assert "<better>" not in page
    assert "<dt>data set</dt><dd>sample: 10 classes</dd>" in page
    assert "<dt>on machine</dt><dd>&lt;abacus&gt;</dd>" in page
    assert "&lt;better&gt; &amp; co has a top-1 error of 25.0 %, plain 62.5 %: 37.5 percentage points lower" in page


def test_page_tells_a_screen_reader_its_language_and_its_parts(comparison):
    outline = Outline()
    outline.feed(report.render(comparison, {}, {"confusion_plain.png": b"png"}, ORIGIN))
    attributes = outline.attributes
    assert attributes["html"] == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in attributes["meta"]
    headings = [tag for tag in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert headings == ["h1"] + ["h2"] * 7
    assert [each["aria-labelledby"] for each in attributes["section"]] == [each["id"] for each in attributes["h2"]]
    assert outline.tags.count("main") == 1
    assert outline.tags.count("svg") == 3  # nothing to draw is a sentence
    assert outline.tags.count("figure") == outline.tags.count("figcaption") == 5
    assert all(each.get("tabindex") == "0" for each in attributes["div"] if each.get("class") == "scroll")
    assert {"col", "row"} == {each["scope"] for each in attributes["th"]}


def test_every_picture_of_an_evaluation_is_on_the_page(comparison):
    pictures = (
        "conv1_kernels",  # figure 3
        "top5_unselected",  # figure 4, left
        "top5_best",
        "top5_worst",
        "neighbours",  # figure 4, right
        "confusion",
        "calibration",
    )
    figures = {f"{name}_plain.png": name.encode() for name in pictures}
    outline = Outline()
    outline.feed(report.render(comparison, {}, figures, ORIGIN))
    shown = [base64.b64decode(each["src"].partition(",")[2]).decode() for each in outline.attributes["img"]]
    assert sorted(shown) == sorted(pictures)
    assert len({each["alt"] for each in outline.attributes["img"]}) == len(pictures)


CONFUSION = "label,predicted,num_examples\nash,ash,60\nash,elm,20\n"
CALIBRATION = """view,low,high,num_examples,mean_probability,accuracy
center,0.533333,0.600000,20,0.550000,0.500000
ten_crop,0.533333,0.600000,80,0.560000,0.250000
"""


def test_confusion_and_calibration_have_their_words_as_text(comparison):
    """Those of a picture cannot be read on a phone."""
    figures = {f"{name}_plain.png": b"a picture" for name in ("confusion", "calibration")}
    tables = {"confusion_plain.csv": CONFUSION.encode(), "calibration_plain.csv": CALIBRATION.encode()}
    outline = Outline()
    page = report.render(comparison, {}, figures | tables, ORIGIN)
    outline.feed(page)
    assert outline.open == []
    assert "img" not in outline.tags
    assert outline.tags.count("table") == outline.tags.count("caption") == 6
    assert '<th scope="col"><span>ash</span></th><th scope="col"><span>elm</span></th>' in page
    row = '<td class="right" style="--p:75%">60</td><td style="--p:25%">20</td>'
    assert f'<th scope="row">ash</th>{row}</tr><tr><th scope="row">elm</th><td></td><td></td></tr>' in page
    assert "<li>solid, filled: ten crops, off by 3.1 points</li>" in page
    assert "<li>dashed, hollow: centre crop</li>" in page
    ten_crops = re.search(r'<circle class="dot s0" cx="([\d.]+)" cy="([\d.]+)" r="7.0"><title>80 images', page)
    centre = re.search(r'<circle class="dot hollow s0" cx="([\d.]+)" cy="([\d.]+)" r="4.5"><title>20 images', page)
    across, down = (float(centre[axis]) - float(ten_crops[axis]) for axis in (1, 2))
    assert down / across == pytest.approx(25, rel=0.02)  # 25 points higher, 1 point to the left


def test_a_confusion_of_too_many_classes_to_name_stays_a_picture(comparison):
    many = comparison | {"per_class": [{"class": str(i), "num_examples": 1, "errors": {}} for i in range(41)]}
    (figure,) = re.findall(
        "<figure>.*?</figure>", pictures(many, {"confusion_plain.png": b"p", "confusion_plain.csv": b"c"})
    )
    assert "<img" in figure


def test_errors_by_class_are_on_the_page(comparison):
    page = report.render(comparison, {}, {}, ORIGIN)
    assert '<th scope="row">ash</th><td>80</td><td>62.5 %</td><td>25.0 %</td>' in page
    assert '<th scope="row">elm</th><td>0</td><td>–</td><td>–</td>' in page


def test_slices_and_calibration_are_in_every_form(comparison):
    for text in (report.markdown(comparison), report.render(comparison, {}, {}, ORIGIN)):
        assert "side: 0 and more" in text
        assert "25.0 % of 80" in text
        assert "3.1 %" in text


def test_costs_that_nobody_measured_say_so(comparison):
    rows = report.rows(comparison, {"plain": {"seconds_per_epoch": 1.5}})
    by_label = {row[0]: row[1:] for row in rows}
    assert by_label["seconds per epoch"] == ["1.5", NOT_MEASURED]
    assert by_label["peak memory in training, MiB"] == [NOT_MEASURED, NOT_MEASURED]


def test_terminal_table_has_aligned_columns(comparison):
    lines = report.table(comparison, {}).splitlines()
    start = lines[0].index("plain")
    assert lines[2].startswith("top-1 error, ten crops")
    assert {line[start - 1] for line in (lines[0], *lines[2:])} == {" "}
    assert lines[2][start:].startswith("62.5 % (")


def test_markdown_shows_errors_and_knobs(comparison):
    text = report.markdown(comparison)
    assert "| rate | 0.01 | 0.1 |" in text
    assert "| flip | true | false |" in text
    assert "| McNemar p | baseline | < 0.001 |" in text


def test_a_difference_that_chance_explains_is_said_so(comparison):
    pair = comparison["paired"]["<better> & co"]["ten_crop"]["top1_error"]
    pair |= {"difference": 0.01, "low": -0.02, "high": 0.04, "p_value": 0.31}
    (sentence,) = report.sentences(comparison)
    assert "1.0 percentage points higher (95 % interval −2.0 to +4.0, McNemar p = 0.31); chance alone could" in sentence
    # The exact test decides where an interval of bootstrap samples just says otherwise.
    pair |= {"low": 0.001, "p_value": 0.06}
    assert "chance alone could" in report.sentences(comparison)[0]
    pair |= {"low": 0.0, "p_value": 0.04}
    assert "chance alone could" not in report.sentences(comparison)[0]


@pytest.mark.parametrize(
    ("difference", "words"),
    [(0.0, "the same"), (-0.0001, "less than 0.1 percentage points lower"), (0.0008, "0.1 percentage points higher")],
)
def test_errors_that_are_equal_or_nearly_so_are_said_to_be(comparison, difference, words):
    comparison["paired"]["<better> & co"]["ten_crop"]["top1_error"] |= {"difference": difference}
    (sentence,) = report.sentences(comparison)
    assert f" %: {words} (95 % interval" in sentence


def test_equal_answers_are_said_to_be(comparison):
    pair = comparison["paired"]["<better> & co"]["ten_crop"]["top1_error"]
    pair |= {"only_baseline_correct": 0, "only_model_correct": 0}
    told = "<better> & co is right on the same images as plain: a top-1 error of 25.0 %."
    assert report.sentences(comparison) == [told]


def test_one_variant_alone_is_reported(comparison):
    comparison = comparison | {"variants": ["plain"], "paired": {}, "knobs": []}
    assert "plain has a top-1 error of 62.5 %" in report.render(comparison, {}, {}, ORIGIN)
