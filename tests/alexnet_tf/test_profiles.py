import pytest

from alexnet_tf.errors import ConfigError
from alexnet_tf.profiles import PROFILES, resolve


def test_all_profiles_set_the_same_switches():
    assert len({tuple(switches) for switches in PROFILES.values()}) == 1


def test_every_value_names_its_source():
    assert all(switch.source for switches in PROFILES.values() for switch in switches.values())


def test_the_2012_code_divides_alpha_by_the_window():
    assert PROFILES["original"]["network.lrn_alpha"].value == pytest.approx(1e-4 / 5)
    assert PROFILES["paper"]["network.lrn_alpha"].value == 1e-4


def test_resolve_replaces_the_word_and_nothing_else():
    variant = {"profile": "caffe", "network": {"bias": "profile", "lrn_k": 3.0}, "training": {"epochs": 2}}
    assert resolve(variant) == {
        "profile": "caffe",
        "network": {"bias": [0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0], "lrn_k": 3.0},
        "training": {"epochs": 2},
    }
    assert variant["network"]["bias"] == "profile"


def test_resolved_values_are_copies():
    first = resolve({"profile": "paper", "network": {"bias": "profile"}})
    first["network"]["bias"].append(9.0)
    assert len(PROFILES["paper"]["network.bias"].value) == 8


@pytest.mark.parametrize(
    ("variant", "sentence"),
    [
        ({"profile": "papr"}, "did you mean paper"),
        ({"profile": "none", "network": {"bias": "profile"}}, "network.bias.*profile is none"),
        ({"profile": "paper", "network": {"dropout": "profile"}}, "network.dropout.*no value"),
        ({}, "profile: expected one of original, paper, caffe, none"),
    ],
)
def test_what_cannot_be_resolved_is_named(variant, sentence):
    with pytest.raises(ConfigError, match=sentence):
        resolve(variant)
