import re

import pytest
from click.testing import CliRunner

from benchmarks import held_out
from tests.components.test_evaluate import NUM, Split


@pytest.fixture
def model(tmp_path):
    from alexnet_tf.models.classifier import write_classifier
    from tests.alexnet_tf.small_networks import classifier_of_six

    folder = tmp_path / "model"
    write_classifier(folder, classifier_of_six(faithful=True))
    return folder


def test_models_are_scored_both_ways_on_the_held_out_images_and_compared(model, monkeypatch):
    opened = []

    class Noted(Split):
        def __init__(self, split):
            opened.append(split)
            super().__init__(split)

    monkeypatch.setattr(held_out, "RecordDataset", Noted)
    done = CliRunner().invoke(held_out.main, [str(model), str(model), "--batch-size", "4"])
    assert done.exit_code == 0, done.output
    assert opened == ["validation"]
    lines = done.stdout.splitlines()
    figure = r"(\d+\.\d\d) % \((\d+\.\d\d) to (\d+\.\d\d)\) of 11"
    first = [
        re.fullmatch(f"{model}, {words}: {figure}", line)
        for words, line in zip(held_out.VIEWS.values(), lines[:2], strict=True)
    ]
    for found in first:
        error, low, high = map(float, found.groups())
        assert round(error * NUM / 100, 1) == round(error * NUM / 100)  # whole images
        assert low < error < high
    assert [line.partition("; ")[2] for line in lines[2:]] == [f"+0.00 points (+0.00 to +0.00) from {model}"] * 2


def test_without_held_out_images_or_a_model_it_says_so(model, monkeypatch, tmp_path):
    monkeypatch.setattr(held_out, "RecordDataset", Split)
    done = CliRunner().invoke(held_out.main, [str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "does not exist; run the stage train" in done.output
    monkeypatch.setattr(Split, "num_examples", 0)
    done = CliRunner().invoke(held_out.main, [str(model)])
    assert "no image is held out; set download.validation_share" in done.output
