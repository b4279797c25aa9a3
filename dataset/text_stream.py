"""The text stream: what is being said at each motion frame, from words with times. Training and synthesis read this."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from dataset.phones import length, plain_letters, sounds_of, syllable
from dataset.text_units import NONE, PAUSE, UNITS, UNKNOWN
from dataset.transcript import Word

BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))

_NUMBERS = {unit: number for number, unit in enumerate(UNITS)}


class TextStream(NamedTuple):
    """What sounds at each motion frame, and how far it has come."""

    unit: np.ndarray  # (frames,) uint8, numbers in dataset.text_units.UNITS
    position: np.ndarray  # (frames,) float32 within the unit, from 0 to below 1


def text_stream(words: Sequence[Word], frames: int, fps: float) -> TextStream:
    """The unit that sounds at each frame, frame i standing at i / fps, and how far it has come.

    words: in order, as read_tsv gives them; none at all means that there is no transcript. A word's time is shared out
    among its units as dataset.phones shares it among phones. What is said past the last frame is passed over.
    """
    if not words:
        return TextStream(np.full(frames, NONE, np.uint8), np.zeros(frames, np.float32))
    numbers, starts, ends = _units(words, fps)
    said = heard_at(starts, ends, frames)
    position = (np.arange(frames) - starts[said]) / np.maximum(ends - starts, 1e-9)[said]
    return TextStream(
        np.where(said < 0, PAUSE, numbers[said]).astype(np.uint8),
        np.where(said < 0, 0, position).clip(0, BELOW_ONE).astype(np.float32),
    )


def heard_at(starts: np.ndarray, ends: np.ndarray, frames: int) -> np.ndarray:
    """(frames,) which of some sounds is heard at each frame, -1 where none is; starts, ends: (n,), in order, in frames.

    A sound so short that no frame stands in it takes the frame nearest to its middle, unless that is its neighbour's
    only one: a closed mouth is not lost between frames.
    """
    frame = np.arange(frames)
    heard = np.searchsorted(starts, frame, side="right") - 1  # the last one that has begun
    heard[frame >= ends[heard]] = -1
    _give_frames_to_the_short(heard, starts, ends)
    return heard


def _units(words: Sequence[Word], fps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(numbers, starts, ends) of the words' units, the times in frames."""
    spelt = [_spell(word.text) for word in words]
    units_of = [len(numbers) for numbers, _ in spelt]
    start = np.repeat([word.start_s * fps for word in words], units_of)
    span = np.repeat([(word.end_s - word.start_s) * fps for word in words], units_of)
    begins = np.concatenate([bounds[:-1] for _, bounds in spelt])
    finishes = np.concatenate([bounds[1:] for _, bounds in spelt])
    return np.concatenate([numbers for numbers, _ in spelt]), start + begins * span, start + finishes * span


@lru_cache(maxsize=1 << 16)
def _spell(token: str) -> tuple[np.ndarray, np.ndarray]:
    """(the units' numbers (n,), where in the token each begins and ends (n + 1,), from 0 to 1)."""
    units: list[tuple[str, str]] = []  # with the sounds by which they last
    for character in token:
        if found := syllable(character):
            names = (f"{found[0]}-", f"-{found[1]}")
            units += [(name, sounds) for name, sounds in zip(names, sounds_of(*found), strict=True) if sounds]
        else:
            units += [(letter, letter) for letter in plain_letters(character)]
    numbers = [_NUMBERS.get(unit, UNKNOWN) for unit, _ in units] or [UNKNOWN]
    ends = list(accumulate(length(sounds) for _, sounds in units)) or [1.0]
    return np.array(numbers, np.uint8), np.array([0.0, *ends]) / ends[-1]


def _give_frames_to_the_short(heard: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """heard: (frames,), which sound each frame is in, -1 for none; changed in place."""
    frames_of = np.ceil(ends) - np.ceil(starts)
    nearest = np.round((starts + ends) / 2).astype(int)
    short = np.flatnonzero((frames_of < 1) & (nearest < len(heard)))
    owner = heard[nearest[short]]
    short = short[(owner < 0) | (frames_of[owner] > 1)]
    heard[nearest[short]] = short
