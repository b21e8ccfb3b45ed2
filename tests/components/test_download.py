import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.data.tfrecord import decode_example, read_shard
from alexnet_tf.errors import DataError
from alexnet_tf.sample.generate import CLASS_NAMES, generate
from components import download
from components.interfaces import Runtime, SilentTracker
from components.sources import image_folder, shards
from components.sources.source import order_value, sorted_order
from tests.components.small_dataset import download_params
from tests.components.sources.placed import write_image

SAMPLE = {"seed": 2012, "train_images_per_class": 3, "validation_images_per_class": 1, "test_images_per_class": 2}


def run(out: Path, source="sample", folder=None, **changes) -> dict:
    params = download_params(source, **({"validation_share": 0.25, "sample": SAMPLE} | changes))
    download.run(download.Inputs(), download.Outputs(out), params, Runtime(source_folder=folder))
    return json.loads((out / "manifest.json").read_text())


def examples(out: Path, split: str) -> list[dict]:
    manifest = json.loads((out / "manifest.json").read_text())
    files = [shard["file"] for shard in manifest["splits"][split]["shards"]]
    return [decode_example(payload) for file in files for payload in read_shard(out / file)]


def keys(out: Path, split: str) -> list[str]:
    return [example["key"].decode() for example in examples(out, split)]


@pytest.fixture
def folder(tmp_path):
    """train/ with 2 classes of 40 images, val/ with 2 of 3."""
    root = tmp_path / "source"
    for number in range(80):
        write_image(root / "train" / f"c{number % 2}" / f"{number}.png", number)
    for number in range(6):
        write_image(root / "val" / f"c{number % 2}" / f"{number}.PNG", 1000 + number)
    (root / "train" / "c0" / "notes.txt").write_text("no image")
    return root


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "dataset"
    run(out)
    return out


def test_tensorflow_datasets_reads_it_back(sample):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(sample)
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 30,
        "validation": 10,
        "test": 20,
    }
    assert tuple(builder.info.features["label"].names) == CLASS_NAMES
    read = list(builder.as_dataset(split="test").as_numpy_iterator())
    assert [example["key"].decode() for example in read] == keys(sample, "test")
    for example, ours in zip(read, examples(sample, "test"), strict=True):
        assert example["label"] == ours["label"]
        assert example["image"].shape[2] == 3
    raw = builder.as_dataset(split="test", decoders={"image": tfds.decode.SkipDecoding()})
    assert [x["image"] for x in raw.as_numpy_iterator()] == [x["image"] for x in examples(sample, "test")]


def test_images_keep_their_bytes_even_the_odd_ones(sample):
    for example in examples(sample, "train"):
        split, class_name, file = example["key"].decode().split("/")
        label = CLASS_NAMES.index(class_name)
        assert (split, example["label"]) == ("train", label)
        assert example["image"] == generate("train", label, int(file[:5]), 2012)[1]


def test_the_manifest_is_true(sample):
    manifest = json.loads((sample / "manifest.json").read_text())
    assert manifest["source"] == "sample"
    assert manifest["class_names"] == list(CLASS_NAMES)
    listed = [shard for split in manifest["splits"].values() for shard in split["shards"]]
    assert sorted(shard["file"] for shard in listed) == sorted(p.name for p in sample.glob("*.tfrecord-*"))
    for shard in listed:
        content = (sample / shard["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (shard["bytes"], shard["sha256"])


def test_a_second_run_gives_the_same_bytes(sample, tmp_path):
    run(tmp_path / "again")
    for path in sample.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_images_come_in_the_order_of_their_hash_and_not_by_class(folder, tmp_path):
    run(tmp_path / "out", "image_folder", folder)
    found = keys(tmp_path / "out", "train")
    assert found == sorted(found, key=order_value)
    assert found != sorted(found)


def test_many_examples_make_many_shards(folder, tmp_path, monkeypatch):
    whole = run(tmp_path / "one", "image_folder", folder)
    monkeypatch.setattr(shards, "EXAMPLES_PER_SHARD", 7)
    parts = run(tmp_path / "many", "image_folder", folder)
    listed = parts["splits"]["train"]["shards"]
    count = whole["splits"]["train"]["num_examples"]
    assert [shard["num_examples"] for shard in listed] == [7] * (count // 7) + [count % 7] * (count % 7 > 0)
    assert listed[0]["file"] == f"dataset-train.tfrecord-00000-of-{len(listed):05d}"
    assert keys(tmp_path / "many", "train") == keys(tmp_path / "one", "train")


def test_validation_is_held_out_by_content(folder, tmp_path):
    manifest = run(tmp_path / "out", "image_folder", folder)
    counts = {split: content["num_examples"] for split, content in manifest["splits"].items()}
    assert counts["train"] + counts["validation"] == 80
    assert 8 <= counts["validation"] <= 34  # 80 draws of 0.25: mean 20, standard deviation 3.9
    for example in examples(tmp_path / "out", "validation"):
        place = int(hashlib.sha256(example["image"]).hexdigest()[:16], 16) / 2**64
        assert place < 0.25
    assert sorted(keys(tmp_path / "out", "test")) == [f"val/c{n % 2}/{n}.PNG" for n in (0, 2, 4, 1, 3, 5)]


def test_a_copy_goes_to_the_same_split_and_a_new_image_moves_no_other(folder, tmp_path):
    run(tmp_path / "before", "image_folder", folder)
    for number in range(40):
        (folder / "train" / "c1" / f"copy{number}.png").write_bytes(
            (folder / "train" / f"c{number % 2}" / f"{number}.png").read_bytes()
        )
    run(tmp_path / "after", "image_folder", folder)
    before, after = (
        {split: set(keys(tmp_path / out, split)) for split in download.SPLITS} for out in ("before", "after")
    )
    assert all(before[split] <= after[split] for split in download.SPLITS)
    contents = {split: {x["image"] for x in examples(tmp_path / "after", split)} for split in ("train", "validation")}
    assert not contents["train"] & contents["validation"]


def test_three_folders_are_three_splits(folder, tmp_path):
    write_image(folder / "test" / "c1" / "t.png", 5000)
    manifest = run(tmp_path / "out", "image_folder", folder)
    assert {split: part["num_examples"] for split, part in manifest["splits"].items()} == {
        "train": 80,
        "validation": 6,
        "test": 1,
    }


def test_wordnet_ids_of_imagenette_get_words(tmp_path):
    for index, name in enumerate(("n01440764", "n99999999")):
        for number in range(4):
            write_image(tmp_path / "source" / "train" / name / f"{number}.jpg", 100 * index + number)
            write_image(tmp_path / "source" / "validation" / name / f"{number}.jpg", number)
            write_image(tmp_path / "source" / "test" / name / f"{number}.jpg", number)
    manifest = run(tmp_path / "out", "image_folder", tmp_path / "source")
    assert manifest["class_names"] == ["tench", "n99999999"]


def test_a_missing_folder_is_named_with_the_way_out(tmp_path):
    with pytest.raises(DataError, match=r"found no train/ there and no folder; put train/ and val/ into it"):
        run(tmp_path / "out", "image_folder", tmp_path)
    with pytest.raises(DataError, match=r"runtime\.source_folder"):
        run(tmp_path / "out", "image_folder", None)
    assert not (tmp_path / "out").exists()


def test_two_equal_keys_are_an_error():
    values = np.array([3, 1, 3], np.uint64)
    with pytest.raises(DataError, match="one name twice"):
        sorted_order(values, where="here")
    with pytest.raises(DataError, match=r"found a/1\.jpg twice; rename one of the two"):
        sorted_order(values, where="here", keys=["a/1.jpg", "b", "a/1.jpg"])


@pytest.mark.parametrize("source", ["cifar10", "tfds:", "tfds:a b", "samples"])
def test_an_unknown_source_stops_before_any_work(source, tmp_path):
    with pytest.raises(ValueError, match="source"):
        run(tmp_path / "out", source)


def test_it_says_how_many_images_and_what_it_left_out(folder, tmp_path):
    (folder / "train" / "c0" / "gone.png").symlink_to("nowhere")
    params = download_params("image_folder", validation_share=0.25)
    outputs = download.Outputs(tmp_path / "o")
    found = download.run(download.Inputs(), outputs, params, Runtime(source_folder=folder))
    sizes = {split: len(keys(outputs.dataset, split)) for split in ("train", "validation", "test")}
    assert sum(sizes.values()) == 87
    assert found == (
        f"87 images in 2 classes: train {sizes['train']}, validation {sizes['validation']}, test {sizes['test']}; "
        "1 files cannot be read; not used: 1 not named like an image (train/c0/notes.txt)"
    )


def test_progress_counts_every_image(tmp_path):
    class Recorder:
        def __init__(self):
            self.totals, self.done = {}, 0

        def task(self, description, *, total, unit):
            self.totals[description] = (total, unit)
            return self

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def advance(self, amount=1, **figures):
            self.done += amount

    recorder = Recorder()
    params, runtime = download_params("sample", sample=SAMPLE), replace(Runtime(), progress=recorder)
    download.run(download.Inputs(), download.Outputs(tmp_path / "o"), params, runtime)
    assert recorder.totals["download train"] == (30, "images")
    assert recorder.done == 60


def test_an_image_is_written_before_the_next_is_read(folder, tmp_path, monkeypatch):
    steps, read, write = [], image_folder.read_file, shards.SplitWriter.write
    monkeypatch.setattr(image_folder, "read_file", lambda path: steps.append("read") or read(path))
    monkeypatch.setattr(shards.SplitWriter, "write", lambda *given: steps.append("write") or write(*given))
    run(tmp_path / "out", "image_folder", folder)
    assert steps == ["read", "write"] * 86


def test_what_cannot_be_read_stays_in_its_split_and_is_listed(folder, tmp_path, monkeypatch):
    tracked = {}
    monkeypatch.setattr(SilentTracker, "metrics", lambda _, values, **__: tracked.update(values))
    for number in range(8):
        (folder / "train" / "c0" / f"gone{number}.png").symlink_to("nowhere")
    shutil.rmtree(folder / "val")
    # With two splits to hold out, the hash of no content, 0.889, would put all eight into the second.
    manifest = run(tmp_path / "out", "image_folder", folder, validation_share=0.45)
    assert [entry["split"] for entry in manifest["unreadable"]] == ["train"] * 8
    counts = {f"images/{split}": content["num_examples"] for split, content in manifest["splits"].items()}
    assert tracked == counts | {"images/unreadable": 8}
    empty = {example["key"].decode() for example in examples(tmp_path / "out", "train") if not example["image"]}
    assert empty == {entry["key"] for entry in manifest["unreadable"]}


def test_a_part_of_a_source_goes_through(folder, tmp_path):
    part = {"classes": ("c1", "c0"), "images_per_class": 20}
    manifest = run(tmp_path / "part", "image_folder", folder, subset=part)
    counts = {split: content["num_examples"] for split, content in manifest["splits"].items()}
    assert (counts["train"] + counts["validation"], counts["test"]) == (40, 6)


def test_a_class_of_two_images_keeps_one_to_train_on(tmp_path):
    root = tmp_path / "source"
    for number in range(80):
        write_image(root / f"c{number // 2:02}" / f"{number}.png", number)
    # A copy in another class stays where the one that is kept is.
    (root / "c01" / "copy.png").write_bytes((root / "c00" / "0.png").read_bytes())
    run(tmp_path / "out", "image_folder", root, validation_share=0.45)
    train, *held = (examples(tmp_path / "out", split) for split in download.SPLITS)
    assert {example["label"] for example in train} == set(range(40))
    contents = {example["image"] for example in train}
    assert not contents & {example["image"] for split in held for example in split}
    expected = set()
    for label in range(40):  # by hand: what the shares leave in train, else the image with the largest hash
        mine = sorted({e["image"] for s in (train, *held) for e in s if e["label"] == label}, key=place)
        expected |= {content for content in mine if place(content) >= 0.9} or {mine[-1]}
    assert contents == expected


def place(content: bytes) -> float:
    return int(hashlib.sha256(content).hexdigest()[:16], 16) / 2**64


def test_what_an_empty_split_says_helps(folder, tmp_path):
    message = r"found none in validation; .*raise download\.validation_share \(1e-09\)"
    with pytest.raises(DataError, match=message):
        run(tmp_path / "out", "image_folder", folder, validation_share=1e-9)
    assert run(tmp_path / "again", "image_folder", folder)["splits"]["validation"]["num_examples"]
