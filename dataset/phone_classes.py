"""The class of sound at each motion frame: what a decoder may be taught beside curves, where a clip's phones are known.

Sounds that ask the same of the face (dataset/visemes.py) are one class.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np

from dataset.text_stream import heard_at
from dataset.transcript import Word
from dataset.visemes import VISEMES

UNKNOWN = -1  # nobody says what is heard, or it is no sound that has a viseme: nothing to learn
SILENCE = 0
CLASSES = ("silence", *VISEMES)

_NUMBERS = {letter: number for number, letters in enumerate(VISEMES, start=1) for letter in letters}


def phone_classes(phones: Sequence[Word], frames: int, fps: float) -> np.ndarray:
    """(frames,) int8 numbers in CLASSES of what is heard at each frame, frame i standing at i / fps, or UNKNOWN.

    phones: in order, in IPA; length, tone and stress are passed over, and several letters (a diphthong, an affricate)
    share the time equally, as in dataset.viseme_animator. Between them there is silence; none at all: nothing is known.
    """
    if not phones:
        return np.full(frames, UNKNOWN, np.int8)
    sounds = [_sounds(phone.text) for phone in phones]
    bounds = [np.linspace(phone.start_s, phone.end_s, len(own) + 1) for phone, own in zip(phones, sounds, strict=True)]
    starts, ends = (np.concatenate([own[side] for own in bounds]) * fps for side in (slice(-1), slice(1, None)))
    heard = heard_at(starts, ends, frames)
    return np.where(heard < 0, SILENCE, np.concatenate(sounds)[heard]).astype(np.int8)


def _sounds(symbol: str) -> list[int]:
    """The classes of a phone's letters; of marks alone, silence."""
    letters = [mark for mark in unicodedata.normalize("NFD", symbol) if mark in _NUMBERS or mark.isalpha()]
    sounding = [letter for letter in letters if unicodedata.category(letter) != "Lm"]  # as the ː of iː
    return [_NUMBERS.get(letter, UNKNOWN) for letter in sounding] or [SILENCE]
