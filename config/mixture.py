"""The weights of a mixture: its members' shares, from 0 up, that sum to 1."""

from config.errors import UserError

TOLERANCE = 1e-6  # how far from 1 they may sum


def check_weight(place: str, weight: float) -> None:
    """Raises UserError, beginning with `place`, for what is no share."""
    if not 0 <= weight < float("inf"):
        raise UserError(f"{place}: {weight:g} is not a weight; give numbers from 0 up")


def is_whole(total: float) -> bool:
    """Whether weights of this sum leave nothing over and nothing out, but for rounding."""
    return abs(total - 1) <= TOLERANCE
