import os

import pytest
import stub_stages

from alexnet_tf.errors import ConfigError
from pipeline.config.load import check, load, params_as_written
from pipeline.environment.yaml_file import parse


def test_what_is_written_is_read_again_only_when_the_file_has_changed(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("seed: 1\n")
    first = params_as_written(tmp_path)
    assert first == {"seed": 1}
    assert params_as_written(tmp_path) is first
    at = path.stat().st_mtime_ns
    path.write_text("seed: 12\n")
    os.utime(path, ns=(at, at))  # within one tick of a coarse clock
    assert params_as_written(tmp_path) == {"seed": 12}


def test_profiles_are_resolved_for_the_stage(stubs, tmp_path):
    config = load_with(tmp_path)
    params = config.params["train@faithful"]
    assert params.network.lrn_alpha == 0.00002
    assert params.training.schedule.name == "steps"
    assert config.params["compare"].variants["faithful"]["profile"] == "original"


def test_the_profile_can_be_overridden(stubs, tmp_path):
    config = load_with(tmp_path, "variants.faithful.profile=paper")
    assert config.params["train@faithful"].network.lrn_alpha == 0.0001


def test_an_override_is_read_as_yaml(stubs, tmp_path):
    config = load_with(tmp_path, "variants.faithful.training.learning_rate=5e-4", "seed=0o17")
    assert config.params["train@faithful"].training.learning_rate == 0.0005
    assert config.params["train@faithful"].seed == 15


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sed=3", ["-S sed", "did you mean seed?"]),
        ("seed", ["expected key=value"]),
        ("seed.x=3", ["seed has no keys"]),
        ("variants.fathful.images=small", ["variants.fathful", "did you mean faithful?"]),
        ("variants.faithful.training.epochs=many", ["-S: variants.faithful.training.epochs", "got 'many'"]),
        ("seed=[", ["-S seed=["]),
    ],
)
def test_an_override_is_checked_like_the_file(stubs, tmp_path, text, parts):
    with pytest.raises(ConfigError) as caught:
        load_with(tmp_path, text)
    for part in parts:
        assert part in str(caught.value)


def test_a_rule_about_several_keys_names_the_override_of_one_of_them(sample_project):
    with pytest.raises(ConfigError) as caught:
        load(sample_project, ["variants.faithful.training.schedule.warmup_share=0.1", "seed=3"])
    assert str(caught.value).startswith("params.yaml or -S: variants.faithful.training.schedule: the schedule steps")


@pytest.mark.parametrize("again", ["    training: *same\n", "    <<: *whole\n"], ids=["alias", "merge"])
def test_a_mapping_that_two_variants_share_by_an_anchor_is_refused(stubs, tmp_path, again):
    """findings/dvc_set_param_yaml_merge.sh: `-S` of it changes both variants or none."""
    shared = stub_stages.TEXT.replace("  faithful:\n", "  faithful: &whole\n")
    shared = shared.replace("    training:\n", "    training: &same\n")
    own = next(line for line in shared.splitlines(keepends=True) if line.startswith("    training: {"))
    path = tmp_path / "params.yaml"
    path.write_text(shared.replace(own, again))
    with pytest.raises(ConfigError, match=r"variants\.faithful\.\w+ and variants\.optimized\.\w+ are one mapping"):
        load(tmp_path)
    path.write_text(shared)  # anchors that nothing refers to do no harm
    load(tmp_path)


def test_parameters_are_frozen(stubs, tmp_path):
    with pytest.raises(Exception, match="frozen"):
        load_with(tmp_path).params["download"].seed = 1


def test_a_missing_file_names_the_way_out(stubs, tmp_path):
    with pytest.raises(ConfigError, match="alexnet use"):
        load(tmp_path)


def test_an_unknown_entry_suggests_the_nearest(stubs, tmp_path):
    with pytest.raises(ConfigError, match="did you mean optimized"):
        load_with(tmp_path).item("train", "optimised")


def test_a_reference_schema_that_is_not_there_is_found_out_before_any_stage(stubs, tmp_path):
    schemas = tmp_path / "schemas"
    load_with(tmp_path, "validate.reference_schema=nosuch")  # a training's scratch folder holds no schemas
    schemas.mkdir()
    with pytest.raises(ConfigError, match=r"reference_schema must be .*\(there is none\), got 'nosuch'"):
        load_with(tmp_path, "validate.reference_schema=nosuch")
    (schemas / "sample.pbtxt").touch()
    with pytest.raises(ConfigError, match=r"schemas/NAME.pbtxt \(sample\), got 'sampel'; did you mean sample\?"):
        load_with(tmp_path, "validate.reference_schema=sampel")
    assert load_with(tmp_path, "validate.reference_schema=sample").values["validate"]["reference_schema"] == "sample"


def test_content_can_be_checked_without_a_file(stubs):
    assert check(parse(stub_stages.TEXT, "text")).runtime.beam_runner == "FnApiRunner"


def load_with(tmp_path, *overrides):
    path = tmp_path / "params.yaml"
    path.write_text(stub_stages.TEXT)
    return load(tmp_path, overrides)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("images.large.size=16384", "-S: images.large.size is too large for stored_size 256: the colours"),
        (
            "variants.optimized.training.augmentation.padding=48",
            "padding must be less than 48, the size of images.small",
        ),
        ("variants.optimized.input.test_border=48", "test_border must be less than 48, the size of images.small"),
        ("runtime.devices=['CPU:0', 'CPU:0']", "runtime.devices"),
        ("runtime.devices=['GPU:0', '/GPU:0']", "runtime.devices"),
        ("seed=2012-13-45", "-S seed=2012-13-45: invalid YAML: month must be in 1..12"),
    ],
)
def test_what_a_later_stage_would_refuse_is_refused_at_once(sample_project, override, text):
    with pytest.raises(ConfigError) as caught:
        load(sample_project, [override])
    assert text in str(caught.value)
