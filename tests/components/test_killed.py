"""Download, statistics and conversion, ended by SIGKILL: what has its name is whole, and conversion ends the same.

The stage preprocess has the like in test_preprocess.py, train in test_train_killed.py.
"""

import signal
import subprocess
import sys

import pytest
from waiting import wait_until

from alexnet_tf.data.colour_statistics import ColourStatistics
from alexnet_tf.data.record_dataset import read_manifest
from alexnet_tf.data.tfrecord import read_shard
from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import TEMPORARY
from components.conversion import REPORT, convert
from components.interfaces import Runtime
from components.sources.shards import EXAMPLES_PER_SHARD
from tests.components.small_dataset import contents, jpeg
from tests.components.sources.placed import write_image
from tests.components.test_statistics import prepare

pytestmark = pytest.mark.slow

DOWNLOAD = """
import sys
from pathlib import Path
from tests.components.test_download import run

run(Path(sys.argv[2]), "image_folder", Path(sys.argv[1]))
"""

STATISTICS = """
import sys
from pathlib import Path
from components import statistics
from components.interfaces import BeamRuntime, Runtime

records, out = map(Path, sys.argv[1:])
runtime = Runtime(beam=BeamRuntime(num_workers=2))
statistics.run(statistics.Inputs(records), statistics.Outputs(out), statistics.Params(size=32), runtime)
"""


CONVERSION = """
import sys
from pathlib import Path
from components.conversion import convert
from components.interfaces import BeamRuntime, Runtime

source, out = map(Path, sys.argv[1:])
runtime = Runtime(beam=BeamRuntime(num_workers=2))
convert(source, out, size=64, encoding="png", max_pixels=1_000_000, runtime=runtime)
"""


def kill(script, source, out, *, once):
    """Run a script on `source` and `out`, and end it by SIGKILL once so many files as `once` says are there."""
    pattern, count = once
    process = subprocess.Popen([sys.executable, "-c", script, source, out])
    try:
        wait_until(lambda: len(list(out.glob(pattern))) >= count, process=process, every=0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)


@pytest.mark.parametrize("shards", [0, 2])
def test_a_killed_download_leaves_whole_shards_and_no_manifest(tmp_path, shards):
    source, killed = tmp_path / "source", tmp_path / "killed"
    for number in range(2200):
        write_image(source / "train" / f"c{number % 2}" / f"{number}.png", number)
    for number in range(6):
        write_image(source / "val" / f"c{number % 2}" / f"{number}.png", 3000 + number)
    once = (f"{TEMPORARY}*", 1) if shards == 0 else ("*.tfrecord-0000?", shards)
    kill(DOWNLOAD, source, killed, once=once)
    assert not (killed / "manifest.json").exists()
    whole = [path for path in killed.iterdir() if not path.name.startswith(TEMPORARY)]
    assert len(whole) >= shards
    for path in whole:
        assert sum(1 for _ in read_shard(path)) == EXAMPLES_PER_SHARD
    with pytest.raises(DataError, match=r"manifest\.json does not exist, expected the data of the stage download"):
        read_manifest(killed, stage="download")


@pytest.mark.parametrize("shards", [1, 60])
def test_killed_statistics_are_not_taken_for_whole_ones(tmp_path, shards):
    records = prepare(tmp_path, images_per_shard=2, images=[jpeg(n) for n in range(200)])
    before, killed = contents(records), tmp_path / "killed"
    kill(STATISTICS, records, killed, once=("scratch/*.npy", shards))
    assert not (killed / "statistics.json").exists()
    with pytest.raises(DataError, match=r"statistics\.json"):
        ColourStatistics.load(killed)
    assert contents(records) == before


@pytest.mark.parametrize("images", [1, 300])
def test_a_killed_conversion_leaves_whole_files_and_goes_on_to_the_same(tmp_path, images):
    source, killed, whole = (tmp_path / name for name in ("source", "killed", "whole"))
    for number in range(900):
        path = source / "train" / f"c{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number, width=90, height=80))
    kill(CONVERSION, source, killed, once=("train/*/[0-9]*.png", images))
    assert not (killed / REPORT).exists()
    convert(source, whole, size=64, encoding="png", max_pixels=1_000_000, runtime=Runtime())
    left = {path.relative_to(killed): path.read_bytes() for path in killed.glob("train/*/[0-9]*.png")}
    assert images <= len(left) < 900
    assert all((whole / name).read_bytes() == content for name, content in left.items())
    (killed / "train" / "c0" / f"{TEMPORARY}left").write_bytes(b"half")  # as a kill while it wrote would leave
    convert(source, killed, size=64, encoding="png", max_pixels=1_000_000, runtime=Runtime())
    assert contents(killed) == contents(whole)
