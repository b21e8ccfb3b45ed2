from pipeline.pages.profiles import render


def test_the_page_is_current(root):
    assert (root / "docs/profiles.md").read_text(encoding="utf-8") == render(), "run `make docs`"
