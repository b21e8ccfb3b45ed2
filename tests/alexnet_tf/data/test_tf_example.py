import contextlib

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.data.tfrecord import (
    decode_example,
    encode_example,
    feature_span,
)
from alexnet_tf.errors import DataError

FEATURES = {"image": b"\x00\x0a\xff" * 50, "label": 7, "key": "tench/é.jpeg", "sizes": [1, -2, 1 << 40]}
int64 = st.integers(-(1 << 63), (1 << 63) - 1)
float32 = st.floats(width=32, allow_nan=False)
values = st.one_of(st.binary(max_size=300), int64, float32, st.lists(int64, min_size=2), st.lists(float32, min_size=2))


def test_an_example_of_one_number_worked_out_by_hand():
    feature = b"\x1a\x03\x0a\x01\x07"  # int64_list { value: [7] }, packed
    entry = b"\x0a\x01a" + b"\x12\x05" + feature
    expected = b"\x0a\x0c" + b"\x0a\x0a" + entry
    assert encode_example({"a": 7}) == expected


def test_bytes_equal_tensorflows_deterministic_serialisation():
    features = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[FEATURES["image"]])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[7])),
        "key": tf.train.Feature(bytes_list=tf.train.BytesList(value=["tench/é.jpeg".encode()])),
        "sizes": tf.train.Feature(int64_list=tf.train.Int64List(value=[1, -2, 1 << 40])),
        "weights": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, -1.0])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    ours = encode_example({**FEATURES, "weights": [0.5, -1.0]})
    assert ours == example.SerializeToString(deterministic=True)


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=5), values))
def test_decoding_undoes_encoding(features):
    assert decode_example(encode_example(features)) == dict(sorted(features.items()))


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=5), values, min_size=2))
def test_the_order_of_features_does_not_matter(features):
    assert encode_example(dict(reversed(features.items()))) == encode_example(features)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_example_or_a_data_error(junk):
    with contextlib.suppress(DataError):
        decode_example(junk)


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=5), values))
def test_the_span_of_every_feature_holds_what_decoding_gives(features):
    example = encode_example(features)
    for name, value in decode_example(example).items():
        if isinstance(value, bytes):
            start, end = feature_span(example, name)
            assert example[start:end] == value
        else:
            with pytest.raises(KeyError):
                feature_span(example, name)


@settings(max_examples=100)
@given(st.data(), st.integers(0, 255))
def test_a_damaged_example_has_a_span_within_it_or_is_refused(data, byte):
    example = bytearray(encode_example(FEATURES))
    example[data.draw(st.integers(0, len(example) - 1))] = byte
    with contextlib.suppress(KeyError, DataError):
        start, end = feature_span(bytes(example), "key")
        assert 0 <= start <= end <= len(example)


@pytest.mark.parametrize(
    "entry",
    [
        b"\x12\x07\x0a\x05\x0a\x03abc" + b"\x0a\x01a",  # the value before the name
        b"\x0a\x01a" + b"\x12\x04\x0a\x02\x08\x01",  # a number among bytes
        b"\x0a\x01a" + b"\x12\x04\x0a\x02\x12\x00",  # a list whose elements have another number
        b"\x0a\x01a" + b"\x12\x02\x0a\x00",  # an empty list
        b"\x0a\x01a" + b"\x12\x00",  # no list
        b"\x0a\x01a",  # no value
    ],
)
def test_a_span_that_is_none_is_a_key_error(entry):
    entries = bytes([0x0A, len(entry)]) + entry
    with pytest.raises(KeyError, match="'a'"):
        feature_span(bytes([0x0A, len(entries)]) + entries, "a")


def test_mixed_kinds_are_refused():
    with pytest.raises(TypeError, match="'a': expected bytes, text, integers or floats"):
        encode_example({"a": [1, b"x"]})


def test_the_span_of_a_feature_is_where_its_bytes_are():
    example = encode_example({"raw": b"\x12\x03abc", "a": b"abc", "width": 3})
    start, end = feature_span(example, "raw")
    assert example[start:end] == b"\x12\x03abc"
    with pytest.raises(KeyError):
        feature_span(example, "width")
    with pytest.raises(DataError, match="Expected a tf"):
        feature_span(b"\xff" * 20, "raw")


def test_the_span_of_a_feature_that_tensorflow_wrote():
    lists = {"raw": [b"", b"x"], "a raw": [b"0123456789" * 99], "none": []}
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=value)) for name, value in lists.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    for name in ("raw", "a raw"):
        start, end = feature_span(example, name)
        assert example[start:end] == lists[name][0]
    for name in ("none", "ra", ""):
        with pytest.raises(KeyError, match=f"'{name}'"):
            feature_span(example, name)
