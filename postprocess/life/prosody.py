"""The voice as it comes in: level and pitch each hundredth of a second, and what a face does something about."""

import math
from typing import NamedTuple

import numpy as np

from config.units import SAMPLE_RATE

STEP_S = 0.01
STEP_SAMPLES = round(STEP_S * SAMPLE_RATE)
REACH_SAMPLES = 320  # before and after a step's moment, that are heard for it: 20 ms
REACH_S = REACH_SAMPLES / SAMPLE_RATE
LEVEL_SAMPLES = 400  # 25 ms
HIGHEST_HZ, LOWEST_HZ = 400.0, 70.0  # of speakers' pitch
APERIODIC = 0.2  # YIN's threshold: a dip of the normalised difference below this is a period
QUIETEST_DB = -100.0
FAINTEST = 1e-6  # the least sum of squares of a window that may have a pitch
NOT_ZERO, NOT_FLAT = 1e-12, 1e-9  # what is divided by: a running sum, a dip's curvature

LOUD_DB = (-35.0, -45.0)  # full scale: what is taken for the loud parts at first, and at least
LOUDER = 0.2  # the share of what is louder that they take in a step,
FORGET_DB = 0.02  # … and by how much they fade from memory
DEPTH_DB, FLOOR_DB = 26.0, -58.0  # a voice is no deeper below the loud parts, nor below full scale
BEGUN_STEPS = 3  # of voice make a beginning,
ENDING_STEPS = 13  # … and of silence an end, as far as a nod is concerned: a stop's closure is mostly shorter
ENDED_STEPS = 30  # … after which nobody speaks
LONG_S = 0.7  # a phrase that is worth a nod
LONG_ENDS, SHORT_ENDS = 0.3, 0.1  # the strength of a long phrase's end at least, and of any other's
ENVELOPE = 0.35  # the share of the way to the level that its envelope goes in a step
RISE_DB, FALL_DB = 3.0, 1.5  # of the envelope, before and after a syllable's peak
HELD_STEPS, LATE_STEPS = 6, 8  # for so long a peak stands without a fall; so late it still is an accent
APART_S = 0.4  # accents
SYLLABLES, PITCHES = 12.0, 250.0  # how many of them a running mean remembers: 2.5 s of voice
EVEN_DB = 2.0  # the least by which syllables are taken to differ
USUAL, BY_LEVEL, BY_PITCH = 0.5, 0.12, 0.04  # a syllable's strength: as most are, for each usual difference of level,
ACCENT = 0.65  # … for each semitone; and that from which it is an accent
LIFT, MOST_LIFT, LIFT_KEPT = 0.3, 9.0, 0.98  # of the way to the pitch in a step; semitones; what a pause leaves


class Heard(NamedTuple):
    """One hundredth of a second of sound."""

    level_db: float  # of full scale
    pitch_hz: float  # 0 where there is none


class Cue(NamedTuple):
    """What a face does something about, at a step."""

    speaking: bool
    begins: bool  # a phrase
    ends: float  # a phrase's strength, 0 to 1, at its end; else 0
    accent: float  # a syllable's strength, ACCENT to 1, where it stands out; else 0
    lift: float  # semitones of the pitch above what is usual; 0 without a voice


class Windows:
    """Sound in, in any pieces; the sound around each step out, once it is there."""

    def __init__(self) -> None:
        self._left = np.zeros(REACH_SAMPLES)  # before the first sample there is silence

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """samples: (any number,) at 16 kHz → (steps, 2 · REACH_SAMPLES), of those steps that are now known."""
        sound = np.concatenate([self._left, samples])
        count = max(0, (len(sound) - 2 * REACH_SAMPLES) // STEP_SAMPLES + 1)
        self._left = sound[count * STEP_SAMPLES :]
        if not count:
            return np.zeros((0, 2 * REACH_SAMPLES))
        return np.lib.stride_tricks.sliding_window_view(sound, 2 * REACH_SAMPLES)[::STEP_SAMPLES][:count]

    def silence(self, steps: int) -> np.ndarray:
        """(samples,) of silence that make so many steps known."""
        needed = (steps - 1) * STEP_SAMPLES + 2 * REACH_SAMPLES - len(self._left)
        return np.zeros(max(0, needed) if steps > 0 else 0)


class Ear:
    """Level and pitch of each step."""

    def __init__(self) -> None:
        self._windows = Windows()

    def hear(self, samples: np.ndarray) -> list[Heard]:
        """samples: (any number,) at 16 kHz."""
        windows = self._windows.hear(samples)
        if not len(windows):
            return []
        return [Heard(*row) for row in np.column_stack([levels_db(windows), pitches_hz(windows)]).tolist()]


def levels_db(windows: np.ndarray) -> np.ndarray:
    """(steps, 640) → (steps,) the level of each window's middle 25 ms, dB of full scale."""
    aside = (windows.shape[1] - LEVEL_SAMPLES) // 2
    middle = windows[:, aside : aside + LEVEL_SAMPLES]
    return 10 * np.log10((middle**2).mean(axis=1) + 10 ** (QUIETEST_DB / 10))


def pitches_hz(windows: np.ndarray) -> np.ndarray:
    """(steps, 640) → (steps,) Hz, 0 where no pitch is heard: YIN (de Cheveigné & Kawahara 2002), steps 2 to 5."""
    longest, shortest = math.ceil(SAMPLE_RATE / LOWEST_HZ), math.floor(SAMPLE_RATE / HIGHEST_HZ)
    length = windows.shape[1] - longest - 1
    centred = windows - windows.mean(axis=1, keepdims=True)
    size = 2 * windows.shape[1]
    product = np.fft.irfft(np.fft.rfft(centred, size) * np.conj(np.fft.rfft(centred[:, :length], size)), size)
    power = np.cumsum(np.pad(centred**2, ((0, 0), (1, 0))), axis=1)
    lags = np.arange(longest + 2)
    difference = power[:, length, None] + power[:, lags + length] - power[:, lags] - 2 * product[:, : longest + 2]
    difference = difference.clip(0)
    running = np.cumsum(difference[:, 1:], axis=1)
    normalised = difference[:, 1:] * lags[1:] / (running + NOT_ZERO)  # of lag 1 on
    rows, place = np.arange(len(windows)), _first_dips(normalised[:, shortest - 1 : longest]) + shortest - 1
    before, at, after = (normalised[rows, place + aside] for aside in (-1, 0, 1))
    curvature = before - 2 * at + after
    aside = np.divide(before - after, 2 * curvature, out=np.zeros(len(rows)), where=curvature > NOT_FLAT)
    pitches = SAMPLE_RATE / (place + 1 + aside.clip(-0.5, 0.5))
    return np.where((at < APERIODIC) & (power[:, -1] > FAINTEST), pitches, 0.0)


def _first_dips(normalised: np.ndarray) -> np.ndarray:
    """(steps, lags) → (steps,): the bottom of the first dip below APERIODIC, else the deepest place."""
    rising = np.pad(np.diff(normalised, axis=1) >= 0, ((0, 0), (0, 1)), constant_values=True)
    dips = (normalised < APERIODIC) & rising
    return np.where(dips.any(axis=1), dips.argmax(axis=1), normalised.argmin(axis=1))


class _Mean:
    """Of what came last, each the less the longer ago."""

    def __init__(self, memory: float) -> None:
        self._memory, self._count, self.value = memory, 0.0, 0.0

    def add(self, value: float) -> None:
        self._count = min(self._count + 1, self._memory)
        self.value += (value - self.value) / self._count


class VoiceFollower:
    """Steps in, a cue each: phrases, accents and pitch, by what was heard so far."""

    def __init__(self) -> None:
        self._speaking, self._voiced_steps, self._silent_steps, self._phrase_steps = False, 0, ENDED_STEPS, 0
        self._ended = True
        self._loud_db = LOUD_DB[0]
        self._envelope_db = self._valley_db = self._peak_db = QUIETEST_DB
        self._since_peak, self._since_accent = 0, math.inf
        self._usual_db, self._differ_db = _Mean(SYLLABLES), _Mean(SYLLABLES)
        self._usual_pitch = _Mean(PITCHES)  # semitones above 1 Hz
        self._lift = self._peak_lift = 0.0
        self._strongest = 0.0

    def follow(self, step: Heard, spoken: bool | None = None) -> Cue:
        """spoken: whether somebody speaks, where a transcript tells; else the level does."""
        louder = step.level_db - self._loud_db
        self._loud_db = max(self._loud_db + (LOUDER * louder if louder > 0 else -FORGET_DB), LOUD_DB[1])
        voiced = step.level_db > max(self._loud_db - DEPTH_DB, FLOOR_DB) if spoken is None else spoken
        lift = self._follow_pitch(step.pitch_hz if voiced else 0.0)
        begins = self._follow_phrase(voiced)
        accent = self._follow_level(step.level_db) if self._phrase_steps else 0.0
        self._strongest = max(self._strongest, accent)
        return Cue(self._speaking, begins, self._ending(), accent, lift)

    def _follow_pitch(self, pitch_hz: float) -> float:
        if not pitch_hz:
            self._lift *= LIFT_KEPT
            return 0.0
        pitch = 12 * math.log2(pitch_hz)
        self._usual_pitch.add(pitch)
        above = pitch - self._usual_pitch.value
        self._lift += LIFT * (min(max(above, -MOST_LIFT), MOST_LIFT) - self._lift)
        return self._lift

    def _follow_phrase(self, voiced: bool) -> bool:
        """Whether a phrase begins."""
        self._voiced_steps = self._voiced_steps + 1 if voiced else 0
        self._silent_steps = 0 if voiced else self._silent_steps + 1
        begins = self._ended and self._voiced_steps >= BEGUN_STEPS
        if begins:
            self._ended, self._speaking, self._phrase_steps, self._strongest = False, True, self._voiced_steps, 0.0
        elif not self._ended:
            self._phrase_steps += 1
        if self._silent_steps >= ENDED_STEPS:
            self._speaking = False
        return begins

    def _ending(self) -> float:
        """The strength of a phrase that ends here."""
        if self._ended or self._silent_steps < ENDING_STEPS:
            return 0.0
        length_s = (self._phrase_steps - ENDING_STEPS) * STEP_S
        self._ended, self._phrase_steps = True, 0
        return max(LONG_ENDS, self._strongest) if length_s >= LONG_S else SHORT_ENDS

    def _follow_level(self, level_db: float) -> float:
        """The strength of an accent that has just been heard."""
        self._since_peak += 1
        self._since_accent += STEP_S
        self._envelope_db += ENVELOPE * (level_db - self._envelope_db)
        if self._envelope_db > self._peak_db:
            self._peak_db, self._since_peak, self._peak_lift = self._envelope_db, 0, self._lift
        elif self._peak_db - self._envelope_db > FALL_DB or self._since_peak > HELD_STEPS:
            rise_db, peak_db = self._peak_db - self._valley_db, self._peak_db
            self._valley_db = min(self._valley_db, self._envelope_db) if rise_db < RISE_DB else self._envelope_db
            self._peak_db = self._envelope_db
            return self._strength(peak_db) if rise_db >= RISE_DB and self._since_peak <= LATE_STEPS else 0.0
        return 0.0

    def _strength(self, peak_db: float) -> float:
        """Of a syllable, against those before it; 0 where it does not stand out or follows one that did."""
        self._usual_db.add(peak_db)
        above_db = peak_db - self._usual_db.value
        self._differ_db.add(abs(above_db))
        by_level = BY_LEVEL * above_db / max(self._differ_db.value, EVEN_DB)
        strength = min(1.0, USUAL + by_level + BY_PITCH * self._peak_lift)
        if strength < ACCENT or self._since_accent < APART_S:
            return 0.0
        self._since_accent = 0.0
        return strength
