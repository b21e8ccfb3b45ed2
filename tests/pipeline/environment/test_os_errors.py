import errno
import os
import re

import pytest

from pipeline.environment.os_errors import os_error_sentence


@pytest.mark.parametrize(
    ("number", "filename", "sentence"),
    [
        (errno.ENOSPC, "data/x", r"train@a: data/x: the disk is full \(\d+ MB free at .*\); free some space"),
        (errno.EACCES, "data/x", "train@a: data/x: permission denied; make it readable and writable"),
        (errno.EPIPE, None, "train@a: Broken pipe; run it again with --debug to see where"),
    ],
)
def test_what_the_system_refused_is_one_sentence_with_the_way_out(tmp_path, number, filename, sentence):
    error = os_error_sentence(OSError(number, os.strerror(number), filename), "train@a", tmp_path)
    assert re.match(sentence, str(error))
