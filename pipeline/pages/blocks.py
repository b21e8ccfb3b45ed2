"""Blocks of a page that are rendered: from `<!-- MARK: WORDS -->` to `<!-- end -->`; what is around them is prose."""

import re
from collections.abc import Callable

from alexnet_tf.errors import DataError


def rendered(text: str, mark: str, content: Callable[[str], str]) -> str:
    """Return a page with every block of a mark made anew.

    Args:
        text: The page.
        mark: What its blocks begin with, such as `results`.
        content: Makes what is in a block from its words.

    Raises:
        DataError: A block has no end of its own, so that it would take the prose after it.
    """
    block = re.compile(rf"<!-- {mark}: ([^\n]+?) -->\n(?:(?!<!-- \w+: ).)*?<!-- end -->", re.DOTALL)
    if (found := len(block.findall(text))) != (begun := text.count(f"<!-- {mark}: ")):
        raise DataError(
            f"expected every `<!-- {mark}: … -->` to have its own `<!-- end -->`, found {found} of {begun} that do"
        )
    return block.sub(lambda each: f"<!-- {mark}: {each[1]} -->\n{content(each[1])}\n<!-- end -->", text)
