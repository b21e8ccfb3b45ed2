import pytest

from pipeline.environment.dotted import at, numbers, words

NESTED = {"seed": 1, "variants": {"faithful": {"name": "alexnet", "rates": [1, {"low": 2}]}, "none": {}}, "off": None}


def test_values_become_words():
    assert words({"a": {"b": "text", "c": 1e-4, "d": True, "e": None, "f": [1, "x"]}}) == {
        "a.b": "text",
        "a.c": "0.0001",
        "a.d": "true",
        "a.e": "null",
        "a.f": '[1, "x"]',
    }


def test_a_key_is_looked_up():
    assert at(NESTED, "variants.faithful.name") == "alexnet"
    assert at(NESTED, "variants.none") == {}
    assert at(NESTED, ["variants", "faithful", "rates", 1, "low"]) == 2


@pytest.mark.parametrize("key", ["variants.optimized", "seed.below", "variants.faithful.rates.low", ["off", 0]])
def test_a_key_that_is_not_there_is_an_error(key):
    with pytest.raises(KeyError):
        at(NESTED, key)


def test_numbers_are_found_at_any_depth_and_what_is_none_is_left_out():
    nested = {"center": {"top1_error": 0.25, "num": 4}, "is_best": True, "name": "a", "curve": [1.0]}
    assert numbers(nested) == {"center/top1_error": 0.25, "center/num": 4.0}
