import re

import pytest

from alexnet_tf.comparison.charts import Bar, Line, bar_chart, line_chart, nice_ticks


@pytest.mark.parametrize("highest", [0.003, 0.99, 1, 2.31, 50, 62.5, 99.9, 100, 7300])
def test_ticks_are_few_round_and_reach_the_highest(highest):
    ticks = nice_ticks(highest)
    assert ticks[0] == 0
    assert 4 <= len(ticks) <= 7
    assert ticks[-2] < highest <= ticks[-1]


def test_a_chart_skips_epochs_without_a_value():
    line = Line(x=[1, 2, 3], y=[1.0, None, 2.0], series=0, dashed=False, name="a")
    points = re.search(r'points="([^"]*)"', line_chart([line], label="l", x_title="epoch", y_title="nats"))
    assert len(points[1].split()) == 2
    empty = Line(x=[], y=[], series=0, dashed=False, name="a")
    assert "Nothing was recorded" in line_chart([empty], label="l", x_title="epoch", y_title="nats")


@pytest.mark.parametrize("revision", ["", "@longer", "@unfit-raja", "@92819faf88", "@" + 40 * "a"])
def test_the_names_of_bars_are_whole(revision):
    name = f"optimized{revision}, centre crop"
    chart = bar_chart([Bar(name, 7.0, 6.0, 8.0, 0)], label="l", x_title="error")
    (width,) = map(float, re.findall(r'viewBox="0 0 ([0-9.]+) ', chart))
    (end,) = map(float, re.findall(r'<text x="([0-9.]+)" y="[0-9.]+" text-anchor="end">', chart))
    assert end > 5.8 * len(name), "of the font, a letter is so wide"
    assert (width == 420) == (len(name) < 30)
    assert max(float(x) for x in re.findall(r' x="([0-9.]+)"', chart)) < width
