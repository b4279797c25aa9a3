"""Curves that a model must beat, and a yardstick: what its scores are compared with in every table."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from config.errors import UserError
from dataset.articulation import ipa
from dataset.blendshapes import ARKIT, indices
from dataset.stats import Stats
from dataset.transcript import Word
from dataset.viseme_animator import Phone, animate
from dataset.visemes import BY_LETTER

LATE_FRAMES = (1, 2)
MEAN_FACE, VISEME_FACE, TARGET = "mean face", "viseme animator", "target"  # as tables name them


def mean_face(stats: Stats, names: tuple[str, ...], frames: int, source: Path) -> np.ndarray:
    """The training mean held for the whole clip, (frames, len(names)): what a model must beat.

    Raises UserError, naming the source, for a channel that the stats lack.
    """
    for name in names:
        if name not in stats.channels:
            raise UserError(f"{source}: no mean for {name}; give the stats of all channels in the csvs")
    return np.tile(stats.select(names).mean, (frames, 1))


def viseme_face(phones: Sequence[Word], names: tuple[str, ...], frames: int, fps: float) -> np.ndarray:
    """The rule-based animator on the words' phones, (frames, len(names)): no learning at all."""
    duration_s = frames / fps
    curves = animate(list(_in_order(phones, duration_s)), duration_s, fps, seed=0)
    return curves[:frames, indices(ARKIT, names)].astype(np.float64)


def _in_order(phones: Sequence[Word], duration_s: float) -> Iterator[Phone]:
    """The phones cut to the clip, those that overlap by an aligner's rounding set right."""
    now = 0.0
    for phone in phones:
        start_s, end_s = min(max(phone.start_s, now), duration_s), min(max(phone.end_s, now), duration_s)
        letters = "".join(letter for letter in ipa(phone.text) if letter in BY_LETTER)
        yield Phone(letters, start_s, end_s)
        now = end_s


def late(target: np.ndarray, frames: int) -> np.ndarray:
    """The target itself, (frames, …), so many frames late: its first frame held, its end cut off."""
    return np.concatenate([np.repeat(target[:1], frames, axis=0), target])[: len(target)]
