"""Files as the world has them, through download, validate and preprocess: each is used, or listed with its reason."""

import io
import json
import os
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from components import download, preprocess, validate
from components.interfaces import BeamRuntime, Runtime
from tests.alexnet_tf.data.test_images import png_header
from tests.components.small_dataset import download_params, jpeg, preprocess_params, validate_params

PHOTO = Image.open(io.BytesIO(jpeg(1, width=60, height=40))).convert("RGB")


def encoded(image=PHOTO, format="JPEG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def ycck() -> bytes:
    """A CMYK JPEG whose Adobe marker says that its colours are YCCK."""
    content = encoded(PHOTO.convert("CMYK"))
    place = content.index(b"Adobe") + 11
    return content[:place] + b"\x02" + content[place + 1 :]


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(exif=exif)


def turned_by_too_much() -> bytes:
    """Its orientation takes four bytes, of which EXIF gives it two."""
    entry = struct.pack("<HHIII", 0x0112, 4, 1, 0xFFFFFFFF, 0)
    return encoded(exif=b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry)


def animated(format: str) -> bytes:
    return encoded(PHOTO, format, save_all=True, append_images=[Image.new("RGB", PHOTO.size, "red")] * 3)


def text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 70_000_000, zip=True)
    return encoded(PHOTO, "PNG", pnginfo=info)


GOOD = {
    "trailing garbage.jpg": encoded() + b"garbage" * 99,
    "cmyk.jpg": encoded(PHOTO.convert("CMYK")),
    "ycck.jpg": ycck(),
    "grey.jpg": encoded(PHOTO.convert("L")),
    "grey with alpha.png": encoded(PHOTO.convert("LA"), "PNG"),
    "16 bit.png": encoded(Image.fromarray((np.arange(2400).reshape(40, 60) * 27).astype(np.uint16)), "PNG"),
    "palette.png": encoded(PHOTO.convert("P"), "PNG"),
    "animated.gif": animated("GIF"),
    "animated.webp": animated("WEBP"),
    "photo.avif": encoded(PHOTO, "AVIF"),
    "photo.avif.jpg": encoded(PHOTO, "AVIF", quality=60),
    "photo.jp2": encoded(PHOTO, "JPEG2000"),
    "photo.ppm": encoded(PHOTO, "PPM"),
    "photo.pgm": encoded(PHOTO.convert("L"), "PPM"),
    "n02105855_2933.JPEG": encoded(PHOTO, "PNG"),
    "jpeg.png": encoded(),
    "one pixel.png": encoded(Image.new("RGB", (1, 1), "blue"), "PNG"),
    "strip.png": encoded(Image.new("RGB", (30_000, 2), "green"), "PNG"),
    "broken profile.jpg": encoded(icc_profile=b"no profile at all" * 9),
    "日本語 ☃.jpg": encoded(quality=60),
    "two\nlines.jpg": encoded(quality=61),
    "name in latin1 \udce9.jpg": encoded(quality=62),
    **{f"exif {n}.jpg": turned(n) for n in range(1, 9)},
    "exif of four bytes.jpg": turned_by_too_much(),
}
BAD = {
    "zero.jpg": (b"", "empty file"),
    "truncated.jpg": (encoded()[:-300], "cannot be decoded (image file is truncated"),
    "text.jpg": (b"hello", "no known image format"),
    "page.jpg": (b"<!DOCTYPE html><html></html>", "no known image format"),
    "bomb.png": (png_header(60_000, 60_000), "too many pixels (60000 x 60000)"),
    "text bomb.png": (text_bomb(), "broken header (ValueError)"),
    "huge jpeg.jpg": (encoded().replace(struct.pack(">HH", 40, 60), struct.pack(">HH", 65_000, 65_000)), "too many"),
}
UNREADABLE = {
    "dangling.jpg": "a link that leads nowhere",
    "loop.jpg": "cannot be read (Too many levels of symbolic links)",
    "pipe.jpg": "no regular file",
    "folder.jpg": "no regular file",
    "refused.jpg": "cannot be read (Permission denied)",
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """The report of validate, and the manifests of download and preprocess."""
    opened = os.open

    def refuse(path, *rest, **named):  # whoever runs the tests may be root, to whom no file is closed
        if str(path).endswith("/refused.jpg"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("components.sources.files.os.open", refuse)
        return all_stages(tmp_path_factory)


def all_stages(tmp_path_factory):
    root = tmp_path_factory.mktemp("bad input")
    odd = root / "source" / "train" / "odd"
    odd.mkdir(parents=True)
    for name, content in {**GOOD, **{name: content for name, (content, _) in BAD.items()}}.items():
        (odd / name).write_bytes(content)
    (odd / "dangling.jpg").symlink_to("nowhere")
    (odd / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(odd / "pipe.jpg")
    (odd / "folder.jpg").mkdir()
    (odd / "refused.jpg").write_bytes(encoded())
    (odd / "notes.txt").write_text("about these")
    for split in ("train", "validation", "test"):
        for name, start in (("odd", 0), ("plain", 50)):
            (root / "source" / split / name).mkdir(parents=True, exist_ok=True)
            for n in range(3):
                content = jpeg(start + n + 100 * len(split), width=50)
                (root / "source" / split / name / f"plain {n}.jpg").write_bytes(content)
    runtime = Runtime(beam=BeamRuntime(num_workers=2), source_folder=root / "source")
    dataset = root / "dataset"
    download.run(download.Inputs(), download.Outputs(dataset), download_params("image_folder"), runtime)
    limits = validate_params(
        max_corrupt_share=0.9, max_class_imbalance=99.0, near_copy_bits=4, allow_near_leakage=True, min_side_px=1,
        max_aspect=20.0,
    )  # fmt: skip
    outputs = validate.Outputs(root / "report", root / "verdict.json")
    validate.run(validate.Inputs(dataset, root / "schemas"), outputs, limits, runtime)
    settings = preprocess_params(16, max_corrupt_share=0.9, images_per_shard=8)
    records = preprocess.Outputs(root / "records")
    preprocess.run(preprocess.Inputs(dataset, root / "verdict.json"), records, settings, runtime)
    folders = (root / "report" / "validation.json", dataset / "manifest.json", root / "records" / "manifest.json")
    report, downloaded, preprocessed = (json.loads(path.read_text()) for path in folders)
    kept = (root / "records" / "train.keys.txt").read_text().splitlines()
    return report, downloaded, preprocessed, kept


def key(name: str) -> str:
    return "train/odd/" + name.replace("\n", "\\n").replace("\udce9", "\\udce9")


@pytest.mark.parametrize("name", GOOD, ids=key)
def test_what_can_be_decoded_is_used(outcome, name):
    assert key(name) in outcome[3]


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_is_listed_in_both_reports_with_the_reason(outcome, name):
    report, _, preprocessed, kept = outcome
    found = {entry["key"]: entry["reason"] for entry in report["splits"]["train"]["corrupt"]}
    rejected = {entry["key"]: entry["reason"] for entry in preprocessed["rejected"]}
    assert found[key(name)].startswith(BAD[name][1]), found[key(name)]
    assert rejected[key(name)].startswith(BAD[name][1])
    assert key(name) not in kept


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_listed_by_every_stage(outcome, name):
    report, downloaded, preprocessed, _ = outcome
    for listed in (downloaded["unreadable"], report["unreadable"]):
        (entry,) = [entry for entry in listed if entry["key"] == key(name)]
        assert (entry["split"], entry["reason"][: len(UNREADABLE[name])]) == ("train", UNREADABLE[name])
    assert key(name) in {entry["key"] for entry in preprocessed["rejected"]}


def test_nothing_is_dropped_without_a_line(outcome):
    report, downloaded, preprocessed, kept = outcome
    files = len(GOOD) + len(BAD) + len(UNREADABLE) + 6
    assert report["splits"]["train"]["num_examples"] == files
    assert len(kept) + len(preprocessed["rejected"]) == files
    (kind,) = downloaded["ignored"]["first"]
    assert kind == {"reason": "not named like an image", "num_files": 1, "files": ["train/odd/notes.txt"]}


def test_the_strip_is_warned_of(outcome):
    assert "narrow_images" in {anomaly["name"] for anomaly in outcome[0]["anomalies"]}


def test_all_orientations_are_counted(outcome):
    found = outcome[0]["splits"]["train"]["orientations"]
    assert {number: found[str(number)] for number in range(1, 9)} == dict.fromkeys(range(1, 9), 1)
    assert sum(found.values()) == found["0"] + 8
