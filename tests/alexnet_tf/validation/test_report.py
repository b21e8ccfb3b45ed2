import json

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
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    counts = json.loads((tmp_path / "out" / "validation.json").read_text())["splits"]
    shown = "".join(f"<td>{split['classes']['cat']}" for split in counts.values())  # in the order of their names
    assert f"<tr><th>class{''.join(f'<th>{name}' for name in counts)}</tr>" in html
    assert f"<tr><td>cat{shown}</tr>" in html
