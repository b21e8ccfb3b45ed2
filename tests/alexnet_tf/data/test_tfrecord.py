import hashlib
import os

import pytest
import tensorflow as tf

from alexnet_tf.data.tfrecord import (
    ShardWriter,
    encode_example,
    indexed_records,
    read_record,
    read_shard,
)
from alexnet_tf.errors import DataError
from tests.open_files import open_below


def write(path, payloads):
    with ShardWriter(path) as writer:
        offsets = [writer.write(payload) for payload in payloads]
    return writer.info, offsets


def test_tensorflow_reads_a_shard(tmp_path):
    payloads = [encode_example({"label": n}) for n in range(5)]
    write(tmp_path / "shard", payloads)
    assert list(tf.data.TFRecordDataset(str(tmp_path / "shard")).as_numpy_iterator()) == payloads


def test_a_shard_that_tensorflow_wrote_is_read(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "shard")) as writer:
        writer.write(b"one")
        writer.write(b"")
    assert list(read_shard(tmp_path / "shard")) == [b"one", b""]


def test_offsets_point_at_payloads_and_records(tmp_path):
    payloads = [b"first", b"", b"third" * 1000]
    _, offsets = write(tmp_path / "shard", payloads)
    content = (tmp_path / "shard").read_bytes()
    assert [content[o : o + len(p)] for o, p in zip(offsets, payloads, strict=True)] == payloads
    for offset, payload in indexed_records(tmp_path / "shard"):
        assert read_record(tmp_path / "shard", offset) == payload


def test_the_info_describes_the_file(tmp_path):
    info, _ = write(tmp_path / "shard", [b"first", b"second"])
    content = (tmp_path / "shard").read_bytes()
    assert (info.file, info.num_examples, info.bytes) == ("shard", 2, len(content))
    assert info.sha256 == hashlib.sha256(content).hexdigest()


def test_an_interrupted_shard_leaves_nothing(tmp_path):
    def payloads():
        yield b"first"
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        write(tmp_path / "shard", payloads())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("position", range(0, 62, 3))
def test_a_flipped_bit_is_found(tmp_path, position):
    path = tmp_path / "shard"
    write(path, [b"first record", b"second record"])  # 28 + 29 bytes
    damaged = bytearray(path.read_bytes() + b"12345")[:57]
    damaged[position % 57] ^= 4
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=rf"shard, record {int(position % 57 >= 28)} at byte"):
        list(read_shard(path))


@pytest.mark.parametrize("kept", [1, 11, 12, 20, 27, 30, 56])
def test_a_cut_file_is_found(tmp_path, kept):
    path = tmp_path / "shard"
    write(path, [b"first record", b"second record"])
    os.truncate(path, kept)
    with pytest.raises(DataError, match=r"shard, record \d at byte \d+: expected \d+ bytes"):
        list(read_shard(path))


def test_a_missing_file_is_found(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        list(read_shard(tmp_path / "shard"))


def test_reading_outside_a_record_is_found(tmp_path):
    write(tmp_path / "shard", [b"first record"])
    for offset in (1, 20, 28):
        with pytest.raises(DataError, match=rf"record at byte {offset}: expected"):
            read_record(tmp_path / "shard", offset)
    assert open_below(tmp_path) == []
