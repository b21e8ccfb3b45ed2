"""What goes into an output has the same bytes under every supported Python, patch releases included.

Under other Pythons of this machine, `python test_same_bytes.py FOLDER` writes the files that are compared.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ARRAYS = {"conv1/kernel": np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4), "step": np.array(7)}


def write(folder: Path) -> None:
    """Write a file by each writer that an output's bytes depend on."""
    from PIL import Image

    from alexnet_tf.canonical_zip import write_zip
    from alexnet_tf.metrics.correctness import Correctness, write_correctness
    from alexnet_tf.models.weights import save_arrays

    bits = np.arange(1000) % 3 == 0
    save_arrays(folder / "weights.safetensors", ARRAYS, {"history": [0.1 + 0.2]})
    save_arrays(folder / "halved.safetensors", {"fc8/bias": np.zeros(5, np.float32)}, halved=True)
    write_correctness(folder / "correct.npz", Correctness(1000, "0123", {"center_top1": bits, "ten_crop_top1": ~bits}))
    write_zip(folder / "model.keras", {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": bytes(70_000)})
    np.save(folder / "mean.npy", ARRAYS["conv1/kernel"])
    np.save(folder / "train.index.npy", np.zeros(3, [("offset", "<u8"), ("label", "<i4")]))
    (folder / "metrics.json").write_text(json.dumps({"error": 0.1 + 0.2, "loss": float(np.float32(1 / 3)), "n": 1e22}))
    Image.fromarray((np.indices((64, 64)).sum(axis=0) * 2 % 256).astype(np.uint8)).save(folder / "kernels.png")


ABOUT = "import platform, sysconfig; print(platform.python_version(), sysconfig.get_config_var('SOABI'))"


def others() -> list[str]:
    """Find Pythons of another patch release that can use the packages of this one."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}", path=place) for place in (*os.get_exec_path(), "/usr/bin")]
    found = {}
    for path in [*filter(None, candidates), *sorted(pyenv.glob(f"{version}.*/bin/python"))]:
        told = subprocess.run([path, "-c", ABOUT], capture_output=True, text=True, check=False).stdout.split()
        if told[1:] == [sysconfig.get_config_var("SOABI")] and told[0] != platform.python_version():
            found.setdefault(told[0], str(path))
    return list(found.values())


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("here")
    write(folder)
    return folder


def test_another_patch_release_writes_the_same(written, tmp_path):
    from checkout import KEPT

    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), sysconfig.get_paths()["purelib"]])
    pythons = others()
    for number, python in enumerate(pythons):
        there = tmp_path / str(number)
        there.mkdir()
        subprocess.run([python, __file__, there], env=environment, check=True)
        assert {path.name for path in there.iterdir()} == {path.name for path in written.iterdir()}
        for path in written.iterdir():
            assert (there / path.name).read_bytes() == path.read_bytes(), (python, path.name)
    if not pythons:
        pytest.skip("no other patch release")


def test_zip_files_say_nothing_of_the_python_that_wrote_them(written):
    """Every field by hand: PKWARE's APPNOTE 4.3.7, 4.3.12 and 4.3.16."""
    content = (written / "model.keras").read_bytes()
    # version 2.0, no flags, stored, 1980-01-01 00:00, CRC of "{}", 2 bytes stored as 2, 11 of name, no extra field
    shared = "1400 0000 0000 0000 2100 43bfa6a3 02000000 02000000 0b00 0000"
    assert content.startswith(bytes.fromhex(f"504b0304 {shared}") + b"config.json{}")
    # no comment, disk 0, no attributes, rights 0600, at the file's beginning
    first = bytes.fromhex(f"504b0102 1403 {shared} 0000 0000 0000 00008001 00000000") + b"config.json"
    assert content.count(first) == 1
    start = content.index(first)
    end = bytes.fromhex("504b0506 0000 0000 0300 0300") + (len(content) - 22 - start).to_bytes(4, "little")
    assert content.endswith(end + start.to_bytes(4, "little") + b"\0\0")


def test_arrays_say_nothing_of_the_python_that_wrote_them(written):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4), }"
    expected = b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n" + ARRAYS["conv1/kernel"].tobytes()
    assert (written / "mean.npy").read_bytes() == expected


def test_weights_say_nothing_of_the_python_that_wrote_them(written):
    content = (written / "weights.safetensors").read_bytes()
    entries = (
        '"step":{"dtype":"I64","shape":[],"data_offsets":[0,8]},'
        '"conv1/kernel":{"dtype":"F32","shape":[2,3,4],"data_offsets":[8,104]}}'
    )
    size = int.from_bytes(content[:8], "little")
    assert size % 8 == 0
    assert content[8 : 8 + size].decode().rstrip(" ").endswith(entries)
    assert content[8 + size :] == ARRAYS["step"].tobytes() + ARRAYS["conv1/kernel"].tobytes()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
