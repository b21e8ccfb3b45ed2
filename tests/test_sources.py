"""Every source, from files in the exact shape of the real ones, through its own experiment to the colour statistics."""

import json

import pytest

from alexnet_tf.data.colour_statistics import ColourStatistics
from alexnet_tf.data.record_dataset import RecordDataset
from components import download, preprocess, statistics, validate
from components.interfaces import BeamRuntime, Runtime
from components.sources import tfds_preparation
from pipeline.config.load import check
from pipeline.config.local_params import defaults
from pipeline.environment.yaml_file import read, with_overrides
from tests.clone import ROOT
from tests.components.small_dataset import jpeg
from tests.components.sources.test_imagenet2012 import class_folders, kaggle, tars
from tests.components.sources.test_tfds_preparation import (
    IMAGENETTE,
    place_cifar,
    place_digits,
    place_imagenette,
    tiny,
    tiny_zip,
)
from tests.components.sources.test_tiny_imagenet import unpacked

pytestmark = pytest.mark.slow


def photographs(folder):
    for row, name in enumerate(IMAGENETTE):
        for split, count in (("train", 12), ("val", 2)):
            for number in range(count):
                path = folder / split / name / f"{name}_{number}.JPEG"
                path.parent.mkdir(parents=True, exist_ok=True)
                mode = "L" if number == 5 else "RGB"
                path.write_bytes(jpeg(1000 * len(split) + 100 * row + number, width=300, height=260, mode=mode))


def digits(name):
    return lambda folder, patch: place_digits(folder, name, patch, train=120, test=20)


FEW = ("download.validation_share=0.4",)
"""Of twelve training images, lest none be held out."""

# Source: experiment, what puts its files into a folder, changes of the experiment, classes, images.
SOURCES = {
    "cifar10": ("cifar10", lambda f, patch: place_cifar(f, "cifar10", patch, per_file=40), (), 10, 240),
    "cifar100": ("cifar100", lambda f, patch: place_cifar(f, "cifar100", patch, per_file=600), (), 100, 1200),
    "mnist": ("mnist", digits("mnist"), (), 10, 140),
    "fashion_mnist": ("fashion_mnist", digits("fashion_mnist"), (), 10, 140),
    "imagenette, its archive": (
        "imagenette",
        lambda f, patch: place_imagenette(f, patch, train=12, val=2),
        ("download.source=tfds:imagenette/full-size-v2",),
        10,
        140,
    ),
    "imagenette, class folders": ("imagenette", lambda f, patch: photographs(f), (), 10, 140),
    "tiny_imagenet, its zip": ("tiny_imagenet", lambda f, patch: tiny(f, tiny_zip(train=40)[0], patch), (), 3, 124),
    "tiny_imagenet, unpacked": ("tiny_imagenet", lambda f, patch: unpacked(f, tiny_zip(train=40)[0]), (), 3, 124),
    "imagenet2012, tar files": ("imagenet2012", lambda f, patch: tars(f), FEW, 3, 18),
    "imagenet2012, tar files, no words": (
        "imagenet2012",
        lambda f, patch: (tars(f) / "synset_words.txt").unlink(),
        FEW,
        3,
        18,
    ),
    "imagenet2012, kaggle csv": ("imagenet2012", lambda f, patch: kaggle(f, "csv"), FEW, 3, 18),
    "imagenet2012, kaggle xml": ("imagenet2012", lambda f, patch: kaggle(f, "xml"), FEW, 3, 18),
    "imagenet2012, class folders": ("imagenet2012", lambda f, patch: class_folders(f), FEW, 3, 18),
    "sample": ("sample", lambda f, patch: None, ("download.sample.train_images_per_class=12",), 10, 520),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_goes_through_its_own_experiment_to_statistics(tmp_path, monkeypatch, source):
    experiment, put, changes, num_classes, num_images = SOURCES[source]
    monkeypatch.setattr(tfds_preparation, "_unreachable", lambda url: "no network")
    (tmp_path / "files").mkdir()
    put(tmp_path / "files", monkeypatch)
    content = read(ROOT / "experiments" / f"{experiment}.yaml")
    content["runtime"] = defaults()
    config = check(with_overrides(content, changes)[0])
    runtime = Runtime(beam=BeamRuntime(num_workers=2), source_folder=tmp_path / "files")

    dataset, verdict = tmp_path / "dataset", tmp_path / "verdict.json"
    download.run(download.Inputs(), download.Outputs(dataset), config.params["download"], runtime)
    checked = validate.Outputs(tmp_path / "report", verdict)
    validate.run(validate.Inputs(dataset, ROOT / "schemas"), checked, config.params["validate"], runtime)
    manifest = json.loads((dataset / "manifest.json").read_text())
    assert (len(manifest["class_names"]), sum(s["num_examples"] for s in manifest["splits"].values())) == (
        num_classes,
        num_images,
    )
    for entry, sizes in content["images"].items():
        records, colours = tmp_path / f"records-{entry}", tmp_path / f"statistics-{entry}"
        params = config.params[f"preprocess@{entry}"]
        preprocess.run(preprocess.Inputs(dataset, verdict), preprocess.Outputs(records), params, runtime)
        params = config.params[f"statistics@{entry}"]
        statistics.run(statistics.Inputs(records), statistics.Outputs(colours), params, runtime)
        splits = [RecordDataset.open(records, split) for split in ("train", "validation", "test")]
        rejected = len(json.loads((records / "manifest.json").read_text())["rejected"])
        assert sum(split.num_examples for split in splits) + rejected == num_images
        assert splits[0].stored_size == sizes["stored_size"]
        mean = ColourStatistics.load(colours).mean_image
        assert mean.shape == (sizes["size"], sizes["size"], 3)
        assert 40 < mean.mean() < 215
