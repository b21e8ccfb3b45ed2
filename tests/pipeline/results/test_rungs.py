"""docs/ablations.yaml: every rung is a valid change of its experiment; what is none is one sentence."""

from pathlib import Path

import pytest

from alexnet_tf.errors import DataError
from pipeline.config.load import check
from pipeline.config.local_params import defaults
from pipeline.environment.dotted import at
from pipeline.environment.yaml_file import read, with_overrides
from pipeline.results.ablations import EXPERIMENT
from pipeline.results.rungs import FILE, read_rungs

ROOT = Path(__file__).resolve().parents[3]


def test_a_broken_ladder_is_one_sentence(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / FILE).write_text("rung: {words: a, changes: {}, scale: b, more: 1}")
    with pytest.raises(DataError, match=r"docs/ablations.yaml: rung.more: Extra inputs .*; correct it there"):
        read_rungs(tmp_path)


def test_every_rung_is_a_valid_change_of_the_experiment_and_of_nothing_else():
    written = {**read(ROOT / f"experiments/{EXPERIMENT}.yaml"), "runtime": defaults()}
    whole = check(written).values["variants"]["full"]
    rungs = read_rungs(ROOT)
    assert len({tuple(sorted(map(str, rung.changes.items()))) for rung in rungs.values()}) == len(rungs) == 14
    for name, rung in rungs.items():
        changed, _ = with_overrides(written, [f"{key}={value}" for key, value in rung.overrides().items()])
        values = check(changed).values["variants"]["full"]
        for key, value in rung.changes.items():
            assert at(values, key) == value != at(whole, key), name
