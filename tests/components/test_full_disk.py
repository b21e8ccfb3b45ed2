"""A disk that fills up while a stage writes: an error that says so, also when nothing is left for saying it."""

import subprocess
import sys

import pytest

from tests.components.small_dataset import jpeg, write_dataset

SMALL_DISK = ("unshare", "-Urm", "bash", "-c", 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"', "bash")
"""Mounts a disk of a megabyte that the command alone sees; it goes with the command."""

SCRIPT = """
import os, shutil, sys
from pathlib import Path
from types import SimpleNamespace
from components import download, preprocess
from components.interfaces import BeamRuntime, Runtime
from tests.components import test_download
from tests.components.small_dataset import preprocess_params

stage, source, disk, room = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
found = os.statvfs(disk)
shutil.disk_usage = lambda folder: SimpleNamespace(free=1 << 40)  # as if others filled the disk later
(disk / "others").write_bytes(bytes(found.f_bavail * found.f_bsize - room))
try:
    if stage == "download":
        test_download.run(disk / "out", "image_folder", source)
    else:
        inputs = preprocess.Inputs(source / "dataset", source / "verdict.json")
        params = preprocess_params(64, images_per_shard=10)
        preprocess.run(inputs, preprocess.Outputs(disk / "out"), params, Runtime(beam=BeamRuntime(num_workers=2)))
except OSError as error:
    print(error.errno, *disk.rglob("manifest.json"))
"""


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run([*SMALL_DISK, disk, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets no user mount a disk of its own")
    return disk


def on(disk, *command) -> tuple[str, str]:
    ended = subprocess.run([*SMALL_DISK, disk, sys.executable, "-c", SCRIPT, *command], capture_output=True, text=True)
    return ended.stdout.strip(), ended.stderr


@pytest.mark.parametrize("room", [600_000, 80_000, 20_000], ids=["a shard", "an index", "nothing"])
def test_preprocess_says_that_the_disk_is_full_and_nothing_else(tmp_path, small_disk, room):
    write_dataset(tmp_path, {"train": [jpeg(n) for n in range(120)]})
    assert on(small_disk, "preprocess", tmp_path, small_disk, str(room)) == ("28", "")


def test_download_says_that_the_disk_is_full_and_nothing_else(tmp_path, small_disk):
    for number in range(80):
        path = tmp_path / "source" / "train" / f"c{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
    assert on(small_disk, "download", tmp_path / "source", small_disk, "20000") == ("28", "")
