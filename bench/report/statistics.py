"""Figures out of many measurements.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_POINTS = 1_500
"""Points of a curve that are drawn; the tail keeps all of its own."""
TAIL = 200


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that `share` of them do not exceed, between two by their distance; None of none."""
    if not ordered:
        return None
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of none."""
    return sum(values) / len(values) if values else None


def cdf(ordered: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Values, and the share that does not exceed each, thinned where there are very many."""
    count = len(ordered)
    body = max(0, count - TAIL)
    step = max(1, body // MAX_POINTS)
    picked = [*range(0, body, step), *range(body, count)]
    return tuple(ordered[i] for i in picked), tuple((i + 1) / (count + 1) for i in picked)
