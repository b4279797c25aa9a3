"""A head that goes with the voice: nods, sets out before it speaks, follows the pitch, sways and breathes.

Angles are degrees: yaw to its own left, pitch upwards, roll to its right shoulder, as Live Link Face tells them.
"""

import math

from postprocess.life.movement import Glide, Pulses, Sway
from postprocess.life.prosody import STEP_S, Cue
from postprocess.life.seeded import Seeded

SWAY_DEG, SWAY_HZ, SWAY_UNEVEN = (1.0, 0.6, 0.7), 0.07, (0.8, 1.2)  # yaw, pitch, roll; times the rate, of a person's
CALM = 0.45  # share of the sway that stays in silence
NOD_DEG, NOD_RISE_S, NOD_FALL_S = 3.2, 0.17, 0.34  # down at the last syllable of a strong phrase (Ishi 2014) …
NOD_FROM, NOD_HOLD_S, NOD_SHARE = 0.2, 0.04, (0.6, 1.1)  # … a phrase's least strength; of NOD_DEG
BEAT_DEG, BEAT_CHANCE = 1.8, 0.7  # … and a little at accents
BEAT_HOLD_S, BEAT_SHARE = 0.02, (0.4, 1.1)
STANCE_DEG, STANCE_S = (3.0, 1.6, 2.0), (0.5, 0.9)  # where a phrase sets out to, starting before it (Paggio 2015)
READY_DEG = 1.2  # the head rises as a phrase begins
READY_RISE_S, READY_HOLD_S, READY_FALL_S = 0.25, 0.1, 0.5
LIFT_DEG, LIFT_S = 0.22, 0.25  # for each semitone of the pitch (Tiede 2022), and how slowly
BREATH_DEG, BREATH_HZ, BREATH_UNEVEN = 0.3, 0.25, (0.9, 1.1)  # 15 breaths a minute, seen in silence …
BREATH_HELD = 0.7  # … and by this share less in speech
STIR_S = 0.6  # how slowly the head comes to life with the voice


class HeadTurns:
    """The head's yaw, pitch and roll."""

    def __init__(self, random: Seeded, size: float = 1.0) -> None:
        """size: times the usual amplitudes."""
        self._random, self._size = random, size
        self._sways = tuple(Sway(random, SWAY_HZ * random.between(*SWAY_UNEVEN), deg) for deg in SWAY_DEG)
        self._stance = tuple(Glide() for _ in STANCE_DEG)
        self._nods = Pulses()
        self._breath = random.between(0, 2 * math.pi), BREATH_HZ * random.between(*BREATH_UNEVEN)
        self._lift = [0.0, 0.0]  # smoothed once and twice
        self._stir = [0.0, 0.0]
        self._before = (0.0, 0.0)  # lift and stir, a step ago
        self._now_s = 0.0

    def step(self, now_s: float, cue: Cue) -> None:
        self._before, self._now_s = (self._lift[1], self._stir[1]), now_s
        _smooth(self._lift, cue.lift, STEP_S / LIFT_S)
        _smooth(self._stir, float(cue.speaking), STEP_S / STIR_S)
        random = self._random
        if cue.begins:
            for glide, deg in zip(self._stance, STANCE_DEG, strict=True):
                glide.go(now_s, random.between(*STANCE_S), deg * random.between(-1, 1))
            self._nods.add(now_s, READY_RISE_S, READY_HOLD_S, READY_FALL_S, READY_DEG * random.uniform())
        elif cue.ends > NOD_FROM:
            size = -NOD_DEG * cue.ends * random.between(*NOD_SHARE)
            self._nods.add(now_s, NOD_RISE_S, NOD_HOLD_S, NOD_FALL_S, size)
        elif cue.accent and random.uniform() < BEAT_CHANCE:
            size = -BEAT_DEG * cue.accent * random.between(*BEAT_SHARE)
            self._nods.add(now_s, NOD_RISE_S, BEAT_HOLD_S, NOD_FALL_S, size)

    def at(self, time_s: float) -> tuple[float, float, float]:
        """Yaw, pitch and roll, degrees, at a time of the last step or up to one before."""
        behind = min(max((self._now_s - time_s) / STEP_S, 0.0), 1.0)
        lift, stir = (
            now + behind * (before - now)
            for now, before in zip((self._lift[1], self._stir[1]), self._before, strict=True)
        )
        lively, (phase, breath_hz) = CALM + (1 - CALM) * stir, self._breath
        yaw, pitch, roll = (
            lively * sway.at(time_s) + stance.at(time_s) for sway, stance in zip(self._sways, self._stance, strict=True)
        )
        breath = BREATH_DEG * (1 - BREATH_HELD * stir) * math.sin(2 * math.pi * breath_hz * time_s + phase)
        pitch += self._nods.at(time_s) + LIFT_DEG * lift + breath
        return self._size * yaw, self._size * pitch, self._size * roll


def _smooth(stages: list[float], goal: float, share: float) -> None:
    """Two low-passes of one pole, one after the other."""
    stages[0] += share * (goal - stages[0])
    stages[1] += share * (stages[0] - stages[1])
