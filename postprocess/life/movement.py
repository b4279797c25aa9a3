"""How things move: from rest to rest with the least jerk; what is held, what comes and goes, what sways."""

import math
from typing import NamedTuple

from postprocess.life.seeded import Seeded

RATES = (1.0, 1.618, 2.414)  # of a sway's sines, times the slowest: they share no common beat …
UNEVEN = (0.9, 1.1)  # … and times this, of each sway's own


def ease(share: float) -> float:
    """0 at 0, 1 at 1, at rest at both: the path of least jerk (Flash & Hogan 1985)."""
    if share <= 0:
        return 0.0
    return 1.0 if share >= 1 else share**3 * (10 - 15 * share + 6 * share * share)


class _Move(NamedTuple):
    start_s: float
    duration_s: float
    by: float


class Glide:
    """A value that goes from place to place; moves may overlap, for they add up. Asked at rising times."""

    def __init__(self) -> None:
        self.goal = 0.0  # where it is once all moves are done
        self._settled = 0.0
        self._moves: list[_Move] = []

    def go(self, start_s: float, duration_s: float, goal: float) -> None:
        """Be at the goal after the move."""
        self._moves.append(_Move(start_s, duration_s, goal - self.goal))
        self.goal = goal

    def at(self, time_s: float) -> float:
        if not self._moves:
            return self._settled
        while self._moves and time_s >= self._moves[0].start_s + self._moves[0].duration_s:
            self._settled += self._moves.pop(0).by
        return self._settled + sum(by * ease((time_s - start) / length) for start, length, by in self._moves)


class _Pulse(NamedTuple):
    start_s: float
    rise_s: float
    hold_s: float
    fall_s: float
    size: float

    def at(self, time_s: float) -> float:
        since_s = time_s - self.start_s
        if since_s < self.rise_s:
            return self.size * ease(since_s / self.rise_s)
        return self.size * (1 - ease((since_s - self.rise_s - self.hold_s) / self.fall_s))


class Pulses:
    """Movements that come and go; those that overlap add up. Asked at rising times."""

    def __init__(self) -> None:
        self._pulses: list[_Pulse] = []

    def add(self, start_s: float, rise_s: float, hold_s: float, fall_s: float, size: float) -> None:
        self._pulses.append(_Pulse(start_s, rise_s, hold_s, fall_s, size))

    def at(self, time_s: float) -> float:
        if not self._pulses:
            return 0.0
        first = self._pulses[0]
        if time_s > first.start_s + first.rise_s + first.hold_s + first.fall_s:
            del self._pulses[0]
        return sum(pulse.at(time_s) for pulse in self._pulses)


class Sway:
    """A slow wander about 0: sines of RATES, of rms `size` together."""

    def __init__(self, random: Seeded, slowest_hz: float, size: float) -> None:
        jitter = [random.between(*UNEVEN) for _ in RATES]
        phases = [random.between(0, 2 * math.pi) for _ in RATES]
        self._sines = [
            (2 * math.pi * slowest_hz * rate * by, phase) for rate, by, phase in zip(RATES, jitter, phases, strict=True)
        ]
        self._size = size * math.sqrt(2 / len(RATES))

    def at(self, time_s: float) -> float:
        return self._size * sum(math.sin(pace * time_s + phase) for pace, phase in self._sines)
