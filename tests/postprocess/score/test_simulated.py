"""The table of simulated people: what they do keeps to the law, and what does not is seen."""

import numpy as np
import pytest

from postprocess.score.simulated import Hour, figures, simulated


@pytest.fixture(scope="module")
def quarter() -> Hour:
    return simulated(3, speaking=True, minutes=15)


def distance(row: list[str]) -> float:
    return float(row[1].split()[1].rstrip(","))


def test_a_quarter_of_an_hour_keeps_to_the_law(quarter: Hour) -> None:
    rows = {row[0]: row for row in figures([quarter])}
    assert rows["blinks a minute"][2] == "10.5 to 32.5"
    assert rows["blinks a minute"][1].split()[0] == f"{len(quarter.blinks) / 15:.1f}"
    for name in ("blink intervals", "looks away, degrees", "seconds at", "seconds away"):
        assert distance(rows[name]) <= 0.05, name
    least, _, most, _ = rows["closing faster than opening"][1].split()
    assert 40 <= float(least) <= float(most) <= 47


def test_what_breaks_the_law_is_seen(quarter: Hour) -> None:
    """Looks half as far, twice as long, and blinks of another person's rate."""
    broken = quarter._replace(rate=1.5 * quarter.rate, looks=quarter.looks * (1, 0.5, 1, 2))
    rows = {row[0]: row for row in figures([broken])}
    for name in ("blink intervals", "looks away, degrees", "seconds away"):
        assert distance(rows[name]) > 0.1, name
    assert distance(rows["seconds at"]) <= 0.05


def test_directions_are_counted_from_the_own_left(quarter: Hour) -> None:
    left = quarter._replace(looks=np.tile([1.0, 5, 0, 1], (10, 1)))
    (row,) = (row for row in figures([left]) if row[0].startswith("their directions"))
    assert row[1] == "100.0 0.0 0.0 0.0 0.0 0.0 0.0 0.0 %"
