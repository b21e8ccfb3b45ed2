"""The three layouts of ILSVRC-2012, generated exactly as they come: names, tar within tar, CSV, XML, word lists."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from alexnet_tf.errors import DataError
from components.sources.imagenet2012 import imagenet2012_source
from components.sources.wordnet import class_names, imagenet_words
from tests.components.small_dataset import jpeg
from tests.components.sources.placed import add, everything

IDS = ("n01440764", "n02012849", "n03126707")
WORDS = "n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n"
TRAIN = {
    name: {f"{name}_{number}.JPEG": jpeg(100 * row + number) for number in range(4)} for row, name in enumerate(IDS)
}
# The classes that tensorflow-datasets' list gives to the first images are others: these sets say their own.
VAL = {f"ILSVRC2012_val_{number:08d}.JPEG": (IDS[number % 3], jpeg(900 + number)) for number in range(1, 7)}
VAL["ILSVRC2012_val_00000004.JPEG"] = IDS[1], TRAIN[IDS[0]][f"{IDS[0]}_0.JPEG"]  # in both splits, as some images are
CSV = "ImageId,PredictionString\n" + "".join(
    f"{name.removesuffix('.JPEG')},{label} 1 2 3 4 {label} 5 6 7 8 \n" for name, (label, _) in VAL.items()
)


def tar(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            add(archive, name, content)
    return stream.getvalue()


def tars(folder, below="", train=TRAIN):
    place = folder / below
    place.mkdir(parents=True, exist_ok=True)
    (place / "ILSVRC2012_img_train.tar").write_bytes(tar({f"{name}.tar": tar(files) for name, files in train.items()}))
    (place / "ILSVRC2012_img_val.tar").write_bytes(tar({name: content for name, (_, content) in VAL.items()}))
    (folder / "LOC_val_solution.csv").write_text(CSV)
    (folder / "synset_words.txt").write_text(WORDS)
    return folder


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def kaggle(folder, labels):
    data = folder / "ILSVRC/Data/CLS-LOC"
    for name, files in TRAIN.items():
        for file, content in files.items():
            write(data / "train" / name / file, content)
    for file, (label, content) in VAL.items():
        write(data / "val" / file, content)
        if labels == "xml":
            xml = f"<annotation><object><name>{label}</name></object><object><name>x</name></object></annotation>"
            write(folder / "ILSVRC/Annotations/CLS-LOC/val" / file.replace("JPEG", "xml"), xml.encode())
    write(data / "test" / "ILSVRC2012_test_00000001.JPEG", b"secret")
    if labels == "csv":
        (folder / "LOC_val_solution.csv").write_text(CSV)
    (folder / "LOC_synset_mapping.txt").write_text(WORDS)
    return folder


def class_folders(folder):
    for name, files in TRAIN.items():
        for file, content in files.items():
            write(folder / "train" / name / file, content)
    for file, (label, content) in VAL.items():
        write(folder / "val" / label / file, content)
    (folder / "synset_words.txt").write_text(WORDS)
    return folder


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return everything(imagenet2012_source(class_folders(tmp_path_factory.mktemp("folders"))))


def test_class_folders_have_their_words_labels_and_bytes(expected):
    names, splits = expected
    assert names == ("tench", "crane (n02012849)", "crane (n03126707)")
    assert {split: len(found) for split, found in splits.items()} == {"train": 12, "test": 6}
    for raw in splits["train"]:
        _, name, file = raw["key"].split("/")
        assert (raw["label"], raw["content"]) == (IDS.index(name), TRAIN[name][file])
    for raw in splits["test"]:
        split, name, file = raw["key"].split("/")
        assert (split, name, raw["content"]) == ("val", *VAL[file])


@pytest.mark.parametrize("below", ["", "downloads/manual", "tfds/downloads/manual"])
def test_the_two_tar_files_give_the_same(tmp_path, expected, below):
    assert everything(imagenet2012_source(tars(tmp_path, below))) == expected


@pytest.mark.parametrize("labels", ["csv", "xml"])
@pytest.mark.parametrize("below", ["", "ILSVRC", "ILSVRC/Data/CLS-LOC"])
def test_kaggles_layout_gives_the_same(tmp_path, expected, labels, below):
    names, splits = everything(imagenet2012_source(kaggle(tmp_path, labels) / below))
    assert splits == expected[1]
    assert names == expected[0]


def test_without_csv_and_xml_the_official_list_labels_the_validation_images(tmp_path):
    first = ["n01751748", "n09193705", "n02105855", "n04263257", "n03125729", "n01735189"]  # of the 50,000
    folder = tars(tmp_path, train={name: {f"{name}_1.JPEG": jpeg(1)} for name in first})
    (folder / "LOC_val_solution.csv").unlink()
    found = everything(imagenet2012_source(folder))[1]["test"]
    by_file = {raw["key"].split("/")[2]: raw["key"].split("/")[1] for raw in found}
    assert [by_file[f"ILSVRC2012_val_{number:08d}.JPEG"] for number in range(1, 7)] == first


def test_without_a_file_of_words_they_come_from_tensorflow_datasets(tmp_path, expected):
    folder = tars(tmp_path)
    (folder / "synset_words.txt").unlink()
    assert everything(imagenet2012_source(folder)) == expected


def test_the_words_of_tensorflow_datasets_are_those_of_the_ids():
    words = imagenet_words()
    assert len(words) == 1000
    known = {"n01440764": "tench", "n02102040": "English springer", "n03000684": "chain saw", "n03888257": "parachute"}
    known |= {"n02012849": "crane", "n03126707": "crane", "n03710637": "maillot", "n15075141": "toilet tissue"}
    assert known.items() <= words.items()
    assert len(set(class_names(sorted(words), {}))) == 1000


def test_a_class_without_a_word_says_where_to_put_one_and_that_helps(tmp_path):
    files = {"n00000001_1.JPEG": jpeg(1)}
    folder = tars(tmp_path, train={**TRAIN, "n00000001": files})
    source = imagenet2012_source(folder)
    assert source.notes == [
        f"class n00000001 has no word; put LOC_synset_mapping.txt, synset_words.txt or words.txt into {folder}"
    ]
    (folder / "LOC_synset_mapping.txt").write_text(WORDS + "n00000001 thing, object\n")
    source = imagenet2012_source(folder)
    assert (source.class_names[0], source.notes) == ("thing", [])


def test_a_validation_image_without_a_label_is_named(tmp_path):
    folder = tars(tmp_path)
    (folder / "LOC_val_solution.csv").write_text(CSV.replace("00000003", "00000033"))
    with pytest.raises(DataError, match=r"LOC_val_solution\.csv: .*none of ILSVRC2012_val_00000003 .*fetch it again"):
        imagenet2012_source(folder)


@pytest.mark.parametrize("below", ["", "ILSVRC/Data/CLS-LOC"])
def test_without_a_label_it_says_where_to_put_the_list_and_that_helps(tmp_path, expected, below):
    folder = kaggle(tmp_path, "xml")
    (folder / "ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000003.xml").unlink()
    with pytest.raises(DataError, match=r"00000003\.xml: .*\(No such file.*; put Kaggle's LOC_val_solution") as error:
        imagenet2012_source(folder / below)
    named = re.search(r"LOC_val_solution\.csv into (.*?), or sort", str(error.value))
    (Path(named[1]) / "LOC_val_solution.csv").write_text(f"\ufeff{CSV}", encoding="utf-8")
    assert everything(imagenet2012_source(folder / below)) == expected


@pytest.mark.parametrize("layout", ["tars", "kaggle", "class folders"])
def test_a_class_that_only_val_has_is_an_error(tmp_path, layout):
    {"tars": tars, "kaggle": lambda folder: kaggle(folder, "csv"), "class folders": class_folders}[layout](tmp_path)
    if layout == "class folders":
        write(tmp_path / "val" / "n09999999" / "ILSVRC2012_val_00000007.JPEG", jpeg(7))
    else:
        (tmp_path / "LOC_val_solution.csv").write_text(CSV.replace(IDS[1], "n09999999"))
    with pytest.raises(DataError, match="expected in val only the classes of train, found 'n09999999'"):
        imagenet2012_source(tmp_path)


@pytest.mark.parametrize("layout", ["tars", "class folders"])
def test_one_class_only_is_nothing_to_learn(tmp_path, layout):
    if layout == "tars":
        tars(tmp_path, train={IDS[0]: TRAIN[IDS[0]]})
        (tmp_path / "LOC_val_solution.csv").write_text(CSV.replace(IDS[1], IDS[0]).replace(IDS[2], IDS[0]))
    else:
        write(tmp_path / "train" / IDS[0] / "x.JPEG", jpeg(1))
        write(tmp_path / "val" / IDS[0] / "y.JPEG", jpeg(2))
    with pytest.raises(DataError, match=r"expected two or more classes such as n01440764, found 1\."):
        imagenet2012_source(tmp_path)


def test_nothing_there_says_what_to_fetch(tmp_path):
    with pytest.raises(
        DataError, match=r"ILSVRC2012_img_train\.tar and ILSVRC2012_img_val\.tar, .*found neither; fetch .*put them"
    ):
        imagenet2012_source(tmp_path)
    with pytest.raises(DataError, match="which is unset"):
        imagenet2012_source(None)


@pytest.mark.parametrize("name", ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7])
def test_a_half_download_is_found_before_any_work(tmp_path, name, share):
    path = tars(tmp_path) / name
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=rf"{name}: .*(cut short|whole tar file|classes such as)"):
        imagenet2012_source(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/x.JPEG", "/etc/x.JPEG", "a/../../x.JPEG"])
def test_names_that_climb_out_are_refused(tmp_path, name):
    folder = tars(tmp_path, train={**TRAIN, "n01440764": {name: b"x"}})
    with pytest.raises(DataError, match="expected names within the archive, found"):
        imagenet2012_source(folder)


def test_a_compressed_archive_is_no_tar_file(tmp_path):
    folder = tars(tmp_path)
    (folder / "ILSVRC2012_img_val.tar").write_bytes(b"\x1f\x8b" + bytes(5000))
    with pytest.raises(DataError, match="expected a whole tar file without compression"):
        imagenet2012_source(folder)


def test_the_folder_may_be_right_below_the_root(tmp_path, monkeypatch, expected):
    """Of /imagenet as of a relative path there are no two folders above it."""
    class_folders(tmp_path / "imagenet")
    monkeypatch.chdir(tmp_path)
    assert everything(imagenet2012_source(Path("imagenet"))) == expected
