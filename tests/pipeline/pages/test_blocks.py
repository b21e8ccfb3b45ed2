import pytest

from alexnet_tf.errors import DataError
from pipeline.pages.blocks import rendered

PAGE = """before
<!-- made: one a -->
old
<!-- end -->
between
<!-- other: two -->
theirs
<!-- end -->
<!-- made: two -->
<!-- end -->
after
"""


def test_blocks_of_a_mark_are_made_anew_and_nothing_else():
    found = rendered(PAGE, "made", str.upper)
    assert found == PAGE.replace("old", "ONE A").replace("two -->\n<!-- end", "two -->\nTWO\n<!-- end")
    assert rendered(found, "made", str.upper) == found
    assert rendered("no block", "made", str.upper) == "no block"


@pytest.mark.parametrize("before", ["old", "<!-- made: two -->"])
def test_a_block_without_an_end_takes_no_prose(before):
    """Its end would be that of the next block, of whichever mark, or there is none."""
    broken = PAGE.replace(f"{before}\n<!-- end -->\n", f"{before}\n")
    with pytest.raises(DataError, match=r"expected every `<!-- made: … -->` to have its own .*, found 1 of 2 that do"):
        rendered(broken, "made", str.upper)
