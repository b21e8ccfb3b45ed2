from tests.components.test_validate import healthy, run


def test_the_page_shows_what_is_odd_and_needs_no_network(tmp_path):
    splits = healthy()
    splits["train"][3] = (1, b"<script>alert(1)</script>")
    splits["train"][5] = (1, splits["train"][4][1])
    run(tmp_path, splits)
    html = (tmp_path / "out" / "validation.html").read_text()
    assert html.count('<img alt="" src="data:image/jpeg;base64,') == 4 * 1 + 2 + 2  # grey tests, copies, two labels
    assert "train/3<br>no known image format" in html
    assert b"<script".hex(" ") in html
    for foreign in ("<script", "http:", "https:"):
        assert foreign not in html
