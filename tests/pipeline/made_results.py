"""Kept results as tests make them."""

import json

from pipeline.results.kept import Result


def made(experiment, variant, seed=1, *, changes=None, commit=None, train=None, test=None, outs=None, **params):
    """A result of one variant and seed, with the metrics of its two stages and DVC's hashes of what they wrote."""
    named = {"seed": str(seed), "download.source": "sample", "training.precision": "float32"}
    row = {
        "variant": variant,
        "state": f"{seed:x}{variant}abcdef012",
        "params": named | params,
        "state_tags": {},
        "tags": {"mlflow.source.git.commit": commit} if commit else {},
        "standing": [
            {"stage": f"train@{variant}", "metrics": train or {}, "outs": outs or {}},
            {"stage": f"evaluate@{variant}", "metrics": test or {}, "outs": {}, "remake": {"time": 1_700_000_000_000}},
        ],
    }
    return Result(experiment, changes or {}, row)


def write(root, *results):
    """Keep results below a folder."""
    for each in results:
        path = root / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(each.__dict__))
