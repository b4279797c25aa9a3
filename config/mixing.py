"""The weights by which curves of several models are mixed: what may be one, and that they sum to 1."""

from collections.abc import Iterable

from config.errors import UserError

TOLERANCE = 1e-6  # how far from 1 the weights may sum


def check_weight(place: str, weight: float) -> None:
    """Raises UserError, beginning with the place, for a weight that is negative or not finite."""
    if not 0 <= weight < float("inf"):
        raise UserError(f"{place}: {weight:g} is not a weight; give numbers from 0 up")


def sum_to_one(weights: Iterable[float]) -> bool:
    """Whether mixing by these weights keeps the curves' size."""
    return abs(sum(weights) - 1) <= TOLERANCE
