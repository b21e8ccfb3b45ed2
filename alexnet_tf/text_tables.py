"""Rows of cells, header first, as text: a Markdown table, or aligned columns for a terminal."""

from collections.abc import Sequence


def markdown_table(lines: Sequence[Sequence[object]]) -> str:
    r"""Write rows as a Markdown table; a `|` in a cell is escaped.

    Example:
        >>> print(markdown_table([["name", "error"], ["a|b", 0.5]]))
        | name | error |
        | --- | --- |
        | a\|b | 0.5 |
    """
    written = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([written[0], "|" + " --- |" * len(lines[0]), *written[1:]])


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Write rows as lines of plain text with aligned columns, a rule below the header."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return [text[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *text[1:]]
