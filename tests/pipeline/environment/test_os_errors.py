import errno
import os
import re
import shutil
from types import SimpleNamespace

import pytest

from pipeline.environment.os_errors import os_error_sentence


@pytest.mark.parametrize(
    ("number", "filename", "sentence"),
    [
        (errno.ENOSPC, "data/x", r"train@a: data/x: the disk is full \(\d+ MB free at .*\); free some space"),
        (errno.EACCES, "data/x", "train@a: data/x: permission denied; make it readable and writable"),
        (
            errno.EEXIST,
            "data",
            "train@a: data: a file or a link that leads nowhere is in the place of a folder; ",
        ),
        (errno.ENOTDIR, "data/x", "train@a: data/x: a file is in the place of a folder; move it away"),
        (errno.EISDIR, "x.json", "train@a: x.json: a folder is in the place of a file; move it away"),
        (errno.ELOOP, "x", "train@a: x: a link that leads to itself; remove it"),
        (errno.ENAMETOOLONG, "x", "train@a: x: the name is too long for the file system; choose a shorter one"),
        (errno.EPIPE, None, "train@a: Broken pipe; run it again with --debug to see where"),
    ],
)
def test_what_the_system_refused_is_one_sentence_with_the_way_out(tmp_path, number, filename, sentence):
    error = os_error_sentence(OSError(number, os.strerror(number), filename), "train@a", tmp_path)
    assert re.match(sentence, str(error))


@pytest.mark.parametrize(
    ("free", "told"),
    [(10**8, "100 MB free at [^,]*$"), (10**10, "free at .*, so the file was larger, or it is another")],
)
def test_a_disk_with_room_is_not_the_one_that_is_full(tmp_path, monkeypatch, free, told):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    error = os_error_sentence(OSError(errno.ENOSPC, "No space left on device"), "train@a", tmp_path)
    assert re.search(told, str(error).partition("(")[2].partition(")")[0])


def test_a_rename_that_fails_names_both_places(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").touch()
    with pytest.raises(NotADirectoryError) as caught:
        os.replace(tmp_path / "old", tmp_path / "new")
    told = str(os_error_sentence(caught.value, "x", tmp_path))
    assert told.startswith(f"x: {tmp_path / 'old'} -> {tmp_path / 'new'}: a file is in the place of a folder")
