"""Sets that tensorflow-datasets prepares from files placed by hand: small ones in the exact shape of the real files."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.errors import DataError
from components.sources import tfds_preparation
from components.sources.tfds import tfds_source
from tests.components.small_dataset import jpeg
from tests.components.sources.placed import add

TINY = "components.sources.tiny_imagenet_builder"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds_preparation, "_unreachable", lambda url: "no network")
    tfds.disable_progress_bar()


def place(folder, builder_class, files, monkeypatch):
    """Put files where a message would say, and have them be those that tensorflow-datasets has on record."""
    import tensorflow_datasets as tfds

    manual = folder / "tfds" / "downloads" / "manual"
    manual.mkdir(parents=True, exist_ok=True)
    infos = {}
    for url, content in files.items():
        name = url.rpartition("/")[2]
        (manual / name).write_bytes(content)
        infos[url] = tfds.download.checksums.UrlInfo(len(content), hashlib.sha256(content).hexdigest(), name)
    monkeypatch.setattr(builder_class, "url_infos", infos)
    return manual


def read(source, split):
    return list(source.read(split, np.arange(len(source.labels[split]))))


def decoded(raw):
    return np.asarray(Image.open(io.BytesIO(raw.content)))


def builder_class(name):
    import tensorflow_datasets as tfds

    return tfds.builder_cls(name)


def place_digits(folder, name, monkeypatch, *, train=30, test=20):
    """Place the four files of MNIST or its like, of noise, and return per split: pixels -> label."""
    cls = builder_class(name)
    monkeypatch.setattr("tensorflow_datasets.image_classification.mnist._TRAIN_EXAMPLES", train)
    monkeypatch.setattr("tensorflow_datasets.image_classification.mnist._TEST_EXAMPLES", test)
    files, pixels, rng = {}, {}, np.random.default_rng(0)
    for split, stem, count in (("train", "train", train), ("test", "t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        head = struct.pack(">IIII", 2051, count, 28, 28), struct.pack(">II", 2049, count)
        files[f"{cls.URL}{stem}-images-idx3-ubyte.gz"] = gzip.compress(head[0] + images.tobytes())
        files[f"{cls.URL}{stem}-labels-idx1-ubyte.gz"] = gzip.compress(head[1] + labels.tobytes())
        pixels[split] = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    place(folder, cls, files, monkeypatch)
    return pixels


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_greyscale_sets_come_from_their_four_files(tmp_path, monkeypatch, name):
    pixels = place_digits(tmp_path, name, monkeypatch)
    source = tfds_source(name, tmp_path)
    assert (len(source.class_names), source.class_names[9]) == (10, {"mnist": "9", "fashion_mnist": "Ankle boot"}[name])
    for split, expected in pixels.items():
        found = {decoded(raw).tobytes(): raw.label for raw in read(source, split)}
        assert found == expected


def cifar_rows(rng, count, *, label_bytes, classes):
    """Images of noise as CIFAR's files have them; the last byte of label before each is the one that counts."""
    rows = rng.integers(0, 256, (count, label_bytes + 3072), np.uint8)
    rows[:, 0] %= 10
    rows[:, label_bytes - 1] = np.arange(count) % classes
    pixels = [row[label_bytes:].reshape(3, 32, 32).transpose(1, 2, 0) for row in rows]
    labels = rows[:, label_bytes - 1].tolist()
    return rows.tobytes(), {
        np.ascontiguousarray(image).tobytes(): label for image, label in zip(pixels, labels, strict=True)
    }


def place_cifar(folder, name, monkeypatch, *, per_file=200):
    """Place the archive of CIFAR-10 or CIFAR-100 and return pixels -> label."""
    whole = {"cifar10": [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]}
    whole["cifar100"] = ["train.bin", "test.bin"]
    words = {"cifar10": {"batches.meta.txt": ("class", 10)}}
    words["cifar100"] = {"coarse_label_names.txt": ("coarse", 20), "fine_label_names.txt": ("fine", 100)}
    root, url = {"cifar10": ("cifar-10-batches-bin", "cifar-10"), "cifar100": ("cifar-100-binary", "cifar-100")}[name]
    label_bytes, classes = {"cifar10": (1, 10), "cifar100": (2, 100)}[name]
    stream, expected, rng = io.BytesIO(), {}, np.random.default_rng(0)
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for file in whole[name]:
            content, images = cifar_rows(rng, per_file, label_bytes=label_bytes, classes=classes)
            expected |= images
            add(archive, f"{root}/{file}", content)
        for file, (word, number) in words[name].items():
            add(archive, f"{root}/{file}", "".join(f"{word} {n}\n" for n in range(number)).encode())
    files = {f"https://www.cs.toronto.edu/~kriz/{url}-binary.tar.gz": stream.getvalue()}
    place(folder, builder_class(name), files, monkeypatch)
    return expected


@pytest.mark.parametrize(("name", "last"), [("cifar10", "class 9"), ("cifar100", "fine 99")])
def test_cifar_comes_from_its_archive_with_its_finest_labels(tmp_path, monkeypatch, name, last):
    expected = place_cifar(tmp_path, name, monkeypatch)
    source = tfds_source(name, tmp_path)
    assert source.class_names[-1] == last
    assert {decoded(raw).tobytes(): raw.label for split in ("train", "test") for raw in read(source, split)} == expected


IMAGENETTE = ("n01440764", "n02102040", "n02979186", "n03000684", "n03028079", "n03394916", "n03417042", "n03425413",
              "n03445777", "n03888257")  # fmt: skip


def place_imagenette(folder, monkeypatch, *, train=2, val=1):
    """Place the archive of Imagenette, with names in it that climb out, and return split -> the images' bytes."""
    stream, expected = io.BytesIO(), {"train": set(), "test": set()}
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for row, name in enumerate(IMAGENETTE):
            for split, ours, start, count in (("train", "train", 0, train), ("val", "test", 5000, val)):
                for number in range(count):
                    content = jpeg(start + 100 * row + number, width=320, height=240)
                    add(archive, f"imagenette2/{split}/{name}/{name}_{number}.JPEG", content)
                    expected[ours].add(content)
        for name in ("../../../../../out.JPEG", "/out.JPEG", "imagenette2/train/../../../out.JPEG"):
            add(archive, name, b"out")
    url = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2.tgz"
    place(folder, builder_class("imagenette"), {url: stream.getvalue()}, monkeypatch)
    return expected


def test_imagenette_comes_from_its_archive_and_keeps_its_bytes(tmp_path, monkeypatch):
    expected, outside = place_imagenette(tmp_path, monkeypatch), Path("/out.JPEG").exists()
    source = tfds_source("imagenette/full-size-v2", tmp_path)
    assert (len(source.class_names), source.labels["train"].tolist().count(9)) == (10, 2)
    assert {split: {raw.content for raw in read(source, split)} for split in ("train", "test")} == expected
    assert not list(tmp_path.parent.rglob("out.JPEG"))  # tensorflow-datasets unpacks no name that climbs out
    assert Path("/out.JPEG").exists() == outside


IDS = ("n01443537", "n02012849", "n03126707")


def tiny_zip(*, evil=None, box="0\t1\t62\t63", train=3):
    """The official zip, small; as seven times in the real one, an image of train is in val under another label."""
    stream, images = io.BytesIO(), {}
    root = "tiny-imagenet-200"
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{root}/wnids.txt", "\n".join(reversed(IDS)))
        words = "n00001740\tentity\nn01443537\tgoldfish, Carassius auratus\nn02012849\tcrane\nn03126707\tcrane\n"
        archive.writestr(f"{root}/words.txt", words)
        for row, name in enumerate(IDS):
            boxes = ""
            for number in range(train):
                file = f"{name}_{number}.JPEG"
                images[file] = row, jpeg(1000 * row + number, width=64, height=64)
                archive.writestr(f"{root}/train/{name}/images/{file}", images[file][1])
                boxes += f"{file}\t{box}\n"
            archive.writestr(f"{root}/train/{name}/{name}_boxes.txt", boxes)
        notes = ""
        for number in range(4):
            file = f"val_{number}.JPEG"
            twice = number == 3
            content = images[f"{IDS[1]}_0.JPEG"][1] if twice else jpeg(500 + number, width=64, height=64, mode="L")
            images[file] = number % 3, content
            archive.writestr(f"{root}/val/images/{file}", images[file][1])
            notes += f"{file}\t{IDS[number % 3]}\t0\t32\t44\t62\n"
        archive.writestr(f"{root}/val/val_annotations.txt", notes)
        archive.writestr(f"{root}/test/images/test_0.JPEG", jpeg(999))
        if evil:
            archive.writestr(evil, b"x")
    return stream.getvalue(), images


def tiny(folder, content, monkeypatch):
    from components.sources.tiny_imagenet_builder import URL, TinyImagenet

    return place(folder, TinyImagenet, {URL: content}, monkeypatch)


def test_tiny_imagenet_comes_from_its_zip_with_words_boxes_and_bytes(tmp_path, monkeypatch):
    content, images = tiny_zip()
    tiny(tmp_path, content, monkeypatch)
    source = tfds_source("tiny_imagenet", tmp_path, builder=TINY)
    assert source.class_names == ("goldfish", "crane (n02012849)", "crane (n03126707)")
    found = {raw.key.rpartition("/")[2]: (raw.label, raw.content) for s in ("train", "test") for raw in read(source, s)}
    assert found == images

    import tensorflow_datasets as tfds

    data = tfds.builder_from_directory(tmp_path / "tfds/tiny_imagenet/1.0.0").as_dataset(split="train")
    for example in data.as_numpy_iterator():
        assert example["image"].shape == (64, 64, 3)
        np.testing.assert_allclose(example["bbox"] * 64, [1, 0, 64, 63])  # y and x of the first and the last pixel


def test_an_archive_whose_names_climb_out_is_refused(tmp_path, monkeypatch):
    tiny(tmp_path, tiny_zip(evil="tiny-imagenet-200/../../x.JPEG")[0], monkeypatch)
    with pytest.raises(DataError, match=r"tiny-imagenet-200\.zip: expected names within tiny-imagenet-200/"):
        tfds_source("tiny_imagenet", tmp_path, builder=TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["tfds"]


def test_a_box_that_is_none_is_named(tmp_path, monkeypatch):
    tiny(tmp_path, tiny_zip(box="a\tb")[0], monkeypatch)
    with pytest.raises(DataError, match=r"four numbers for the box of n01443537_0\.JPEG"):
        tfds_source("tiny_imagenet", tmp_path, builder=TINY)


def test_a_half_download_is_found_by_its_size(tmp_path, monkeypatch):
    path = tiny(tmp_path, tiny_zip()[0], monkeypatch) / "tiny-imagenet-200.zip"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"expected \d+ bytes, found 1000, so a half download; fetch http://cs231n"):
        tfds_source("tiny_imagenet", tmp_path, builder=TINY)


def test_another_file_is_found_by_its_checksum(tmp_path, monkeypatch):
    path = tiny(tmp_path, tiny_zip()[0], monkeypatch) / "tiny-imagenet-200.zip"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected SHA-256 \w{64}, found \w{64}, so another or a damaged file"):
        tfds_source("tiny_imagenet", tmp_path, builder=TINY)


def test_nothing_placed_says_what_to_put_where_and_the_folder_is_there(tmp_path):
    with pytest.raises(DataError, match=r"fetch http://cs231n\.stanford\.edu/tiny-imagenet-200\.zip elsewhere, put"):
        tfds_source("tiny_imagenet", tmp_path, builder=TINY)
    assert (tmp_path / "tfds/downloads/manual").is_dir()


def test_a_second_run_reads_what_was_prepared(tmp_path, monkeypatch):
    tiny(tmp_path, tiny_zip()[0], monkeypatch)
    first = read(tfds_source("tiny_imagenet", tmp_path, builder=TINY), "train")
    monkeypatch.setattr("components.sources.tfds.prepare", None)
    assert read(tfds_source("tiny_imagenet", tmp_path, builder=TINY), "train") == first
