"""Errors, differences and lists as words, for messages, pages and tables alike."""

from collections.abc import Sequence


def percent(share: float | None, *, digits: int = 1) -> str:
    """Write a share in per cent; a dash where there is none.

    Example:
        >>> percent(0.0646)
        '6.5 %'
    """
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def percent_range(low: float, high: float, *, digits: int = 1) -> str:
    """Write the ends of an interval of shares.

    Example:
        >>> percent_range(0.06, 0.0696)
        '6.0 to 7.0'
    """
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"


def percent_with_interval(share: float, low: float | None, high: float | None, *, digits: int = 1) -> str:
    """Write a share in per cent with its interval, where there is one.

    Example:
        >>> percent_with_interval(0.0646, 0.06, 0.0696)
        '6.5 % (6.0 to 7.0)'
    """
    interval = "" if low is None or high is None else f" ({percent_range(low, high, digits=digits)})"
    return f"{percent(share, digits=digits)}{interval}"


def points(difference: float, *, digits: int = 1) -> str:
    """Write a difference of two shares in percentage points, with its sign.

    Example:
        >>> points(-0.0123)
        '−1.2'
    """
    return f"{100 * difference:+.{digits}f}".replace("-", "−")


def points_with_interval(difference: float, low: float | None, high: float | None, *, digits: int = 1) -> str:
    """Write a difference in percentage points with its interval, where there is one.

    Example:
        >>> points_with_interval(-0.0123, -0.02, 0.001)
        '−1.2 (−2.0 to +0.1)'
    """
    if low is None or high is None:
        return points(difference, digits=digits)
    return f"{points(difference, digits=digits)} ({points(low, digits=digits)} to {points(high, digits=digits)})"


def p_value(value: float, *, equals: str = "") -> str:
    """Write a probability to two digits, or that it is below a thousandth."""
    return "< 0.001" if value < 0.001 else f"{equals}{value:.2g}"


def some(names: Sequence[str], at_most: int = 3) -> str:
    """Name the first of many and say how many more there are.

    Example:
        >>> some(["cat", "dog", "frog"], 2)
        'cat, dog and 1 more'
    """
    more = f" and {len(names) - at_most:,} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more
