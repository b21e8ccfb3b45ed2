from alexnet_tf.comparison.tables import class_rows, p_value
from tests.alexnet_tf.comparison.test_page import make_comparison


def test_of_many_classes_the_most_different_are_shown():
    comparison = make_comparison("<better> & co")
    many = [
        {
            "class": f"class {index}",
            "num_examples": 5,
            "errors": {"plain": 0.5, "<better> & co": 0.5 - index / 200},
        }
        for index in range(100)
    ]
    rows = class_rows(comparison | {"per_class": many})
    assert len(rows) == 41
    assert rows[1][0] == "class 99"


def test_small_probabilities_are_not_written_as_zero():
    assert p_value(1e-9) == "< 0.001"
    assert p_value(0.0123) == "0.012"
