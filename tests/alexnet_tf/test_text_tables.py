from alexnet_tf.text_tables import aligned, markdown_table


def test_markdown_has_a_rule_below_the_header_and_escapes_bars():
    assert markdown_table([("name", "error"), ("a|b", 0.5), ("", None)]) == (
        "| name | error |\n| --- | --- |\n| a\\|b | 0.5 |\n|  | None |"
    )


def test_columns_are_as_wide_as_their_widest_cell():
    assert aligned([["", "top-1"], ["optimized", "8 %"], ["a", ""]]) == [
        "           top-1",
        "----------------",
        "optimized  8 %",
        "a",
    ]
