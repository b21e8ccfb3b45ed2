import pytest
import stub_stages

from alexnet_tf.errors import ConfigError
from pipeline.config.load import load

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
    ("epochs: 12", "epochs: true", ["training.epochs must be a whole number of at least 1, got true"]),
    ("epochs: 12", "epochs: 12.0", ["training.epochs must be a whole number of at least 1, got 12.0"]),
    ("learning_rate: 0.01", "learning_rate: .nan", ["variants.faithful.training", "learning_rate must be", "got "]),
    ("learning_rate: 0.01", "learning_rate: .inf", ["variants.faithful.training", "learning_rate must be", "got "]),
    ("min_side_px: 8", "min_side_px: on", ["validate.min_side_px must be a whole number, got 'on'"]),
    ("allow_split_leakage: false", "allow_split_leakage: off", ["must be true or false, got 'off'"]),
    ("{name: one_cycle}", "{name: one_cycel}", ["plateau, steps, one_cycle", "did you mean one_cycle?"]),
    (
        "profile: original",
        "profile: orignal",
        ["variants.faithful.profile", "'orignal'", "did you mean original?"],
    ),
    ("dropout: 0.5", "dropout: profile", ["variants.faithful.network.dropout", "has a value only for"]),
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
    ("  small: {", "  Small Ones: {", ["images has an entry 'Small Ones'", "lower-case letters"]),
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
        load(path.parent)
    message = str(caught.value)
    assert message.startswith("params.yaml")
    assert "\n" not in message
    for part in parts:
        assert part in message
