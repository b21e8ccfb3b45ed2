import json
import math

import numpy as np
import pytest

from alexnet_tf.errors import DataError
from alexnet_tf.models.weights import save_arrays
from alexnet_tf.training.checkpoint import Checkpoint, Spent, State, read_state
from alexnet_tf.training.history import Epoch
from alexnet_tf.training.schedule import Plateau
from alexnet_tf.whole_file import TEMPORARY

STATE = State(
    total_steps=6,
    steps_per_epoch=2,
    step=3,
    plateau=Plateau(drops=1, best_error=1 / 3, stale_epochs=2),
    history=[Epoch(1, 2, 0.01, math.pi, 0.1, math.e, 0.2, None)],
    losses=[math.pi, 1 / 3],
    errors=[0.5],
    spent=Spent(wall_seconds=1 / 7, cpu_seconds=0.3),
)


def test_the_state_survives_json():
    assert State.from_json(json.loads(json.dumps(STATE.to_json()))) == STATE


class Variable:
    """What can be assigned to."""

    def __init__(self, shape):
        self.shape, self.value = shape, None

    def assign(self, value):
        self.value = value


def test_what_is_saved_is_restored_bit_by_bit(tmp_path):
    checkpoint = Checkpoint(tmp_path / "fingerprint", "float32")
    assert checkpoint.read() == b""
    arrays = {"weights/conv1/kernel": np.arange(3, dtype=np.float32), "velocities/0": np.float32([-0.0, 1e-45])}
    checkpoint.save(STATE, arrays, {"conv1/kernel": np.float32([7])})
    variables = {name: Variable(value.shape) for name, value in arrays.items()}
    state, best = checkpoint.restore(checkpoint.read(), variables)
    assert state == STATE
    assert {name: variable.value.tobytes() for name, variable in variables.items()} == {
        name: value.tobytes() for name, value in arrays.items()
    }
    assert best.keys() == {"conv1/kernel"}
    np.testing.assert_array_equal(best["conv1/kernel"], [7])
    checkpoint.delete()
    assert not (tmp_path / "fingerprint").exists()
    checkpoint.delete()  # nothing is there any more


@pytest.mark.parametrize(("arithmetic", "shape"), [("bfloat16", 3), ("float32", 4)])
def test_what_is_refused_assigns_nothing(tmp_path, arithmetic, shape):
    arrays = {"a": np.ones(2, np.float32), "b": np.ones(3, np.float32)}
    Checkpoint(tmp_path / "fingerprint", "float32").save(STATE, arrays, {})
    checkpoint = Checkpoint(tmp_path / "fingerprint", arithmetic)
    variables = {"a": Variable((2,)), "b": Variable((shape,))}
    with pytest.raises(DataError):
        checkpoint.restore(checkpoint.read(), variables)
    assert [each.value for each in variables.values()] == [None, None]


def test_what_a_killed_training_left_half_written_goes_with_the_next_save(tmp_path):
    checkpoint = Checkpoint(tmp_path / "fingerprint", "float32")
    checkpoint.save(STATE, {}, {})
    (tmp_path / "fingerprint" / f"{TEMPORARY}0123456789abcdef").write_bytes(b"half")
    checkpoint.save(STATE, {}, {})
    assert [path.name for path in (tmp_path / "fingerprint").iterdir()] == ["checkpoint.safetensors"]


@pytest.mark.parametrize("meta", [{}, {"state": {"total_steps": 6}}, {"state": {"of_the_next": 1}}])
def test_the_progress_of_another_version_is_one_sentence(tmp_path, meta):
    save_arrays(tmp_path / "checkpoint.safetensors", {"a": np.ones(1, np.float32)}, meta)
    with pytest.raises(DataError, match="was written by another version; delete it and run again"):
        read_state(tmp_path)


def test_a_checkpoint_that_cannot_be_deleted_is_not_passed_over(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "fingerprint", "float32")
    checkpoint.save(STATE, {}, {})

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.rmdir", refuse)
    with pytest.raises(PermissionError):
        checkpoint.delete()


def test_a_checkpoint_of_another_arithmetic_is_refused(tmp_path):
    Checkpoint(tmp_path / "fingerprint", "bfloat16 with oneDNN").save(STATE, {}, {})
    checkpoint = Checkpoint(tmp_path / "fingerprint", "float32 with oneDNN")
    message = r"was begun in bfloat16 with oneDNN, and would go on in float32 with oneDNN .* --fresh"
    with pytest.raises(DataError, match=message):
        checkpoint.restore(checkpoint.read(), {})
