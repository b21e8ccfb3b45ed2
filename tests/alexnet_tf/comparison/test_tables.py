from alexnet_tf.comparison.tables import class_caption, class_rows
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


def test_a_cut_table_of_classes_says_what_it_cut():
    def of(num_classes, *names):
        entries = [
            {"class": f"c{index:02}", "num_examples": 5, "errors": dict.fromkeys(names, 0.1) | {names[0]: index / 50}}
            for index in range(num_classes)
        ]
        return {"variants": list(names), "per_class": entries}

    assert class_caption(of(40, "one")) == "Top-1 error by class, ten crops"
    assert len(class_rows(of(40, "one"))) == 41
    cut = class_caption(of(50, "one"))
    assert cut.endswith("ten crops: the 40 of 50 classes with the highest error; per_class.csv has all")
    assert [row[0] for row in class_rows(of(50, "one"))][1:3] == ["c49", "c48"]
    assert "on which the variants differ most" in class_caption(of(50, "one", "two"))
    assert "c05" not in [row[0] for row in class_rows(of(50, "one", "two"))]  # 0.1 and 0.1
