import pytest

from alexnet_tf.nearest import nearest


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("orignal", ["original", "paper"], "; did you mean original?"),
        ("xyz", ["original", "paper"], ""),
        (12, [112, 7], "; did you mean 112?"),
        ("original", [], ""),
    ],
)
def test_the_nearest_name_is_suggested_where_one_is_near(name, known, expected):
    assert nearest(name, known) == expected
