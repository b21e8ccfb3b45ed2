import numpy as np
import pytest

from alexnet_tf.data.images import ImageRejected
from alexnet_tf.errors import AlexNetError
from pipeline.commands.image_files import batches, image_files


def test_ten_thousand_files_are_read_a_batch_at_a_time(tmp_path):
    for index in range(10_000):
        (tmp_path / f"{index:05}.png").touch()
    files = image_files([tmp_path]).files
    assert [path.name for path in files] == [f"{index:05}.png" for index in range(10_000)]
    sizes = [
        (len(read), images.shape[0], len(bad))
        for read, images, bad in batches(files, lambda _: np.zeros((2, 2, 3)), batch_size=64, max_bytes=0)
    ]
    assert sizes == [(64, 64, 0)] * 156 + [(16, 16, 0)]


def test_files_too_large_are_not_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    ((read, _, unreadable),) = batches([tmp_path / "a.png"], lambda _: 1 / 0, batch_size=4, max_bytes=4)
    assert read == []
    assert unreadable[0].reason == "too large a file (5 bytes, at most 4 are read)"


def test_images_that_are_not_read_and_paths_that_are_not_there_are_named(tmp_path):
    for name in ("a.heic", "b.HEIC", "c.cr2", "d.avif", "e.png", "notes.txt"):
        (tmp_path / name).touch()
    found = image_files([tmp_path / "x.png", tmp_path])
    assert [path.name for path in found.files] == ["d.avif", "e.png"]
    assert [(each.path.name, each.reason) for each in found.unreadable] == [
        ("x.png", "does not exist; expected an image file or a folder of them")
    ]
    assert found.skipped_note() == (
        f"skipped 3 images whose format is not read (2 .heic, 1 .cr2), such as {tmp_path}/a.heic; save them as JPEG"
    )


def test_a_folder_of_images_that_are_not_read_says_so(tmp_path):
    (tmp_path / "a.heic").touch()
    with pytest.raises(AlexNetError, match=r"no image file in it or below; skipped 1 images .* save them as JPEG"):
        image_files([tmp_path])


def test_an_empty_folder_is_named_beside_what_is_read(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.png").touch()
    found = image_files([tmp_path / "empty", tmp_path / "a.png"])
    assert [path.name for path in found.files] == ["a.png"]
    assert [(each.path.name, each.reason) for each in found.unreadable] == [("empty", "no image file in it or below")]


def test_a_format_that_is_not_read_is_named_where_the_file_was_asked_for(tmp_path):
    def prepare(encoded):
        raise ImageRejected("no known image format")

    (tmp_path / "a.heic").write_bytes(b"1")
    ((_, _, unreadable),) = batches([tmp_path / "a.heic"], prepare, batch_size=4, max_bytes=4)
    assert unreadable[0].reason == "no known image format; .heic is not read, save it as JPEG"
