import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alexnet_tf.training.schedule import Plateau, conv1_factor, learning_rate_factor
from tests.alexnet_tf.small_training import schedule


def factors(spec, total_steps):
    return [learning_rate_factor(spec, step, total_steps, Plateau()) for step in range(total_steps)]


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 1), (24, 1), (25, 0.1), (54, 0.1), (55, 0.01), (83, 0.01), (84, 0.001), (99, 0.001)],
)
def test_steps_divides_by_ten_at_25_55_and_84_percent(step, factor):
    assert learning_rate_factor(schedule(), step, 100, Plateau()) == pytest.approx(factor, rel=1e-12)


def test_plateau_traces_a_table_of_validation_errors():
    spec = schedule(name="plateau", patience_epochs=2, max_drops=3)
    #          error, factor of the next epoch
    table = [(0.9, 1.0), (0.8, 1.0), (0.8, 1.0), (0.85, 0.1), (0.7, 0.1), (0.7, 0.1), (0.6, 0.1)]
    table += [(0.61, 0.1), (0.62, 0.01), (0.63, 0.01), (0.59, 0.01)]
    state = Plateau()
    for error, factor in table:
        state = state.after_epoch(spec, error)
        assert learning_rate_factor(spec, 0, 100, state) == pytest.approx(factor)


def test_plateau_drops_exactly_three_times_on_a_curve_that_stalls_for_good():
    spec = schedule(name="plateau", patience_epochs=3)
    state, trace = Plateau(), []
    for epoch in range(90):  # stalls at epochs 20, 40, 60, and for good at 80
        error = 0.9 - 0.1 * (epoch // 20) - 0.004 * min(epoch % 20, 10)
        state = state.after_epoch(spec, error)
        trace.append(learning_rate_factor(spec, 0, 1, state))
    assert state.drops == 3
    assert sorted(set(trace), reverse=True) == pytest.approx([1.0, 0.1, 0.01, 0.001])
    for _ in range(50):
        state = state.after_epoch(spec, 1.0)
    assert state.drops == 3


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(0, 5), st.integers(1, 5))
def test_plateau_never_drops_more_often_than_allowed_nor_rises(errors, max_drops, patience):
    spec = schedule(name="plateau", max_drops=max_drops, patience_epochs=patience)
    state = Plateau()
    for error in errors:
        following = state.after_epoch(spec, error)
        assert state.drops <= following.drops <= min(max_drops, state.drops + 1)
        assert following.best_error == min(state.best_error, error)
        state = following
    assert state.drops * patience <= len(errors)


def test_the_other_schedules_remember_the_best_error_but_never_drop():
    state = Plateau()
    for error in (0.5, *[0.6] * 20):
        state = state.after_epoch(schedule(), error)
    assert (state.drops, state.best_error) == (0, 0.5)


def test_one_cycle_rises_to_one_and_falls_in_a_straight_line():
    found = factors(schedule(name="one_cycle", warmup_share=0.2), 100)
    assert found[0] == pytest.approx(1 / 20)
    assert found[19] == pytest.approx(1.0)
    assert found[20] == pytest.approx(1.0)
    assert found[60] == pytest.approx(0.5)
    assert found[99] == pytest.approx(1 / 80)


def test_cosine_starts_at_one_is_half_way_at_half_time_and_ends_near_zero():
    found = factors(schedule(name="cosine"), 100)
    assert found[0] == 1.0
    assert found[50] == pytest.approx(0.5)
    assert found[99] == pytest.approx(0.5 * (1 + math.cos(0.99 * math.pi)))
    assert found == sorted(found, reverse=True)


@given(st.sampled_from(["plateau", "steps", "cosine", "one_cycle"]), st.integers(1, 200), st.floats(0, 0.9))
def test_factors_stay_between_zero_and_one(name, total_steps, warmup_share):
    warms_up = name in ("cosine", "one_cycle")
    found = factors(schedule(name=name, warmup_share=warmup_share if warms_up else 0.0), total_steps)
    assert all(0 < factor <= 1 for factor in found)


def test_conv1_stops_at_its_share():
    spec = schedule(conv1_frozen_from=0.77)
    assert [conv1_factor(spec, step, 100) for step in (0, 76, 77, 99)] == [1, 1, 0, 0]
    assert {conv1_factor(schedule(), step, 100) for step in range(100)} == {1}


@pytest.mark.parametrize("name", ["plateau", "steps"])
def test_a_warm_up_that_a_schedule_does_not_have_is_refused(name):
    with pytest.raises(ValidationError, match=rf"{name} has no warm-up, so warmup_share must be 0, got 0\.1"):
        schedule(name=name, warmup_share=0.1)


@pytest.mark.parametrize("drop_at", [[0.5, 0.25], [0.5, 0.5]])
def test_drops_must_ascend(drop_at):
    with pytest.raises(ValidationError, match="drop_at must be ascending"):
        schedule(drop_at=drop_at)
