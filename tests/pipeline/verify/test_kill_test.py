"""`alexnet train --kill-test` on the generated sample, with one replica and with two."""

import re

import pytest

from tests.clone import Clone

SMALL = ("-S", "variants.optimized.training.epochs=6", "-S", "download.sample.train_images_per_class=60")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    clone = Clone(tmp_path_factory.mktemp("chaos"))
    for stage in (["download"], ["validate"], ["preprocess", "small"], ["statistics", "small"]):
        clone.run("alexnet", *stage, *SMALL)
    return clone


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["[]", "[CPU:0, CPU:1]"], ids=["one replica", "two replicas"])
def test_a_training_that_is_killed_ends_at_the_bytes_of_one_that_is_not(clone, devices):
    done = clone.run("alexnet", "train", "optimized", "--kill-test", "4", "-S", f"runtime.devices={devices}", *SMALL)
    assert re.search(r"killed [1-4] times, [1-4] of them resumed from a checkpoint, [12] within the write", done.stdout)
    assert "every byte of models/optimized and reports/train/optimized as uninterrupted" in done.stdout
    assert not (clone.root / "models").exists()  # it checks, and makes nothing
    assert not list((clone.root / ".alexnet" / "chaos").iterdir())
