"""Descriptions: the paper's values in Python, nothing left out in a file."""

import copy
import json

import pytest
from pydantic import TypeAdapter, ValidationError

from alexnet_tf.errors import ConfigError
from alexnet_tf.models import specs
from alexnet_tf.models.four_layer_spec import FourLayerSpec
from alexnet_tf.models.specs import AlexNetBNSpec, AlexNetSpec, Network
from alexnet_tf.profiles import PROFILES, values
from alexnet_tf.training import recipe
from pipeline.config.load import check
from pipeline.environment.yaml_file import read

SPECS = [
    AlexNetSpec,
    AlexNetBNSpec,
    FourLayerSpec,
    specs.InputSpec,
    recipe.OptimizerSpec,
    recipe.ScheduleSpec,
    specs.AugmentationSpec,
    recipe.TrainingSpec,
]


def nested(content, path):
    for part in path:
        content = content[part]
    return content


def test_defaults_are_the_papers_text_wherever_a_profile_has_a_value():
    described = {"network": AlexNetSpec().model_dump(), "training": recipe.TrainingSpec().model_dump()}
    for key, switch in PROFILES["paper"].items():
        assert nested(described, key.split(".")) == switch.value, key


def test_the_other_defaults_are_those_of_the_experiments(root):
    imagenet = read(root / "experiments/imagenet2012.yaml")["variants"]
    described = {
        "network": AlexNetSpec().model_dump(),
        "training": recipe.TrainingSpec().model_dump(),
        "input": specs.InputSpec().model_dump(),
    }

    def compare(default, written):
        for key, value in written.items():
            if isinstance(value, dict):
                compare(default[key], value)
            else:
                assert value in (default[key], "profile"), key

    for section in described:
        compare(described[section], imagenet["faithful"][section])
    assert AlexNetBNSpec().model_dump() == imagenet["optimized"]["network"]
    relu = read(root / "experiments/relu_tanh.yaml")["variants"]["relu"]
    assert FourLayerSpec().model_dump() == relu["network"]


def test_values_of_a_profile_are_copies():
    values("paper", "network")["bias"][0] = 7.0
    assert values("paper", "network")["bias"][0] == 0.0
    AlexNetSpec().bias[0] = 7.0
    assert AlexNetSpec().bias[0] == 0.0


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_a_file_must_say_everything(spec):
    whole = json.loads(spec().model_dump_json())
    assert spec.model_validate_json(json.dumps(whole)) == spec()
    for name in spec.model_fields:
        part = {key: value for key, value in whole.items() if key != name}
        assert spec.model_validate(part) == spec()
        with pytest.raises(ValidationError) as caught:
            spec.model_validate_json(json.dumps(part))
        assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [("missing", (name,))]


def test_a_part_of_a_part_must_be_there_too():
    whole = json.loads(recipe.TrainingSpec().model_dump_json())
    del whole["schedule"]["drop_factor"]
    with pytest.raises(ValidationError) as caught:
        recipe.TrainingSpec.model_validate_json(json.dumps(whole))
    assert [error["loc"] for error in caught.value.errors()] == [("schedule", "drop_factor")]
    network = json.loads(AlexNetSpec().model_dump_json())
    del network["towers"]
    with pytest.raises(ValidationError, match="towers"):
        TypeAdapter(Network).validate_json(json.dumps(network))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"jpeg_quality": [95, 50]}, r"jpeg_quality must be \[lowest, highest\], got \[95, 50\]"),
        ({"jpeg_quality": [0, 95]}, "greater than or equal to 1"),
        ({"jpeg_quality": [50, 101]}, "less than or equal to 100"),
        ({"jpeg_quality": [50]}, "at least 2 items"),
        ({"jpeg_share": 1.1}, "less than or equal to 1"),
        ({"jpeg_share": -0.1}, "greater than or equal to 0"),
    ],
)
def test_a_share_or_quality_of_jpegs_that_cannot_be_is_refused(change, sentence):
    with pytest.raises(ValidationError, match=sentence):
        specs.AugmentationSpec(**change)
    assert specs.AugmentationSpec(jpeg_share=1.0, jpeg_quality=[1, 100]).jpeg_quality == [1, 100]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_the_schema_of_the_file_requires_everything_and_has_no_defaults(spec):
    schema = spec.model_json_schema()
    for each in (schema, *schema.get("$defs", {}).values()):
        assert set(each["required"]) == set(each["properties"])
        assert not [name for name, field in each["properties"].items() if "default" in field]
        assert "Example" not in each["description"]


def leaves(section, path=()):
    for key, value in section.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield *path, key


def test_every_key_of_params_yaml_that_is_missing_is_refused(sample_project):
    """Each is taken out alone. A missing `profile` is told otherwise."""
    content = read(sample_project / "params.yaml")
    found = list(leaves(content))
    assert len(found) > 100
    for *parents, name in found:
        part = copy.deepcopy(content)
        del nested(part, parents)[name]
        sentence = "profile" if name == "profile" else rf"{'.'.join(parents)}.*\b{name} is missing; expected"
        with pytest.raises(ConfigError, match=rf"params\.yaml: .*{sentence}"):
            check(part)


def test_a_number_is_refused_where_python_takes_another_type_for_it():
    """1, True and 1.0 are equal to DVC too: a change of type would rerun nothing, and MLflow would show it."""
    whole = AlexNetSpec().model_dump()
    for value in (True, 1.0, "1", 0, 3):
        with pytest.raises(ValidationError, match="towers"):
            TypeAdapter(Network).validate_json(json.dumps(whole | {"towers": value}))
    with pytest.raises(ValidationError, match="lrn"):
        TypeAdapter(Network).validate_json(json.dumps(whole | {"lrn": 1}))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_no_literal_is_a_number(spec):
    schema = spec.model_json_schema()
    for each in (schema, *schema.get("$defs", {}).values()):
        for name, field in each["properties"].items():
            words = field.get("enum", [field.get("const", "")])
            assert all(isinstance(word, str) for word in words), f"{name}: a literal takes `true` and 1.0 for 1"
