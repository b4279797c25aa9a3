"""When and how lids blink, as published of people who speak and who listen."""

import math
from statistics import NormalDist
from typing import NamedTuple

from postprocess.life.movement import ease
from postprocess.life.prosody import STEP_S
from postprocess.life.seeded import Seeded

# A minute: Bentivoglio 1997, the log-normal spread over people too. 95 % of Doughty's (2001) people lie within RANGES.
TALKING, SILENT = 26.0, 17.0
SPREAD = 0.25  # of people's rates: the deviation of the logarithm
RANGES = {TALKING: (10.5, 32.5), SILENT: (8.0, 21.0)}
INTERVAL_SIGMA = 0.6  # of intervals, log-normal: positively skewed (Doughty 2002, Nomura 2018)
INTERVAL_MEDIAN = 0.8352702114112720  # exp(-INTERVAL_SIGMA² / 2), so that their mean is 1
NEAR = 0.15  # of the mean interval: an interval that differs by no more from the time since the last blink is taken …
PAUSE_CHANCE, SHIFT_CHANCE = (
    0.6,
    0.8,
)  # … by the end of a phrase, and by a large shift of the gaze (Peters & Qureshi 2010)
FULL_SHARE = 0.5  # of blinks close the eye; the others close it by a part of PARTIAL (Ousler 2014)
PARTIAL = (0.4, 0.85)
CLOSING_S, CLOSING_SIGMA, CLOSING_RANGE_S = 0.085, 0.15, (0.06, 0.15)  # median, spread, limits
OPENING = (1.40, 1.47)  # times as long: lids close 40 to 47 % faster than they open (Sforza 2008)
SHUT_S = (0.0, 0.02)
APART_S = 0.1  # open between two blinks, at least
LAG_S, UNEVEN = (0.0, 0.012), 0.04  # between the eyes, and by how much less the later one closes at most


class Blink(NamedTuple):
    """One blink of both eyes."""

    start_s: float
    closing_s: float
    shut_s: float
    opening_s: float
    size: float  # 1: the eye is closed
    lag_s: float  # of the right eye; negative: of the left one
    uneven: float  # of the size, that the later eye lacks

    @property
    def end_s(self) -> float:
        return self.start_s + self.closing_s + self.shut_s + self.opening_s + abs(self.lag_s)

    def at(self, time_s: float) -> tuple[float, float]:
        """How far the left and the right eye are closed."""
        left, right = max(-self.lag_s, 0.0), max(self.lag_s, 0.0)
        return self._lid(time_s - left, left), self._lid(time_s - right, right)

    def _lid(self, time_s: float, lag_s: float) -> float:
        size = self.size * (1 - self.uneven) if lag_s else self.size
        since_s = time_s - self.start_s
        if since_s < self.closing_s:
            return size * ease(since_s / self.closing_s)
        return size * (1 - ease((since_s - self.closing_s - self.shut_s) / self.opening_s))


class Blinks:
    """A renewal process: intervals of one law on a clock that runs faster in speech.

    They are dealt by the hand; what a blink goes along with chooses among those left in it, so that the law and the
    rate are kept. By how much a blink comes early or late the next one makes up.
    """

    def __init__(self, random: Seeded, rate: float = 1.0) -> None:
        """rate: times the usual number."""
        self._random = random
        self.person = _person(random)
        self._rates = {True: TALKING * self.person * rate, False: SILENT * self.person * rate}
        self._hand = self._deal()
        self._since, self._owed = 0.0, -self._hand[-1] * random.uniform()  # in mean intervals
        self._free_s = -1.0
        self.blinks: list[Blink] = []  # those that may still be seen

    def step(self, now_s: float, speaking: bool, pause: bool, shift: bool) -> None:
        """A step of sound later. pause: a phrase ends; shift: the gaze moves far."""
        self._since += self._rates[speaking] / 60 * STEP_S
        chance = SHIFT_CHANCE if shift else PAUSE_CHANCE if pause else 0.0
        brought = chance > 0 and self._random.uniform() < chance and self._choose()
        if now_s >= self._free_s and (brought or self._since >= self._hand[-1] + self._owed):
            blink = self._blink(now_s)
            self._free_s = blink.end_s + APART_S
            self._owed += self._hand.pop() - self._since
            self._since = 0.0
            self._hand = self._hand or self._deal()
            self.blinks = [*self.blinks[-1:], blink]

    def _choose(self) -> bool:
        """Take the interval of the hand that is nearest to being over; whether it is NEAR."""
        hand, over = self._hand, self._since - self._owed
        nearest = min(range(len(hand)), key=lambda place: abs(hand[place] - over))
        if abs(hand[nearest] - over) > NEAR:
            return False
        hand[nearest], hand[-1] = hand[-1], hand[nearest]
        return True

    def at(self, time_s: float) -> tuple[float, float]:
        """How far the left and the right eye are closed, 0 to 1."""
        shut = [blink.at(time_s) for blink in self.blinks]
        return max((left for left, _ in shut), default=0.0), max((right for _, right in shut), default=0.0)

    def _deal(self) -> list[float]:
        """Intervals, as many as a spread has; the last is the next."""
        return [
            INTERVAL_MEDIAN * math.exp(INTERVAL_SIGMA * NormalDist().inv_cdf(share)) for share in self._random.spread()
        ]

    def _blink(self, start_s: float) -> Blink:
        random = self._random
        shortest, longest = CLOSING_RANGE_S
        closing_s = min(max(random.log_normal(CLOSING_S, CLOSING_SIGMA), shortest), longest)
        opening_s = closing_s * random.between(*OPENING)
        size = 1.0 if random.uniform() < FULL_SHARE else random.between(*PARTIAL)
        lag_s = random.between(*LAG_S) * (1 if random.uniform() < 0.5 else -1)
        return Blink(start_s, closing_s, random.between(*SHUT_S), opening_s, size, lag_s, UNEVEN * random.uniform())


def _person(random: Seeded) -> float:
    """A person's rates over the usual ones: log-normal, drawn again where they leave RANGES."""
    low = max(lowest / usual for usual, (lowest, _) in RANGES.items())
    high = min(highest / usual for usual, (_, highest) in RANGES.items())
    while True:
        person = random.log_normal(1.0, SPREAD)
        if low <= person <= high:
            return person
