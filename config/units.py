"""Time on a sampled grid: the one audio rate, and how many motion frames a piece of audio has."""

import math
from fractions import Fraction

SAMPLE_RATE = 16_000  # Hz; all audio inside the framework has this rate
LONGEST_PERIOD = 1001  # the denominator of 30000/1001; rates are taken as fractions with at most this one


def frame_count(samples: int, fps: float) -> int:
    """How many motion frames at fps frames a second stand for `samples` audio samples: the nearest, halves up."""
    return math.floor(samples * fps / SAMPLE_RATE + 0.5)


def samples_per(rate_hz: float) -> Fraction:
    """Audio samples between two points of a grid with rate_hz points a second, exactly, so that no drift adds up."""
    return SAMPLE_RATE / Fraction(rate_hz).limit_denominator(LONGEST_PERIOD)
