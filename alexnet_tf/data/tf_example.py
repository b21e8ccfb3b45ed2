"""The `tf.train.Example` message as bytes, without TensorFlow; used through `alexnet_tf.data.tfrecord`.

The message is a map from feature names to lists of bytes, floats or integers. Protocol buffers leave the
order of a map open; here names are sorted, as TensorFlow's `SerializeToString(deterministic=True)` does.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from alexnet_tf.errors import DataError

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3  # field numbers in Feature

_SMALL = [bytes([value]) for value in range(0x80)]  # as varints: tags, and most lengths

Scalar = bytes | str | int | float


def encode_example(features: Mapping[str, Scalar | Sequence[Scalar]]) -> bytes:
    """Serialise features as a `tf.train.Example`; equal features give equal bytes.

    Args:
        features: Each value is bytes, text (stored as UTF-8), an integer (int64), a float (stored as
            float32), or a sequence of one of these kinds; an empty sequence is stored as no bytes.

    Raises:
        TypeError: When a value is of another kind or a sequence mixes kinds.

    Example:
        >>> decode_example(encode_example({"label": 3, "key": "a.jpeg", "sizes": [4, 5]}))
        {'key': b'a.jpeg', 'label': 3, 'sizes': [4, 5]}
    """
    entries = []
    for name in sorted(features):
        entries += _field(1, [*_field(1, [name.encode()]), *_field(2, _feature(name, features[name]))])
    return b"".join(_field(1, entries))


def decode_example(example: bytes) -> dict[str, bytes | int | float | list]:
    """Parse a serialised `tf.train.Example`.

    Returns:
        Feature name to value, sorted by name. A list of one element comes back as that element,
        any other as a list; text comes back as bytes.

    Raises:
        DataError: When the bytes are not an Example.
    """
    with _named_damage(example):
        values = {name: [_value(kind, example, *span) for span in spans] for name, kind, spans in _features(example)}
    flat = {name: [x for part in parts for x in part] for name, parts in values.items()}
    return {name: value[0] if len(value) == 1 else value for name, value in sorted(flat.items())}


def feature_span(example: bytes, name: str) -> tuple[int, int]:
    """Return where, within a serialised Example, the first bytes value of a feature starts and ends.

    Other features are stepped over, so this is several times as quick as `decode_example`, and damage behind the
    feature is not noticed. The name comes before its value, as protocol buffers libraries write maps, and a feature
    once; of several the first counts.

    Raises:
        KeyError: When there is no such feature, or it holds no bytes.
        DataError: When the bytes are not an Example.
    """
    named = b"".join(_field(1, [name.encode()]))
    with _named_damage(example):
        for _, features_start, features_end, _ in _walk(example, 0, len(example)):
            for _, start, end, _ in _walk(example, features_start, features_end):
                if example.startswith(named, start, end) and (span := _first_bytes(example, start + len(named), end)):
                    return span
    raise KeyError(name)


def _first_bytes(example: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return the span of the first bytes in the rest of an entry, behind its name; None where that holds none."""
    for wanted in (2, _BYTES_LIST, 1):  # the entry's value, a Feature; its list; the list's first
        number, start, end, wire = next(_walk(example, start, end), (0, 0, 0, 0))
        if (number, wire) != (wanted, _DELIMITED):
            return None
    return start, end


@contextmanager
def _named_damage(example: bytes) -> Iterator[None]:
    try:
        yield
    except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"Expected a tf.train.Example, found {len(example)} other bytes ({error}).") from error


def _feature(name: str, value: Scalar | Sequence[Scalar]) -> list[bytes]:
    items = [value] if isinstance(value, bytes | str | int | float) else list(value)
    encoded = [item.encode() if isinstance(item, str) else item for item in items if isinstance(item, bytes | str)]
    if len(encoded) == len(items):
        return _field(_BYTES_LIST, [part for item in encoded for part in _field(1, [item])])
    if all(hasattr(item, "__index__") for item in items):  # int, bool and NumPy's integers
        packed = [_varint(int(item) & 0xFFFFFFFFFFFFFFFF) for item in items]
        return _field(_INT64_LIST, _field(1, packed))
    if all(hasattr(item, "__float__") and not isinstance(item, bytes | str) for item in items):
        return _field(_FLOAT_LIST, _field(1, [struct.pack(f"<{len(items)}f", *items)]))
    raise TypeError(f"Feature {name!r}: expected bytes, text, integers or floats of one kind, found {value!r}.")


def _field(number: int, payload: list[bytes]) -> list[bytes]:
    """Return a field in parts: pixels are copied once, when all parts are joined."""
    return [_varint(number << 3 | _DELIMITED) + _varint(sum(map(len, payload))), *payload]


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _SMALL[value]
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _features(example: bytes) -> Iterator[tuple[str, int, list[tuple[int, int, int]]]]:
    """Yield (name, kind of list, [(start, end, wire type) of each element or packed run])."""
    for _, features_start, features_end, _ in _walk(example, 0, len(example)):
        for _, entry_start, entry_end, _ in _walk(example, features_start, features_end):
            entry = {number: span for number, *span in _walk(example, entry_start, entry_end)}
            name = example[entry[1][0] : entry[1][1]].decode() if 1 in entry else ""
            kind, spans = _BYTES_LIST, []
            if 2 in entry:
                for number, list_start, list_end, _ in _walk(example, entry[2][0], entry[2][1]):
                    kind = number
                    spans = [(start, end, wire) for _, start, end, wire in _walk(example, list_start, list_end)]
            yield name, kind, spans


def _walk(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (field number, start, end, wire type) of each field of the message in data[position:end]."""
    while position < end:
        tag = data[position]  # nearly always one byte, which a call would make several times as slow
        if tag < 0x80:
            position += 1
        else:
            tag, position = _read_varint(data, position)
        wire = tag & 7
        if wire == _DELIMITED:
            length = data[position]
            if length < 0x80:
                position += 1
            else:
                length, position = _read_varint(data, position)
            stop = position + length
        elif wire == _VARINT:
            _, stop = _read_varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            stop = position + (8 if wire == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {wire} at byte {position}")
        if stop > end:
            raise ValueError(f"a field at byte {position} ends outside its message")
        yield tag >> 3, position, stop, wire
        position = stop


def _value(kind: int, data: bytes, start: int, end: int, wire: int) -> list:
    """Return the elements in one span: one, or many when they are packed."""
    if kind == _BYTES_LIST:
        if wire != _DELIMITED:
            raise ValueError(f"bytes of wire type {wire}")
        return [data[start:end]]
    if kind == _FLOAT_LIST:
        return list(struct.unpack(f"<{(end - start) // 4}f", data[start:end]))
    if kind != _INT64_LIST:
        raise ValueError(f"a list of unknown kind {kind}")
    values = []
    while start < end:
        value, start = _read_varint(data, start)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError(f"a number of more than ten bytes at byte {position}")
