"""The comparison of the variants as a saved view of MLflow's runs page.

MLflow 3.17 keeps a saved view in a tag of the experiment: a name, two times, and the state of the page as JSON. It
lists such views on the page itself, so that they are there under plain `mlflow ui` too.
"""

import base64
import json
import zlib
from typing import Any

NAME = "Faithful against optimized"
SHARE_KEY = "faithful-optimized"
_MADE = 1_700_000_000_000  # a fixed time, so that the tag stays the same
_SHOWN_RUNS = 20


def _charts(section: str, *cards: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"uuid": f"{section}-{index}", "metricSectionId": section, "isGenerated": False, "deleted": False} | card
        for index, card in enumerate(cards)
    ]


def _bar(metric: str) -> dict[str, Any]:
    return {"type": "BAR", "metricKey": metric, "runsCountToCompare": _SHOWN_RUNS}


def _line(metric: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "runsCountToCompare": _SHOWN_RUNS,
        "scaleType": "linear",
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": False,
        "useGlobalXaxisKey": False,
        "xAxisScaleType": "linear",
    }


_SECTIONS = {
    "errors": (
        "Errors on the test split",
        [
            _bar("test/ten_crop/top1_error"),
            _bar("test/ten_crop/top5_error"),
            _bar("test/center/top1_error"),
            _bar("test/center/top5_error"),
        ],
    ),
    "training": (
        "Training",
        [
            _line("train/loss"),
            _line("learning_rate"),
            _line("train/top1_error"),
            _line("validation/top1_error"),
        ],
    ),
    "cost": (
        "Cost",
        [
            _bar("cost/seconds_per_epoch"),
            _bar("cost/images_per_second"),
            _bar("cost/train_seconds"),
            {
                "type": "SCATTER",
                "xaxis": {"key": "cost/train_seconds", "type": "METRIC"},
                "yaxis": {"key": "test/ten_crop/top1_error", "type": "METRIC"},
                "runsCountToCompare": _SHOWN_RUNS,
            },
        ],
    ),
    "knobs": (
        "What differs",
        [
            {
                "type": "DIFFERENCE",
                "chartName": "Parameters and metrics that differ",
                "compareGroups": ["Parameters", "Model Metrics"],
                "showChangeFromBaseline": False,
                "showDifferencesOnly": True,
                "runsCountToCompare": _SHOWN_RUNS,
            }
        ],
    ),
}

# MLflow makes a chart of every metric and puts it into the section of its prefix: they wait there, folded, below ours.
_FOLDED = (
    "test", "test/center", "test/ten_crop", "test/conv1", "test/neighbours", "test/training_images",
    "test/ten_crop_less_center", "train", "train/best", "train/last", "validation", "cost", "perf", "Model metrics",
    "System metrics",
)  # fmt: skip

# Of each group MLflow sorts them by name. Dataset and duration would push the errors off the screen.
_COLUMNS = [
    "attributes.`Created`",
    *(
        f"metrics.`{name}`"
        for name in (
            "test/ten_crop/top1_error",
            "test/ten_crop/top5_error",
            "test/center/top1_error",
            "cost/seconds_per_epoch",
            "cost/train_seconds",
        )
    ),
    *(
        f"params.`{name}`"
        for name in ("seed", "training.epochs", "training.global_batch_size", "network.name", "profile")
    ),
    *(f"tags.`{name}`" for name in ("alexnet.changes", "alexnet.complete", "dvc.exp_name", "git.dirty")),
]


def _section(key: str, name: str, *, shown: bool) -> dict[str, Any]:
    # A chart's title is its metric, whole where two are side by side; a table takes all the room there is.
    size = {"columns": 1, "cardHeight": 480} if key == "knobs" else {"columns": 2, "cardHeight": 280}
    return {"uuid": key, "name": name, "display": shown, "isReordered": True} | size


def _state() -> dict[str, Any]:
    return {
        # A pattern that everything meets keeps the stage runs out: only rows carry this tag.
        "searchFilter": "tags.`alexnet.row` LIKE '%'",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": _COLUMNS,
        "compareRunCharts": [card for key, (_, cards) in _SECTIONS.items() for card in _charts(key, *cards)],
        "compareRunSections": [
            *(_section(key, name, shown=True) for key, (name, _) in _SECTIONS.items()),
            *(_section(f"all-{name}", name, shown=False) for name in _FOLDED),
        ],
        "runListHidden": False,
        "viewMaximized": False,
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _packed(state: dict[str, Any]) -> str:
    """Compress a state as MLflow does, since a tag of an experiment holds 5,000 characters."""
    return "deflate;" + base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()


def view_path(experiment: str, mode: str) -> str:
    """The part of an address that opens the prepared view of an experiment, `mode` CHART or TABLE."""
    # MLflow 3.17 keeps its switch between GenAI and model training in the browser; only the address overrules it.
    query = f"workflowType=machine_learning&compareRunsMode={mode}&viewStateShareKey={SHARE_KEY}"
    return f"#/experiments/{experiment}/runs?{query}"


SAVED_VIEWS = {
    f"mlflow.sharedViewState.{SHARE_KEY}": json.dumps(
        {"name": NAME, "createdAt": _MADE, "updatedAt": _MADE, "state": _packed(_state())}
    )
}
