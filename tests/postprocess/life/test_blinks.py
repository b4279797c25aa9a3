"""An hour of blinks by one person, who speaks, is silent, or has something to blink about."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from postprocess.life.blinks import (
    INTERVAL_MEDIAN,
    INTERVAL_SIGMA,
    PARTIAL,
    RANGES,
    SILENT,
    TALKING,
    Blink,
    Blinks,
)
from postprocess.life.prosody import STEP_S
from postprocess.life.seeded import Seeded

MINUTES = 60
SEED = 4


@cache
def hour(speaking: bool, cues: bool = False) -> tuple[float, list[Blink]]:
    """(the person's rate over the usual one, the blinks of an hour); cues: a pause each 2.5 s, a large shift each 4."""
    blinks, chance = Blinks(Seeded(SEED, "hour", "blinks")), Seeded(SEED, "hour", "cues")
    found: list[Blink] = []
    for step in range(round(MINUTES * 60 / STEP_S)):
        pause, shift = cues and chance.uniform() < STEP_S / 2.5, cues and chance.uniform() < STEP_S / 4
        blinks.step(step * STEP_S, speaking, pause, shift)
        if blinks.blinks and (not found or blinks.blinks[-1] is not found[-1]):
            found.append(blinks.blinks[-1])
    return blinks.person, found


def intervals_s(blinks: list[Blink]) -> np.ndarray:
    return np.diff([blink.start_s for blink in blinks])


@pytest.mark.parametrize(("speaking", "usual"), [(True, TALKING), (False, SILENT)])
@pytest.mark.parametrize("cues", [False, True])
def test_an_hours_rate_and_intervals_are_those_of_the_law(speaking: bool, usual: float, cues: bool) -> None:
    person, blinks = hour(speaking, cues)
    low, high = RANGES[usual]
    assert low <= len(blinks) / MINUTES <= high
    assert len(blinks) / MINUTES == pytest.approx(person * usual, rel=0.06)
    law = stats.lognorm(INTERVAL_SIGMA, scale=INTERVAL_MEDIAN * 60 / (person * usual))
    assert stats.kstest(intervals_s(blinks), law.cdf).statistic <= 0.035  # of independent ones 0.053, one in twenty
    assert stats.skew(intervals_s(blinks)) > 1
    assert law.mean() == pytest.approx(60 / (person * usual), rel=1e-3)


def test_who_speaks_blinks_more() -> None:
    assert len(hour(True)[1]) / len(hour(False)[1]) == pytest.approx(TALKING / SILENT, rel=0.08)


def test_about_half_do_not_close_and_no_two_run_into_each_other() -> None:
    _, blinks = hour(True)
    partial = np.array([blink.size for blink in blinks if blink.size < 1])
    assert len(partial) / len(blinks) == pytest.approx(0.5, abs=0.05)
    low, high = PARTIAL
    assert stats.kstest(partial, stats.uniform(low, high - low).cdf).statistic <= 0.05
    assert all(after.start_s > before.end_s for before, after in pairwise(blinks))
    assert all(0.1 <= blink.end_s - blink.start_s <= 0.4 for blink in blinks)


def test_lids_close_faster_than_they_open_and_not_quite_together() -> None:
    for blink in hour(True)[1][:50]:
        times = np.arange(blink.start_s, blink.end_s, 1e-4)
        left, right = np.array([blink.at(time) for time in times]).T
        for lid in (left, right):
            speed = np.diff(lid)
            assert 1.39 <= speed.max() / -speed.min() <= 1.48  # Sforza 2008: 40 to 47 %
        lag_s = (right.argmax() - left.argmax()) * 1e-4
        assert lag_s == pytest.approx(blink.lag_s, abs=blink.shut_s + 2e-4)
        assert 0.95 <= min(left.max(), right.max()) / max(left.max(), right.max()) <= 1


def test_pauses_and_shifts_bring_blinks_along() -> None:
    def share(bring: str) -> float:
        """Of a shift each 5 s, that is followed by a blink at once."""
        blinks, met = Blinks(Seeded(SEED, "a", "blinks")), []
        for step in range(120_000):
            cue = step % 500 == 250
            before = blinks.blinks[-1:]
            blinks.step(step * STEP_S, True, bring == "pause" and cue, bring == "shift" and cue)
            if cue:
                met.append(blinks.blinks[-1:] != before)
        return float(np.mean(met))

    assert share("nothing") < 0.02
    assert share("pause") > 0.1
    assert share("shift") > share("pause")


def test_people_differ_within_the_published_range() -> None:
    people = [Blinks(Seeded(seed, "a", "blinks")).person for seed in range(500)]
    for usual, (low, high) in RANGES.items():
        assert low <= usual * min(people) and usual * max(people) <= high
    assert 0.75 < np.median(people) < 1
    assert np.std(np.log(people)) > 0.15
