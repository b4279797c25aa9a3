"""Where speech is by its energy alone, and tokens spread over it: no tool, no model, approximate times."""

from itertools import pairwise

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from config.errors import UserError
from config.units import SAMPLE_RATE
from dataset.transcript import Word

HOP_S, WINDOW_S = 0.01, 0.025
HIGH_PASS_HZ = 100  # leaves out the offset and the rumble that would hide the noise floor
SILENCE_DB = -60.0  # of full scale: a clip that never gets louder holds no speech
STEADY_DB = 10.0  # a clip whose loud and quiet parts differ by less has no pause that could be told
# Tuned on the demo corpus, whose word times are known: tokens lie 80 ms off on average, and as much in 30 dB of noise.
THRESHOLD = 0.25  # of the way from the noise floor to the loud parts, in dB
DEEPEST_DB = 30.0  # below the loud parts, where the noise floor is digital silence
SHORTEST_PAUSE_S, SHORTEST_SPEECH_S = 0.12, 0.08  # a shorter pause is a stop's closure, shorter speech a click
PAUSE_MARGIN_S = 0.25  # on either side of a pause, where a mouth still closes or opens already
LETTERS_A_SYLLABLE = 3


def speech_stretches(audio: np.ndarray) -> np.ndarray:
    """(samples,) 16 kHz → (stretches, 2): start and end of each stretch of speech in seconds, pauses between them.

    Raises UserError for sound in which there is nothing to hear.
    """
    level_db = _levels(audio)
    floor_db, loud_db = np.percentile(level_db, [10, 95])
    if loud_db < SILENCE_DB:
        raise UserError(f"silence ({loud_db:.0f} dB at its loudest); no speech to align")
    if loud_db - floor_db < STEADY_DB:
        return np.array([[0.0, len(audio) / SAMPLE_RATE]])
    is_speech = level_db > max(floor_db + THRESHOLD * (loud_db - floor_db), loud_db - DEEPEST_DB)
    for start, end in runs(~is_speech):
        if start > 0 and end < len(is_speech) and end - start < SHORTEST_PAUSE_S / HOP_S:
            is_speech[start:end] = True
    stretches = runs(is_speech) * HOP_S
    long_enough = np.diff(stretches)[:, 0] >= min(SHORTEST_SPEECH_S, np.diff(stretches).max())
    return np.minimum(stretches[long_enough], len(audio) / SAMPLE_RATE)


def _levels(audio: np.ndarray) -> np.ndarray:
    """The level in dB of full scale, every HOP_S."""
    power = sosfilt(butter(2, HIGH_PASS_HZ, "highpass", fs=SAMPLE_RATE, output="sos"), audio.astype(np.float64)) ** 2
    window = round(WINDOW_S * SAMPLE_RATE)
    smooth = fftconvolve(power, np.full(window, 1 / window), "same")[:: round(HOP_S * SAMPLE_RATE)]
    return 10 * np.log10(smooth.clip(1e-10))


def runs(flags: np.ndarray) -> np.ndarray:
    """(runs, 2): where each run of true flags starts, and where it has ended."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2)


def inside(times_s: np.ndarray, stretches: np.ndarray, margin_s: float = 0.0) -> np.ndarray:
    """(times,) rising, (stretches, 2) → (times,) bool: those in a stretch that is so much longer at either end."""
    within = np.zeros(len(times_s), bool)
    for start, end in stretches:
        first, last = np.searchsorted(times_s, (start - margin_s, end + margin_s))
        within[first:last] = True
    return within


def spread(tokens: list[str], stretches: np.ndarray) -> list[Word]:
    """Tokens over stretches of speech (stretches, 2), each as long as it has syllables; none reaches into a pause."""
    syllables = np.array([max(1, len(token) / LETTERS_A_SYLLABLE) for token in tokens])
    ends = np.cumsum(syllables)
    middles = (ends - syllables / 2) / ends[-1]
    speech_s = np.cumsum(np.diff(stretches)[:, 0])  # up to the end of each stretch, pauses left out
    stretch_of = np.searchsorted(speech_s, middles * speech_s[-1])
    words: list[Word] = []
    for index, (start_s, end_s) in enumerate(stretches.tolist()):
        here = np.flatnonzero(stretch_of == index)
        bounds = np.cumsum([0, *syllables[here]])
        bounds = start_s + (end_s - start_s) * bounds / max(bounds[-1], 1)
        words += [Word(tokens[i], *times) for i, times in zip(here, pairwise(bounds.tolist()), strict=True)]
    return words
