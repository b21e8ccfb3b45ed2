"""Renders the table of docs/profiles.md from the profiles themselves: `make docs`."""

from alexnet_tf.profiles import PROFILES
from alexnet_tf.text_tables import markdown_table
from pipeline.pages import blocks


def rendered(text: str) -> str:
    """Return the page with its table made anew."""
    return blocks.rendered(text, "profiles", lambda _: _table())


def _table() -> str:
    names = list(PROFILES)
    lines = [["switch", *(f"`{name}`" for name in names)]]
    for path in PROFILES[names[0]]:
        lines.append(
            [f"`{path}`", *(f"{PROFILES[name][path].value} ({PROFILES[name][path].source})" for name in names)]
        )
    return markdown_table(lines)
