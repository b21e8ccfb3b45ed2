import re

import pytest
from click.testing import CliRunner

from benchmarks import held_out
from tests.components.test_evaluate import Split


@pytest.fixture
def models(tmp_path):
    """Two folders, and what is in them."""
    from alexnet_tf.models.classifier import write_classifier
    from tests.alexnet_tf.small_networks import classifier_of_six

    made = {}
    for seed in (2, 3):  # with views that differ in their errors, and from each other's
        made[tmp_path / f"model{seed}"] = classifier_of_six(faithful=True, seed=seed)
        write_classifier(tmp_path / f"model{seed}", made[tmp_path / f"model{seed}"])
    return made


def test_models_are_scored_both_ways_on_the_held_out_images_and_compared(models, monkeypatch):
    from alexnet_tf.devices.strategy import make_strategy
    from alexnet_tf.evaluation.evaluate import evaluate

    opened = []

    class Noted(Split):
        def __init__(self, split):
            opened.append(split)
            super().__init__(split)

    monkeypatch.setattr(held_out, "RecordDataset", Noted)
    done = CliRunner().invoke(held_out.main, [*map(str, models), "--batch-size", "4"])
    assert done.exit_code == 0, done.output
    assert opened == ["validation"]
    figure = r"(\d+\.\d\d) % \((\d+\.\d\d) to (\d+\.\d\d)\) of 11"
    lines, errors = iter(done.stdout.splitlines()), {}
    for folder, classifier in models.items():
        scored = evaluate(
            classifier, Split("validation"), batch_size=11, strategy=make_strategy(), advance=lambda _: None
        )
        for view, words in {"center": "centre crop", "ten_crop": "ten crops"}.items():
            line, _, compared = next(lines).partition("; ")
            error, low, high = map(float, re.fullmatch(f"{folder}, {words}: {figure}", line).groups())
            assert error == pytest.approx(100 * scored.predictions[view].error(1), abs=0.01)
            assert low < error < high
            if first := errors.get(view):
                difference = re.fullmatch(rf"(\S+) \(\S+ to \S+\) points from {next(iter(models))}", compared)[1]
                assert float(difference.replace("−", "-")) == pytest.approx(error - first, abs=0.02)
            errors.setdefault(view, error)


def test_without_held_out_images_or_a_model_it_says_so(models, monkeypatch, tmp_path):
    monkeypatch.setattr(held_out, "RecordDataset", Split)
    done = CliRunner().invoke(held_out.main, [str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "does not exist; run the stage train" in done.output
    monkeypatch.setattr(Split, "num_examples", 0)
    done = CliRunner().invoke(held_out.main, [str(next(iter(models)))])
    assert "no image is held out; set download.validation_share" in done.output
