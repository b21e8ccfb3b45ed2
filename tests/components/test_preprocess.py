import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from waiting import wait_until

from alexnet_tf.data.images import decode, to_square
from alexnet_tf.data.record_dataset import RecordDataset
from alexnet_tf.data.tfrecord import decode_example, read_shard
from alexnet_tf.errors import DataError
from alexnet_tf.whole_file import TEMPORARY
from components import preprocess
from components.interfaces import BeamRuntime, Runtime, SilentTracker
from components.preprocess import Inputs, Outputs, Params, pieces
from components.preprocess_shards import source_digest
from tests.components.small_dataset import CLASS_NAMES, contents, jpeg, write_dataset

IMAGES = {"train": [jpeg(n, width=30 + n % 7, orientation=n % 9) for n in range(23)]}
IMAGES["test"] = [jpeg(n) for n in range(50, 54)]
SETTINGS = {"size": 16, "stored_size": 16, "max_corrupt_share": 0.02, "max_pixels": 10_000}
SETTINGS |= {"encoding": "raw", "jpeg_quality": 95}


def run(inputs, records, *, num_workers=2, runner="FnApiRunner", options=(), images_per_shard=5, **settings):
    records.parent.mkdir(exist_ok=True, parents=True)
    params = Params(**{**SETTINGS, "images_per_shard": images_per_shard, **settings})
    runtime = Runtime(beam=BeamRuntime(num_workers=num_workers, runner=runner, options=options))
    preprocess.run(Inputs(**inputs), Outputs(records), params, runtime)
    return json.loads((records / "manifest.json").read_text())


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("inputs"), IMAGES)


@pytest.fixture(scope="module")
def records(tmp_path_factory, inputs):
    folder = tmp_path_factory.mktemp("outputs") / "records"
    run(inputs, folder)
    return folder


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory, inputs):
    folder = tmp_path_factory.mktemp("jpegs") / "records"
    run(inputs, folder, encoding="jpeg")
    return folder


@pytest.mark.parametrize("num_workers", [1, 3])
def test_bytes_are_equal_with_any_number_of_workers(tmp_path, inputs, records, num_workers):
    run(inputs, tmp_path / "records", num_workers=num_workers)
    assert contents(tmp_path / "records") == contents(records)


def test_bytes_are_equal_on_a_portable_runner(tmp_path, inputs, records):
    options = ("--job_endpoint=embed", "--environment_type=LOOPBACK")
    run(inputs, tmp_path / "records", runner="PortableRunner", options=options)
    assert contents(tmp_path / "records") == contents(records)


@pytest.mark.parametrize("num_workers", [1, 3])
def test_jpegs_have_equal_bytes_too(tmp_path, inputs, jpegs, num_workers):
    run(inputs, tmp_path / "records", encoding="jpeg", num_workers=num_workers)
    assert contents(tmp_path / "records") == contents(jpegs)


def test_jpegs_are_nearly_the_raw_pixels(records, jpegs):
    manifest = json.loads((jpegs / "manifest.json").read_text())
    assert (manifest["encoding"], manifest["jpeg_quality"]) == ("jpeg", 95)
    split, raw = RecordDataset.open(jpegs, "train"), RecordDataset.open(records, "train")
    assert split.keys() == raw.keys()
    np.testing.assert_array_equal(split.labels, raw.labels)
    difference = np.abs(split.read(range(23)).astype(int) - raw.read(range(23)))
    assert 0 < difference.mean() < 2  # grey levels of 255
    example = decode_example(next(read_shard(jpegs / "train-00000-of-00005.tfrecord")))
    assert sorted(example) == ["image/height", "image/jpeg", "image/key", "image/label", "image/width"]


def test_the_quality_of_jpegs_is_the_parameter_and_raw_pixels_have_none(tmp_path, inputs, records, jpegs):
    run(inputs, tmp_path / "coarse", encoding="jpeg", jpeg_quality=40)
    fine, coarse = (
        sum(path.stat().st_size for path in folder.glob("*.tfrecord")) for folder in (jpegs, tmp_path / "coarse")
    )
    assert coarse < fine
    run(inputs, tmp_path / "raw", jpeg_quality=40)
    assert contents(tmp_path / "raw") == contents(records)


def test_the_sharding_of_the_data_set_does_not_matter(tmp_path, records):
    other = write_dataset(tmp_path, IMAGES, num_shards=3)
    run(other, tmp_path / "records")
    assert contents(tmp_path / "records") == contents(records)


def test_the_raw_images_have_a_name_which_their_contents_change_and_their_order_and_size_do_not(tmp_path, records):
    named = source_digests(records)
    assert named["train"] != named["test"]
    run(write_dataset(tmp_path / "shards", IMAGES, num_shards=3), tmp_path / "a", size=8, stored_size=8)
    assert source_digests(tmp_path / "a") == named
    other = IMAGES | {"test": [*IMAGES["test"][:-1], jpeg(999)]}  # of the same key and label
    run(write_dataset(tmp_path / "other", other), tmp_path / "b")
    assert (tmp_path / "b" / "test.keys.txt").read_text() == (records / "test.keys.txt").read_text()
    changed = source_digests(tmp_path / "b")
    assert {split for split in named if changed[split] != named[split]} == {"test"}


def test_a_digest_is_the_sum_of_its_parts():
    whole = source_digest(["ff", "01", "f" * 64])
    assert whole == "0" * 61 + "0ff"
    assert source_digest([source_digest(["f" * 64, "ff"]), "01"]) == whole


def source_digests(records):
    manifest = json.loads((records / "manifest.json").read_text())
    return {split: content["source_digest"] for split, content in manifest["splits"].items()}


def test_every_image_is_there_once_with_its_label_key_and_size(records):
    split = RecordDataset.open(records, "train")
    keys = split.keys()
    assert sorted(keys) == sorted(f"train/{CLASS_NAMES[n % 3]}/{n:04d}.jpeg" for n in range(23))
    for position, image in enumerate(split.read(range(23))):
        n = int(keys[position][-9:-5])
        assert split.labels[position] == n % 3
        assert (split.heights[position], split.widths[position]) == (30, 30 + n % 7)
        np.testing.assert_array_equal(image, to_square(decode(IMAGES["train"][n], max_pixels=10_000), 16))


def test_images_are_taken_as_stored_whatever_their_exif_orientation(records):
    split = RecordDataset.open(records, "train")
    for key, image in zip(split.keys(), split.read(range(23)), strict=True):
        n = int(key[-9:-5])
        without_exif = decode(jpeg(n, width=30 + n % 7), max_pixels=10_000)
        np.testing.assert_array_equal(image, to_square(without_exif, 16))


def test_the_order_is_that_of_the_data_set(records):
    keys = RecordDataset.open(records, "train").keys()
    assert keys == [f"train/{CLASS_NAMES[n % 3]}/{n:04d}.jpeg" for n in range(23)]


def test_pieces_of_shards_by_hand():
    shards = [{"file": name, "num_examples": count} for name, count in (("a", 3), ("b", 0), ("c", 4), ("d", 1))]

    def found(start, stop):
        return [
            (Path(piece.path).name, piece.start, piece.stop, piece.count)
            for piece in pieces(Path(), shards, start, stop)
        ]

    assert found(0, 8) == [("a", 0, 3, 3), ("c", 0, 4, 4), ("d", 0, 1, 1)]
    assert found(1, 3) == [("a", 1, 3, 3)]
    assert found(2, 5) == [("a", 2, 3, 3), ("c", 0, 2, 4)]
    assert found(7, 8) == [("d", 0, 1, 1)]
    assert found(3, 3) == []


def test_shards_are_even_and_described_by_the_manifest(records):
    manifest = json.loads((records / "manifest.json").read_text())
    train = manifest["splits"]["train"]
    assert [shard["num_examples"] for shard in train["shards"]] == [4, 5, 4, 5, 5]
    assert train["num_examples"] == 23
    for shard in train["shards"]:
        content = (records / shard["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (shard["bytes"], shard["sha256"])
    listed = {shard["file"] for part in manifest["splits"].values() for shard in part["shards"]}
    others = {f"{split}.{end}" for split in IMAGES for end in ("index.npy", "keys.txt")} | {"manifest.json"}
    assert {path.name for path in records.iterdir()} == listed | others
    assert manifest["software"]["pillow"]
    assert manifest["rejected"] == []


def test_a_record_holds_what_the_contract_says(records):
    example = decode_example(next(read_shard(records / "train-00000-of-00005.tfrecord")))
    assert sorted(example) == ["image/height", "image/key", "image/label", "image/raw", "image/width"]
    assert len(example["image/raw"]) == 16 * 16 * 3


def bomb():
    encoded = io.BytesIO()
    Image.new("1", (5000, 5000)).save(encoded, "PNG")
    return encoded.getvalue()


AWKWARD = [
    jpeg(1, mode="L"),
    jpeg(1, mode="CMYK"),
    jpeg(1, format="PNG"),
    jpeg(1, mode="P", format="PNG"),
    jpeg(1, mode="RGBA", format="PNG"),
    jpeg(1, mode="I;16", format="PNG"),
    jpeg(1, width=1, height=900),
    jpeg(1, width=2, height=2),
]
BROKEN = {b"": "empty file", b"<html></html>" * 9: "no known image format", jpeg(1)[:-60]: "truncated"}


def test_awkward_images_are_taken_and_broken_ones_listed(tmp_path, monkeypatch):
    tracked = {}
    monkeypatch.setattr(SilentTracker, "metrics", lambda _, values, **__: tracked.update(values))
    images = [*AWKWARD, *BROKEN, bomb()]
    inputs = write_dataset(tmp_path, {"train": images})
    manifest = run(inputs, tmp_path / "records", max_corrupt_share=0.5)
    assert manifest["splits"]["train"]["num_examples"] == len(AWKWARD)
    reasons = {int(entry["key"][-9:-5]): entry["reason"] for entry in manifest["rejected"]}
    for number, reason in enumerate([*BROKEN.values(), "too many pixels (5000 x 5000)"], start=len(AWKWARD)):
        assert reason in reasons[number]
    assert len(reasons) == len(BROKEN) + 1
    assert (tracked["images/train"], tracked["images/rejected"]) == (len(AWKWARD), len(reasons))
    assert len(RecordDataset.open(tmp_path / "records", "train").read(range(len(AWKWARD)))) == len(AWKWARD)


def test_a_disk_without_room_for_the_pixels_is_found_before_the_work(tmp_path, inputs, monkeypatch):
    needed = 27 * 16 * 16 * 3
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=needed - 1))
    with pytest.raises(DataError, match=r"expected 0\.0 GB of disk space for 27 images, found 0\.0 GB free; make room"):
        run(inputs, tmp_path / "records")
    assert not (tmp_path / "records").exists()
    run(inputs, tmp_path / "jpegs", encoding="jpeg")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=needed))
    run(inputs, tmp_path / "enough")


def test_too_many_broken_images_stop_the_stage(tmp_path):
    inputs = write_dataset(tmp_path, {"train": [b"junk"] * 3 + IMAGES["train"]})
    found = r"3 of 26 images of the split train cannot be used, expected a share of at most 0.1 .*no known image"
    with pytest.raises(DataError, match=found):
        run(inputs, tmp_path / "records", max_corrupt_share=0.1)
    run(inputs, tmp_path / "again", max_corrupt_share=0.12)


def test_the_share_of_broken_images_is_that_of_each_split(tmp_path):
    inputs = write_dataset(tmp_path, {"train": IMAGES["train"], "test": [b"junk"] * 3 + IMAGES["test"]})
    with pytest.raises(DataError, match="3 of 7 images of the split test cannot be used"):
        run(inputs, tmp_path / "records", max_corrupt_share=0.2)  # 3 of 30 in all


def test_what_a_killed_worker_left_half_written_is_no_part_of_the_records(tmp_path, inputs, records, monkeypatch):
    run_shards = preprocess.run_shards

    def with_a_killed_worker(*given, **named):
        done = run_shards(*given, **named)
        (tmp_path / "records" / f"{TEMPORARY}0123456789abcdef").write_bytes(b"half")
        return done

    monkeypatch.setattr(preprocess, "run_shards", with_a_killed_worker)
    run(inputs, tmp_path / "records")
    assert contents(tmp_path / "records") == contents(records)


def test_workers_with_other_software_are_refused(tmp_path, inputs, monkeypatch):
    versions = iter([{"pillow": "12.3.0"}] * 3 + [{"pillow": "11.0.0"}] * 9)
    monkeypatch.setattr("components.preprocess_shards.software", lambda: next(versions))
    found = r"expected equal software, found \{'pillow': '1\d.*'\} and .*: pixels would differ; install the same"
    with pytest.raises(DataError, match=found):
        run(inputs, tmp_path / "records", num_workers=1)


def test_an_empty_split_stays_an_empty_split(tmp_path):
    inputs = write_dataset(tmp_path, {"train": IMAGES["train"][:3], "validation": []})
    run(inputs, tmp_path / "records")
    assert RecordDataset.open(tmp_path / "records", "validation").num_examples == 0


def test_a_damaged_data_set_stops_the_stage(tmp_path):
    inputs = write_dataset(tmp_path, IMAGES)
    shard = inputs["dataset"] / "test-train.tfrecord-00001-of-00002"
    os.truncate(shard, shard.stat().st_size - 100)
    with pytest.raises(DataError, match=r"test-train.tfrecord-00001-of-00002, record .*cut short"):
        run(inputs, tmp_path / "records")
    shard.unlink()
    with pytest.raises(DataError, match=r"test-train.tfrecord-00001-of-00002 does not exist"):
        run(inputs, tmp_path / "again")


def test_a_flipped_byte_of_the_data_set_stops_the_stage(tmp_path):
    inputs = write_dataset(tmp_path, IMAGES)
    path = inputs["dataset"] / "test-train.tfrecord-00000-of-00002"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{path.name}, record \d+ at byte \d+: .*checksum, found damaged"):
        run(inputs, tmp_path / "records")
    assert not (tmp_path / "records" / "manifest.json").exists()


def test_a_shard_with_fewer_images_than_the_manifest_says_is_found(tmp_path):
    inputs = write_dataset(tmp_path, {"train": IMAGES["train"][:4]}, num_shards=1)
    fewer = write_dataset(tmp_path / "fewer", {"train": IMAGES["train"][:3]}, num_shards=1)
    name = "test-train.tfrecord-00000-of-00001"
    os.replace(fewer["dataset"] / name, inputs["dataset"] / name)
    with pytest.raises(DataError, match="expected 4 images, found 3"):
        run(inputs, tmp_path / "records")
    with pytest.raises(DataError, match="expected 4 images, found fewer"):
        run(inputs, tmp_path / "again", images_per_shard=1)
    more = write_dataset(tmp_path / "more", {"train": IMAGES["train"][:5]}, num_shards=1)
    os.replace(more["dataset"] / name, inputs["dataset"] / name)
    with pytest.raises(DataError, match="expected 4 images, found more"):
        run(inputs, tmp_path / "third")


def test_two_images_of_one_key_are_found(tmp_path):
    inputs = write_dataset(tmp_path, {"train": IMAGES["train"][:4]}, num_shards=1)
    manifest = json.loads((inputs["dataset"] / "manifest.json").read_text())
    train = manifest["splits"]["train"]
    train["shards"] *= 2
    train["num_examples"] *= 2
    (inputs["dataset"] / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="two images of the split train have one key"):
        run(inputs, tmp_path / "records")


@pytest.mark.parametrize("verdict", ['{"verdict": "error"}', "{}", "nonsense"])
def test_only_a_good_verdict_lets_the_stage_start(tmp_path, verdict):
    inputs = write_dataset(tmp_path, {"train": IMAGES["train"][:2]})
    inputs["verdict"].write_text(verdict)
    with pytest.raises(DataError, match=r"verdict\.json: expected"):
        run(inputs, tmp_path / "records")


def test_a_size_that_is_no_multiple_is_refused():
    with pytest.raises(ValidationError, match="expected a whole multiple of stored_size = 32, found 250"):
        Params(**{**SETTINGS, "images_per_shard": 5, "size": 250, "stored_size": 32})


KILLED = """
import sys
from pathlib import Path
from components import preprocess
from components.interfaces import BeamRuntime, Runtime
from tests.components.test_preprocess import SETTINGS

dataset, records = map(Path, sys.argv[1:])
params = preprocess.Params(**SETTINGS, images_per_shard=5)
inputs = preprocess.Inputs(dataset, dataset.parent / "verdict.json")
preprocess.run(inputs, preprocess.Outputs(records), params, Runtime(beam=BeamRuntime(num_workers=2)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 40, 90])
def test_after_sigkill_what_has_its_name_is_whole_and_the_manifest_is_not_there(tmp_path, shards):
    inputs = write_dataset(tmp_path, {"train": [jpeg(n, width=110, height=90) for n in range(600)]})
    run(inputs, tmp_path / "whole")
    killed = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", KILLED, inputs["dataset"], killed])
    try:
        wait_until(lambda: len(list(killed.glob("*.tfrecord"))) >= shards, process=process, every=0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert not (killed / "manifest.json").exists()
    expected, left = contents(tmp_path / "whole"), contents(killed)
    written = {name: content for name, content in left.items() if name.endswith(".tfrecord")}
    assert len(written) >= shards
    assert all(expected[name] == content for name, content in written.items())
    with pytest.raises(DataError, match=r"manifest\.json does not exist, expected the data of the stage preprocess"):
        RecordDataset.open(killed, "train")
