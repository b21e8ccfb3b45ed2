"""Trainings that came to nothing: found by the library's own words, written sorted, read back."""

import json
import math

import numpy as np
import pytest

from alexnet_tf.errors import DataError, TrainingError
from alexnet_tf.training.guards import LossRange, check_stalled, check_steps
from pipeline.results import lost_trainings
from pipeline.results.ablations import EXPERIMENT
from pipeline.results.kept import FOLDER, PATTERN
from pipeline.results.lost_trainings import LostTraining, sentence
from tests.alexnet_tf.small_training import alexnet


def stalled():
    check_stalled([2.3] * 9, step=800, total_steps=4584, loss_range=LossRange(math.log(10), 0.0), network=alexnet())


def not_finite(loss, total):
    check_steps(
        np.array([loss]), np.array([[total]]), ["conv1/kernel"], first_step=0, total_steps=9, learning_rate=0.01
    )


@pytest.mark.parametrize(
    "action", [stalled, lambda: not_finite(float("nan"), 1.0), lambda: not_finite(1.0, float("inf"))]
)
def test_the_sentence_is_found_among_what_dvc_and_the_stage_say(action):
    with pytest.raises(TrainingError) as caught:
        action()
    error = str(caught.value)
    told = f"train@full (stage 5 of 7)\nerror: {error}\nERROR: failed to reproduce 'train@full': exited with 1\n"
    assert sentence(told) == error
    assert sentence(told.replace(error, "step 1: too little memory; take a smaller one")) == ""


def lost(rung, seed):
    return LostTraining(rung=rung, seed=seed, error="still that of guessing", processor="One", commit="c0ffee")


def test_the_file_is_sorted_and_no_result(tmp_path):
    assert lost_trainings.read(tmp_path) == []
    for rung, seed in (("tanh", 1), ("adam", 2012), ("adam", 1)):
        lost_trainings.add(tmp_path, lost(rung, seed))
    assert lost_trainings.read(tmp_path) == [lost("adam", 1), lost("adam", 2012), lost("tanh", 1)]
    assert (tmp_path / lost_trainings.FILE).parent == tmp_path / FOLDER / EXPERIMENT
    assert not list(tmp_path.rglob(PATTERN))


@pytest.mark.parametrize(
    ("content", "words"),
    [("[", "Invalid JSON.*; correct it there"), (json.dumps([{"rung": "a"}]), "0.seed: Field required; correct it")],
)
def test_another_file_is_one_sentence(tmp_path, content, words):
    path = tmp_path / lost_trainings.FILE
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(DataError, match=f"did_not_train.json: {words}"):
        lost_trainings.read(tmp_path)
