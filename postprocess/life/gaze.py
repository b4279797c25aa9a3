"""Where eyes look: at the person spoken to and away, by saccades that the head follows where they are large.

The statistics are those of Lee, Badler & Badler 2002, Eyes Alive. Angles are degrees, as the head itself sees them:
yaw to its own left, pitch upwards.
"""

import math

from postprocess.life.movement import Glide, Sway
from postprocess.life.prosody import STEP_S
from postprocess.life.seeded import Deck, Seeded

AT_S = {True: 1.8, False: 2.5}  # mean time of looking at the other one, in speech and in silence; exponential
AWAY_S = {True: 2.1, False: 1.6}
SCALE_DEG, FULL, LARGEST_P = 6.9, 15.7, 15.0  # an amplitude is -6.9 · ln(P / 15.7), P even in (0, 15] …
LARGEST_DEG = {True: 27.5, False: 22.7}  # … and at most this, in speech and in silence
DIRECTIONS = (
    15.5,
    6.5,
    17.7,
    7.4,
    16.8,
    7.9,
    20.4,
    7.8,
)  # %, of 45° each, about 0° (its own left), 45° (up and left) …
DURATION_S, DURATION_S_DEG = 0.025, 0.0024  # of a saccade: the first and, for each degree, the second
HEAD_FROM_DEG, HEAD_SHARE = 10.0, 0.4  # of what a saccade has more, the head takes this share,
HEAD_LATE_S, HEAD_S, HEAD_S_DEG = 0.04, 0.3, 0.02  # … so late, for so long and so much longer for each degree it turns
SHIFT_DEG = 12.0  # a saccade that large brings a blink along
MICRO_DEG, MICRO_MEAN_S = 0.15, 0.8  # the radius of the disc of microsaccades, and the time between two
DRIFT_DEG, DRIFT_HZ = 0.04, 0.35


class Gaze:
    """Where the eyes look in space, and how far the head follows them."""

    def __init__(self, random: Seeded, size: float = 1.0) -> None:
        """size: times the usual amplitudes."""
        self._random, self._size = random, size
        self._eyes, self._head = (Glide(), Glide()), (Glide(), Glide())  # yaw, pitch
        self._micro = Glide(), Glide()
        self._drift = Sway(random, DRIFT_HZ, DRIFT_DEG), Sway(random, DRIFT_HZ, DRIFT_DEG)
        self._amplitudes, self._directions = Deck(random), Deck(random)
        self._stays = {away: Deck(random) for away in (False, True)}
        self._away = False
        self._since, self._due = 0.0, self._stays[False].exponential()
        self._micro_due_s = MICRO_MEAN_S * random.exponential()

    def step(self, now_s: float, speaking: bool) -> float:
        """A step of sound later: how far a saccade that starts now goes, degrees; 0 without one."""
        self._since += STEP_S / (AWAY_S if self._away else AT_S)[speaking]
        if now_s >= self._micro_due_s:
            self._micro_saccade(now_s)
        if self._since < self._due:
            return 0.0
        self._away = not self._away
        self._since, self._due = 0.0, self._stays[self._away].exponential()
        yaw = pitch = 0.0
        if self._away:
            yaw, pitch = target(self._amplitudes.uniform(), self._directions.uniform(), speaking)
        return self._saccade(now_s, self._size * yaw, self._size * pitch)

    def _saccade(self, now_s: float, yaw: float, pitch: float) -> float:
        length = math.hypot(yaw - self._eyes[0].goal, pitch - self._eyes[1].goal)
        out = math.hypot(yaw, pitch)
        share = HEAD_SHARE * max(out - HEAD_FROM_DEG, 0.0) / out if out else 0.0
        turn = math.hypot(share * yaw - self._head[0].goal, share * pitch - self._head[1].goal)
        for eye, head, goal in zip(self._eyes, self._head, (yaw, pitch), strict=True):
            eye.go(now_s, DURATION_S + DURATION_S_DEG * length, goal)
            if turn:
                head.go(now_s + HEAD_LATE_S, HEAD_S + HEAD_S_DEG * turn, share * goal)
        return length

    def _micro_saccade(self, now_s: float) -> None:
        radius, angle = MICRO_DEG * math.sqrt(self._random.uniform()), self._random.between(0, 2 * math.pi)
        for axis, goal in zip(self._micro, (radius * math.cos(angle), radius * math.sin(angle)), strict=True):
            axis.go(now_s, DURATION_S, self._size * goal)
        self._micro_due_s = now_s + MICRO_MEAN_S * self._random.exponential()

    @property
    def goal(self) -> tuple[float, float]:
        """Where the last saccade goes: yaw and pitch, degrees."""
        return self._eyes[0].goal, self._eyes[1].goal

    def at(self, time_s: float) -> tuple[float, float]:
        """Yaw and pitch in space, degrees."""
        yaw, pitch = (
            eye.at(time_s) + micro.at(time_s) + self._size * drift.at(time_s)
            for eye, micro, drift in zip(self._eyes, self._micro, self._drift, strict=True)
        )
        return yaw, pitch

    def head_at(self, time_s: float) -> tuple[float, float]:
        """Yaw and pitch by which the head follows, degrees."""
        return self._head[0].at(time_s), self._head[1].at(time_s)


def target(amplitude: float, direction: float, speaking: bool) -> tuple[float, float]:
    """Yaw and pitch of a look away, degrees. amplitude, direction: the shares of looks, in [0, 1), that go less far and
    that come before it around the circle, from half a sector before 0° on."""
    least_p = FULL * math.exp(-LARGEST_DEG[speaking] / SCALE_DEG)
    length = -SCALE_DEG * math.log((LARGEST_P - amplitude * (LARGEST_P - least_p)) / FULL)
    sector, rest = 0, direction * sum(DIRECTIONS)
    while sector < len(DIRECTIONS) - 1 and rest >= DIRECTIONS[sector]:
        rest -= DIRECTIONS[sector]
        sector += 1
    angle = math.radians(45 * (sector - 0.5 + rest / DIRECTIONS[sector]))
    return length * math.cos(angle), length * math.sin(angle)
