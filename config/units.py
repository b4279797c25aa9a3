"""Time on a sampled grid: the one audio rate, and how many motion frames a piece of audio has."""

import math

SAMPLE_RATE = 16_000  # Hz; all audio inside the framework has this rate


def frame_count(samples: int, fps: float) -> int:
    """How many motion frames at fps frames a second stand for `samples` audio samples: the nearest, halves up."""
    return math.floor(samples * fps / SAMPLE_RATE + 0.5)
