import numpy as np
import pytest

from alexnet_tf.sample.toy import OUTLINES, pattern_share, signed_distance


def grid(side=201, reach=1.5):
    line = np.linspace(-reach, reach, side, dtype=np.float32)
    return np.meshgrid(line, line)


def test_outlines_by_hand():
    def inside(outline, u, v):
        return bool(signed_distance(outline, np.float32([[u]]), np.float32([[v]]))[0, 0] < 0)

    assert inside("ball", 0.9, 0)
    assert not inside("ball", 0.95, 0)
    assert inside("ring", 0.7, 0)
    assert not inside("ring", 0, 0)
    assert inside("kite", 0, 1.1)
    assert not inside("kite", 0, -0.8)  # the short end
    assert inside("star", 0, 1.0)  # on the axis from a tip
    assert not inside("star", 0, -0.6)  # opposite a tip there is a valley


def test_the_star_has_five_points():
    u, v = grid()
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    rim = signed_distance("star", np.float32(0.8 * np.cos(angles))[None], np.float32(0.8 * np.sin(angles))[None])[0]
    assert np.sum((rim < 0) & (np.roll(rim, 1) >= 0)) == 5
    third = 2 * np.pi / 5
    turned = signed_distance(
        "star",
        np.float32(np.cos(third)) * u - np.float32(np.sin(third)) * v,
        np.float32(np.sin(third)) * u + np.float32(np.cos(third)) * v,
    )
    np.testing.assert_allclose(turned, signed_distance("star", u, v), atol=1e-5)


@pytest.mark.parametrize("outline", OUTLINES)
def test_an_outline_covers_a_fair_part_of_its_square(outline):
    u, v = grid()
    assert 0.1 < np.mean(signed_distance(outline, u, v) < 0) < 0.4


@pytest.mark.parametrize(("pattern", "share"), [("striped", 0.5), ("checked", 0.5), ("dotted", 0.29)])
def test_the_share_of_the_second_colour(pattern, share):
    u, v = (np.float32(x) for x in np.mgrid[0:2:0.01, 0:2:0.01])
    covered = pattern_share(pattern, u, v, softness=0.02)
    assert covered.min() == 0
    assert covered.max() == 1
    assert covered.mean() == pytest.approx(share, abs=0.02)
    np.testing.assert_allclose(pattern_share(pattern, u + 1, v + 1, softness=0.02), covered, atol=1e-3)
