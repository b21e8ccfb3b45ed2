from pathlib import Path

import pytest

from alexnet_tf.errors import ConfigError
from alexnet_tf.models.layer_table import layer_table
from alexnet_tf.models.specs import AlexNetSpec, InputSpec
from alexnet_tf.profiles import PROFILES, resolve
from alexnet_tf.training.recipe import TrainingSpec
from alexnet_tf.training.schedule import Plateau, conv1_factor, learning_rate_factor
from pipeline.environment.yaml_file import read

ROOT = Path(__file__).resolve().parents[2]


def test_all_profiles_set_the_same_switches():
    assert len({tuple(switches) for switches in PROFILES.values()}) == 1


def test_every_value_names_its_source():
    assert all(switch.source for switches in PROFILES.values() for switch in switches.values())


def test_the_2012_code_divides_alpha_by_the_window():
    assert PROFILES["original"]["network.lrn_alpha"].value == pytest.approx(1e-4 / 5)
    assert PROFILES["paper"]["network.lrn_alpha"].value == 1e-4


TABLE = {  # switch: (original, paper, caffe), read again from the three sources
    "network.lrn_alpha": (2e-5, 1e-4, 2e-5),
    "network.lrn_k": (2.0, 2.0, 1.0),
    "network.lrn_scope": ("tower", "tower", "layer"),
    "network.lrn_order": ("before_relu", "after_relu", "after_relu"),
    "network.dropout_scaling": ("at_test", "at_test", "in_training"),
    "network.weight_stddev": (
        [0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01],
        [0.01] * 8,
        [0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01],
    ),
    "network.bias": ([0, 1, 0, 1, 1, 1, 1, 0], [0, 1, 0, 1, 1, 1, 1, 0], [0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0]),
    "training.optimizer.bias_learning_rate_factor": (2.0, 1.0, 2.0),
    "training.optimizer.bias_decay": (False, True, False),
    "training.schedule.name": ("steps", "plateau", "steps"),
    "training.schedule.drop_at": ([0.25, 0.55, 0.84], [], [0.2222, 0.4444, 0.6667, 0.8889]),
    "training.schedule.conv1_frozen_from": (0.77, 1.0, 1.0),
    "training.augmentation.crops_per": ("chunk", "image", "image"),
    "training.augmentation.colour_noise": ("sqrt_eigenvalue", "eigenvalue", "none"),
    "training.augmentation.colour_noise_until": (0.73, 1.0, 1.0),
}


def test_the_profiles_are_the_2012_code_the_text_and_caffe():
    found = {path: tuple(PROFILES[name][path].value for name in PROFILES) for path in PROFILES["original"]}
    assert list(PROFILES) == ["original", "paper", "caffe"]
    assert found == TABLE


WITH_FAITHFUL = [
    path.stem for path in sorted((ROOT / "experiments").glob("*.yaml")) if "faithful" in read(path)["variants"]
]


CONSTANTS = {  # of the paper's text, which the 2012 code shares
    "input.crop_size": 224,  # §4.1
    "input.mean": "pixel",  # §2
    "input.divide_by": 1.0,  # §2: raw RGB values
    "network.filters": [96, 256, 384, 384, 256],  # §3.5
    "network.dense_units": [4096, 4096],  # §3.5
    "network.towers": 2,  # §3.2
    "network.activation": "relu",  # §3.1
    "network.lrn": True,  # §3.3
    "network.lrn_beta": 0.75,  # §3.3
    "network.lrn_size": 5,  # §3.3
    "network.pooling": "overlapping",  # §3.4
    "network.dropout": 0.5,  # §4.2
    "training.optimizer.name": "momentum",  # §5, as the rest of the optimizer and the schedule
    "training.optimizer.momentum": 0.9,
    "training.optimizer.nesterov": False,
    "training.optimizer.weight_decay": 0.0005,
    "training.optimizer.decay_form": "coupled",
    "training.schedule.drop_factor": 0.1,
    "training.schedule.max_drops": 3,
    "training.augmentation.crop": "random",  # §4.1
    "training.augmentation.colour_noise_scale": 0.1,  # §4.1
}
RUN = {"training.optimizer.learning_rate": 0.01, "training.global_batch_size": 128, "training.epochs": 90}  # §5
OWN = {  # (experiment, switch that follows no profile): docs/profiles.md says why
    ("sample", "training.schedule.drop_at"),
    ("sample", "training.augmentation.crops_per"),
    ("my_images", "training.augmentation.crops_per"),
}


def flat(section, path=""):
    """Return the values of nested sections by their paths."""
    found = {}
    for name, value in section.items():
        found |= flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


def written(experiment):
    return flat(read(ROOT / f"experiments/{experiment}.yaml")["variants"]["faithful"])


def of(found, keys):
    return {key: found[key] for key in keys}


@pytest.mark.parametrize("experiment", WITH_FAITHFUL)
def test_every_experiment_has_the_constants_of_the_paper(experiment):
    found = written(experiment)
    assert of(found, CONSTANTS) == CONSTANTS
    assert found["profile"] == "original"
    assert found["training.augmentation.flip"] == ("none" if experiment == "mnist" else "random")  # digits have a side
    scaled = 0.01 * found["training.global_batch_size"] / 128
    assert found["training.optimizer.learning_rate"] == (0.002 if experiment == "sample" else scaled)


def test_the_experiments_follow_their_profile_but_for_three_values_of_their_own():
    found = {name: written(name) for name in WITH_FAITHFUL}
    assert {(name, key) for name, values in found.items() for key in TABLE if values[key] != "profile"} == OWN


def test_imagenet2012_is_the_training_of_section_5():
    assert of(written("imagenet2012"), RUN) == RUN


def test_the_defaults_are_the_constants_of_the_paper():
    sections = {"input": InputSpec(), "network": AlexNetSpec(), "training": TrainingSpec()}
    default = flat({name: section.model_dump() for name, section in sections.items()})
    assert of(default, CONSTANTS | RUN) == CONSTANTS | RUN


def faithful(profile, experiment="imagenet2012", **changes):
    """Return the network and the training of an experiment's `faithful` under a profile."""
    variant = read(ROOT / f"experiments/{experiment}.yaml")["variants"]["faithful"]
    values = resolve({**variant, "profile": profile})
    return AlexNetSpec.model_validate(values["network"] | changes), TrainingSpec.model_validate(values["training"])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("experiment", WITH_FAITHFUL)
def test_every_profile_makes_a_network_and_a_training_in_every_experiment(profile, experiment):
    network, training = faithful(profile, experiment)
    parameters = sum(row.parameters for row in layer_table(network, 224, 1000))
    assert parameters == 60_965_224
    assert training.optimizer.decay_form == "coupled"


def test_rates_of_the_2012_run_fall_at_a_quarter_55_and_84_percent():
    _, training = faithful("original")
    assert [
        learning_rate_factor(training.schedule, step, 93, Plateau()) for step in (0, 23, 24, 51, 52, 78, 79, 92)
    ] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert [conv1_factor(training.schedule, step, 93) for step in (71, 72)] == [1, 0]


@pytest.mark.parametrize("profile", PROFILES)
def test_an_ablation_is_one_change(profile):
    for change in (
        {"towers": 1},
        {"left_out": "conv3"},
        {"activation": "tanh"},
        {"lrn": False},
        {"lrn_scope": "layer"},
        {"lrn_order": "before_relu"},
        {"same_map_normalization": True},
        {"pooling": "paired"},
        {"dropout": 0.0},
        {"dropout_scaling": "in_training"},
    ):
        network, _ = faithful(profile, **change)
        assert network.model_dump() == faithful(profile)[0].model_dump() | change
        assert layer_table(network, 224, 1000)


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
        ({"profile": "paper", "network": {"dropout": "profile"}}, "network.dropout.*has a value only for"),
        ({}, "profile: expected one of original, paper, caffe, none"),
    ],
)
def test_what_cannot_be_resolved_is_named(variant, sentence):
    with pytest.raises(ConfigError, match=sentence):
        resolve(variant)
