"""The saved view: that MLflow can unpack it, and that it names what the pipeline records."""

import base64
import json
import zlib

from pipeline.results.kept import load
from pipeline.tracking.mlflow_view import SAVED_VIEWS, SHARE_KEY


def _state():
    view = json.loads(SAVED_VIEWS[f"mlflow.sharedViewState.{SHARE_KEY}"])
    assert isinstance(view["name"], str)
    assert isinstance(view["createdAt"], int)
    head, _, packed = view["state"].partition(";")
    assert head == "deflate"
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_it_fits_into_a_tag_of_an_experiment():
    assert all(len(text) <= 5000 for text in SAVED_VIEWS.values())


def test_every_chart_stands_in_a_section_of_the_view():
    state = _state()
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} <= sections
    assert len({chart["uuid"] for chart in state["compareRunCharts"]}) == len(state["compareRunCharts"])


def test_charts_that_mlflow_adds_wait_folded(root):
    """It puts a metric into the section of what stands before its last slash, and makes one, unfolded, if need be."""
    names = {name for result in load(root / "results") for name in result.metrics}
    curves = {"learning_rate", "train/loss", "validation/loss", "perf/epoch_seconds"}
    prefixes = {name.rpartition("/")[0] or "Model metrics" for name in names | curves}
    assert len(prefixes) > 5
    assert prefixes <= {section["name"] for section in _state()["compareRunSections"] if not section["display"]}


def test_the_errors_are_named_as_evaluation_names_them():
    from alexnet_tf.metrics.top_k import VIEWS

    metrics = {chart["metricKey"] for chart in _state()["compareRunCharts"] if "metricKey" in chart}
    for view in VIEWS:
        assert f"test/{view}/top1_error" in metrics
