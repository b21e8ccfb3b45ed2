"""Draws the pages that docs/ shows: `python docs/screenshots.py [report] [mlflow]`, with Chromium; both without a word.

`report` draws reports/report.html (`dvc repro`, `alexnet report`) and fails when it is wider than a screen. `mlflow`
makes a store of the results of CIFAR-10 that are kept in results/, serves it for the while, and draws its runs as a
table, the prepared view, and both variants side by side, with *Show diff only* switched on and, on a phone, MLflow's
sidebar folded.
"""

import json
import os
import socket
import sys
import tempfile
import urllib.parse
from pathlib import Path

from chromium import look, screen
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SCREENS = {"desktop": 1400, "phone": 390}  # pixels
# MLflow opens its Assistant beside the first page that a browser sees of it; this browser is always new.
_MLFLOW_SEEN_BEFORE = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
_SHOW_DIFFERENCES_ONLY = """document.querySelectorAll('[aria-label$="Show diff only"]').forEach(each => each.click())"""
_FOLD_SIDEBAR = """document.querySelector('[aria-label="Toggle sidebar"]').click()"""


def draw_report() -> None:
    """Draw the report on each screen."""
    page = (ROOT / "reports/report.html").read_text(encoding="utf-8")
    for name, width in SCREENS.items():
        picture, taken = look(page, width=width, height=1600)
        if taken > width:
            raise SystemExit(f"reports/report.html takes {taken} pixels on a {name} of {width}: it scrolls sideways")
        _keep(picture, f"report-{name}")


def draw_mlflow() -> None:
    """Draw MLflow's pages of the results of CIFAR-10 on each screen."""
    from pipeline.results import kept
    from pipeline.tracking import uploads
    from pipeline.tracking.mlflow_client import Runs
    from pipeline.tracking.mlflow_server import comparison_path, serve

    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as place, socket.socket() as probe:
        home = Path(place)
        results = sorted(kept.load(ROOT / "results/cifar10"), key=lambda result: result.time)
        latest = {result.variant: result for result in results if result.seed == results[0].seed}
        kept.put(home, list(latest.values()))
        if problem := uploads.send_all(home):
            raise SystemExit(f"the results of CIFAR-10 cannot be imported: {problem}")
        uri = f"sqlite:///{home / 'mlflow.db'}"
        comparison, runs = comparison_path(uri, home, "cifar10"), Runs(uri, home)
        rows = sorted(runs.search("tags.`alexnet.row` LIKE '%'"), key=lambda run: str(run.info.run_name))
        chosen = {"runs": [run.info.run_id for run in rows], "experiments": [rows[0].info.experiment_id]}
        both = urllib.parse.urlencode({key: json.dumps(ids) for key, ids in chosen.items()})
        pages = {
            "mlflow-runs": (
                comparison.replace("=CHART", "=TABLE"),
                str(rows[0].info.run_name),
                {"desktop": 560, "phone": 860},
            ),
            "mlflow-board": (comparison, "What differs", {"desktop": 1620}),  # on a phone MLflow has no room for charts
            "mlflow-compare": (
                f"#/compare-runs?{both}&workflowType=machine_learning",
                "Parameters",
                dict.fromkeys(SCREENS, 2000),
            ),
        }

        def ready(address: str) -> None:
            for page, (path, wanted, heights) in pages.items():
                for name, height in heights.items():
                    with screen(width=SCREENS[name], height=height) as seen:
                        seen.ask("Page.addScriptToEvaluateOnNewDocument", source=_MLFLOW_SEEN_BEFORE)
                        seen.show(f"{address}/{path}", wanted)
                        seen.tell(_SHOW_DIFFERENCES_ONLY)
                        seen.tell(_FOLD_SIDEBAR if name == "phone" else "")
                        seen.settle()
                        _keep(seen.picture(), f"{page}-{name}")
            raise KeyboardInterrupt  # as a person ends the server

        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        serve(uri, home, port, ready)


def _keep(picture: Image.Image, name: str) -> None:
    target = ROOT / f"docs/img/{name}.png"
    picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
    place, size = target.relative_to(ROOT), target.stat().st_size
    print(f"{place}: {picture.width} x {picture.height}, {size:,} bytes", flush=True)


def main() -> None:
    """Draw what the command line asks for."""
    drawings = {"report": draw_report, "mlflow": draw_mlflow}
    wanted = sys.argv[1:] or list(drawings)
    if unknown := [word for word in wanted if word not in drawings]:
        raise SystemExit(f"expected report or mlflow, received {' '.join(unknown)}")
    (ROOT / "docs/img").mkdir(exist_ok=True)
    for word in wanted:
        drawings[word]()


if __name__ == "__main__":
    main()
