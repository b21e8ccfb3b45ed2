import pytest

from alexnet_tf.data.evenly_spaced import evenly_spaced


@pytest.mark.parametrize(("available", "wanted"), [(10, 3), (10, 10), (3, 8), (1, 1), (0, 5), (1_281_167, 50_000)])
def test_it_takes_each_position_once_over_the_whole_range(available, wanted):
    positions = evenly_spaced(available, wanted)
    assert len(positions) == min(available, wanted) == len(set(positions.tolist()))
    if len(positions):
        assert positions[0] == 0
        assert available - available / len(positions) - 1 <= positions[-1] < available
