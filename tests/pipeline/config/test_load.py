import pytest
import stub_stages
import yaml

from alexnet_tf.errors import ConfigError
from pipeline.config.load import check, load
from pipeline.config.schema import BEAM_RUNNERS
from pipeline.environment.yaml_file import parse, with_overrides

FAULTS = [
    # (old text, new text, parts of the sentence)
    ("epochs: 12", "epoch: 12", ["variants.faithful.training.epoch ", "12", "did you mean epochs?"]),
    ("seed: 2012\n", "", ["seed is missing", "expected a whole number"]),
    (
        "epochs: 12",
        "epochs: '12'",
        ["variants.faithful.training.epochs", "a whole number of at least 1", "'12'"],
    ),
    ("epochs: 12", "epochs: 0", ["training.epochs must be a whole number of at least 1, got 0"]),
    ("epochs: 12", "epochs: 1.5", ["training.epochs must be a whole number", "1.5"]),
    ("learning_rate: 0.01", "learning_rate: 0", ["learning_rate must be a number of more than 0, got 0"]),
    ("min_side_px: 8", "min_side_px: on", ["validate.min_side_px must be a whole number, got 'on'"]),
    ("allow_split_leakage: false", "allow_split_leakage: off", ["must be true or false, got 'off'"]),
    ("{name: one_cycle}", "{name: one_cycel}", ["plateau, steps, one_cycle", "did you mean one_cycle?"]),
    (
        "profile: original",
        "profile: orignal",
        ["variants.faithful.profile", "'orignal'", "did you mean original?"],
    ),
    ("dropout: 0.5", "dropout: profile", ["variants.faithful.network.dropout", "no value for it"]),
    ("crop_size: 56", "crop_size: profile", ["variants.optimized.input.crop_size", "profile is none"]),
    (
        "name: alexnet_bn",
        "name: alexnet_bm",
        ["variants.optimized.network", "alexnet_bm", "did you mean alexnet_bn?"],
    ),
    (
        "momentum: 0.9}",
        "momentun: 0.9}",
        ["network.batch_norm_momentun", "did you mean batch_norm_momentum?"],
    ),
    ("256]", "256, 7]", ["variants.faithful.network.filters must be a list of 5 whole numbers"]),
    ("[96,", "['96',", ["variants.faithful.network.filters[0] must be a whole number, got '96'"]),
    ("images: small", "images: smal", ["variants.optimized.images", "large, small", "did you mean small?"]),
    ("stored_size: 32", "stored_size: 30", ["images.small.stored_size", "whole number of times", "got 30"]),
    ("crop_size: 56", "crop_size: 65", ["variants.optimized.input.crop_size must be at most 64", "got 65"]),
    ("baseline: faithful", "baseline: faithfull", ["compare.baseline", "did you mean faithful?"]),
    ("beam_workers: 0", "beam_worker: 0", ["runtime.beam_worker", "did you mean beam_workers?"]),
    (
        "beam_runner: FnApiRunner",
        "beam_runner: Foo",
        ["params.yaml: runtime.beam_runner: expected one of FnApiRunner, DaskRunner, ", "full name", "got 'Foo'"],
    ),
    ("compare:\n", "comparison:\n", ["comparison", "did you mean compare?"]),
    ("  small: {", "  Small Ones: {", ["images has an entry 'Small Ones'", "small letters"]),
    ("seed: 2012", "seed: 2012\nseed: 3", ["line 3", "seed"]),
    ("seed: 2012", "seed: [1", ["params.yaml, line"]),
    ("seed: 2012", "seed: 2012-01-01", ["seed is", "quote it"]),
    ("seed: 2012", "seed: 2012\n3: 4", ["has the key 3"]),
    ("variants:\n", "variants: 3\nrest:\n", ["rest"]),
]


@pytest.mark.parametrize(("old", "new", "parts"), FAULTS, ids=[fault[1].strip() for fault in FAULTS])
def test_a_fault_is_one_sentence_that_says_where_and_what(stubs, tmp_path, old, new, parts):
    assert old in stub_stages.TEXT
    path = tmp_path / "params.yaml"
    path.write_text(stub_stages.TEXT.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith("params.yaml")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_profiles_are_resolved_for_the_stage(stubs, tmp_path):
    config = _load(tmp_path)
    params = config.params["train@faithful"]
    assert params.network.lrn_alpha == 0.00002
    assert params.training.schedule.name == "steps"
    assert config.params["compare"].variants["faithful"]["profile"] == "original"


def test_the_profile_can_be_overridden(stubs, tmp_path):
    config = _load(tmp_path, "variants.faithful.profile=paper")
    assert config.params["train@faithful"].network.lrn_alpha == 0.0001


def test_an_override_is_read_as_yaml(stubs, tmp_path):
    config = _load(tmp_path, "variants.faithful.training.learning_rate=5e-4", "seed=0o17")
    assert config.params["train@faithful"].training.learning_rate == 0.0005
    assert config.params["download"].seed == 15


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
        _load(tmp_path, text)
    for part in parts:
        assert part in str(caught.value)


def test_overrides_leave_the_content_alone():
    content = {"a": {"b": 1}}
    assert with_overrides(content, ["a.b=2"])[0] == {"a": {"b": 2}}
    assert content == {"a": {"b": 1}}


def test_parameters_are_frozen(stubs, tmp_path):
    with pytest.raises(Exception, match="frozen"):
        _load(tmp_path).params["download"].seed = 1


def test_a_missing_file_names_the_way_out(stubs, tmp_path):
    with pytest.raises(ConfigError, match="alexnet use"):
        load(tmp_path / "params.yaml")


def test_an_unknown_entry_suggests_the_nearest(stubs, tmp_path):
    with pytest.raises(ConfigError, match="did you mean optimized"):
        _load(tmp_path).item("train", "optimised")


def test_known_runners_are_those_of_beam_and_one_that_it_forgot():
    from apache_beam.options.pipeline_options import StandardOptions

    from components.beam.run import FULL_NAMES

    of_beam = {name for name in StandardOptions.KNOWN_RUNNER_NAMES if not name.startswith("Test")}
    assert set(BEAM_RUNNERS) == of_beam | set(FULL_NAMES)


def test_a_runner_may_be_a_class_by_its_full_name(stubs, tmp_path):
    assert _load(tmp_path, "runtime.beam_runner=my.runners.Mine").runtime.beam_runner == "my.runners.Mine"


def test_a_reference_schema_that_is_not_there_is_found_out_before_any_stage(stubs, tmp_path):
    schemas = tmp_path / "schemas"
    _load(tmp_path, "validate.reference_schema=nosuch")  # a training's scratch folder holds no schemas
    schemas.mkdir()
    with pytest.raises(ConfigError, match=r"reference_schema must be .*\(there is none\), got 'nosuch'"):
        _load(tmp_path, "validate.reference_schema=nosuch")
    (schemas / "sample.pbtxt").touch()
    with pytest.raises(ConfigError, match=r"schemas/NAME.pbtxt \(sample\), got 'sampel'; did you mean sample\?"):
        _load(tmp_path, "validate.reference_schema=sampel")
    assert _load(tmp_path, "validate.reference_schema=sample").values["validate"]["reference_schema"] == "sample"


def test_content_can_be_checked_without_a_file(stubs):
    assert check(parse(stub_stages.TEXT, "text")).runtime.beam_runner == "FnApiRunner"


def test_both_versions_of_yaml_agree_on_params_yaml(root):
    """DVC reads 1.2; people and editors often 1.1, where 5e-4 is a word and 010 is 8."""
    for path in [root / "params.yaml", *sorted((root / "experiments").glob("*.yaml"))]:
        text = path.read_text(encoding="utf-8")
        assert parse(text, path.name) == yaml.safe_load(text), path.name


def _load(tmp_path, *overrides):
    path = tmp_path / "params.yaml"
    path.write_text(stub_stages.TEXT)
    return load(path, overrides)
