"""Errors and differences as words, for messages, pages and tables alike."""

from collections.abc import Mapping, Sequence


def percent(share: float | None, *, digits: int = 1) -> str:
    """Write a share in per cent; a dash where there is none.

    Example:
        >>> percent(0.0646)
        '6.5 %'
    """
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def percent_range(low: float, high: float) -> str:
    """Write the lowest and the highest of some shares.

    Example:
        >>> percent_range(0.06, 0.0696)
        '6.0 to 7.0 %'
    """
    return f"{_ends(low, high, 1)} %"


def percent_with_interval(share: float, low: float | None, high: float | None, *, digits: int = 1) -> str:
    """Write a share in per cent with its interval, where there is one.

    Example:
        >>> percent_with_interval(0.0646, 0.06, 0.0696)
        '6.5 % (6.0 to 7.0)'
    """
    interval = "" if low is None or high is None else f" ({_ends(low, high, digits)})"
    return f"{percent(share, digits=digits)}{interval}"


def error_with_interval(metrics: Mapping[str, float], name: str, *, digits: int = 1) -> str:
    """Write an error of a report, whose interval is from NAME_low to NAME_high."""
    return percent_with_interval(metrics[name], metrics.get(f"{name}_low"), metrics.get(f"{name}_high"), digits=digits)


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


def listed(names: Sequence[str]) -> str:
    """Write names as a list in a sentence.

    Example:
        >>> listed(["conv1", "conv2", "fc8"])
        'conv1, conv2 and fc8'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def p_value(value: float, *, equals: str = "") -> str:
    """Write a probability to two digits, or that it is below a thousandth."""
    return "< 0.001" if value < 0.001 else f"{equals}{value:.2g}"


def _ends(low: float, high: float, digits: int) -> str:
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"
