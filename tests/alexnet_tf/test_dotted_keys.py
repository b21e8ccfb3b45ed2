from alexnet_tf.dotted_keys import flatten

NESTED = {"seed": 1, "variants": {"faithful": {"name": "alexnet", "rates": [1, {"low": 2}]}, "none": {}}, "off": None}


def test_sections_become_dotted_keys():
    assert flatten(NESTED) == {
        "seed": 1,
        "variants.faithful.name": "alexnet",
        "variants.faithful.rates": [1, {"low": 2}],
        "off": None,
    }
    assert flatten({"a": {"b": 1}}, "/") == {"a/b": 1}
