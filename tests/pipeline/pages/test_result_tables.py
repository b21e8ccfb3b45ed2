"""The table of results that were run again: what is in it, and certificates that do not belong there."""

import pytest
from made_results import made, write

from alexnet_tf.errors import DataError
from pipeline.pages.result_tables import rendered, verified_table
from pipeline.results.kept import load
from pipeline.verify.certificate import Certificate, Comparison

COMMIT = "0123456789abcdef"
MACHINE = {"host.cpus": "2", "host.cpu": "one kind, avx2", "host.gpus": "H200", "version.tensorflow": "2.21.0"}


def kept(root, seed):
    """Keep a result, and return its path."""
    result = made("relu_tanh", "relu", seed, commit=COMMIT)
    write(root, result)
    return result.path


def certify(root, name, claim, *reproduced, commit=COMMIT):
    outputs = tuple(Comparison("train@relu", "reports/train/relu", "1", digest, "same", {}) for digest in reproduced)
    folder = root / "results" / "relu_tanh" / "verified"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(Certificate(claim, commit, False, 0.05, outputs, MACHINE).as_json())


def test_each_certificate_is_a_line_and_no_result(tmp_path):
    first, second = kept(tmp_path, 1), kept(tmp_path, 2)
    certify(tmp_path, "b", first, "1", "1")
    certify(tmp_path, "a", second, "1", "2")
    place = "2 cores of one kind, avx2, H200, TensorFlow 2.21.0"
    assert rendered(tmp_path, "<!-- results: verified relu_tanh -->\n<!-- end -->").splitlines()[3:-1] == [
        f"| `{first}` | 2 of 2 | reproduced | {place} |",
        f"| `{second}` | 1 of 2 | same results, different bytes | {place} |",
    ]
    assert [each.seed for each in load(tmp_path / "results")] == [1, 2]


def test_what_is_no_certificate_of_a_kept_result_is_one_sentence(tmp_path):
    assert verified_table(tmp_path, "relu_tanh").startswith(
        "None is kept yet; `alexnet verify RESULT --json > results/"
    )
    certify(tmp_path, "a", kept(tmp_path, 1), "1", commit="fedcba9876543210")
    with pytest.raises(DataError, match=r"which is of commit 0123456789ab, found one of fedcba987654; verify it"):
        verified_table(tmp_path, "relu_tanh")
    certify(tmp_path, "a", "results/relu_tanh/relu-seed3-3reluabc.json", "1")
    with pytest.raises(
        DataError, match=r"a.json is a certificate of .*relu-seed3-3reluabc.json, which is not kept; remove"
    ):
        verified_table(tmp_path, "relu_tanh")
    (tmp_path / "results" / "relu_tanh" / "verified" / "a.json").write_text("{}")
    with pytest.raises(DataError, match=r"a.json: expected what `alexnet verify RESULT --json` prints"):
        verified_table(tmp_path, "relu_tanh")
