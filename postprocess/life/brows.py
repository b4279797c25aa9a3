"""Brows that rise with what the voice stresses."""

from postprocess.life.movement import Pulses, Sway
from postprocess.life.prosody import Cue
from postprocess.life.seeded import Seeded

CHANCE = 0.6  # that an accent is seen in the brows: they mark some of them (Flecha-García 2010)
RISE_S, HOLD_S, FALL_S = 0.16, (0.05, 0.2), 0.36  # up at the syllable's peak, which is known before it is heard
LIFT, LIFT_LEAST = 0.45, 0.10  # of BrowInnerUp for an accent of strength 1, and the least
OUTER = (0.55, 1.0)  # a person's outer brows over the inner ones
UNEVEN = (-0.12, 0.12)  # how much more a person's left outer brow rises, as the right one rises less
OPENING_LIFT = 0.10  # as a phrase begins
REST, REST_HZ = 0.008, 0.11  # what a face that is awake never stops …
REST_LIFT = 0.02  # … and about which height it does so


class Brows:
    """How far the inner and the outer brows are raised."""

    def __init__(self, random: Seeded, size: float = 1.0) -> None:
        """size: times the usual amplitudes."""
        self._random, self._size = random, size
        self._raises = Pulses()
        self._rest = Sway(random, REST_HZ, REST)
        self._outer = random.between(*OUTER)
        self._uneven = random.between(*UNEVEN)

    def step(self, now_s: float, cue: Cue) -> None:
        if cue.begins:
            self._raise(now_s, OPENING_LIFT * self._random.uniform())
        elif cue.accent and self._random.uniform() < CHANCE:
            self._raise(now_s, LIFT_LEAST + (LIFT - LIFT_LEAST) * cue.accent * self._random.uniform())

    def _raise(self, now_s: float, size: float) -> None:
        self._raises.add(now_s, RISE_S, self._random.between(*HOLD_S), FALL_S, self._size * size)

    def at(self, time_s: float) -> tuple[float, float, float]:
        """BrowInnerUp, and BrowOuterUp left and right."""
        inner = self._raises.at(time_s) + self._size * (REST_LIFT + self._rest.at(time_s))
        outer = self._outer * inner
        return max(inner, 0.0), max(outer * (1 + self._uneven), 0.0), max(outer * (1 - self._uneven), 0.0)
