"""Phones with their times from sound alone: what the recogniser hears most likely, frame by frame."""

from collections.abc import Sequence

import numpy as np

from dataset.phone_recogniser import BLANK, RATE_HZ, WORD_BOUNDARY
from dataset.transcript import Word

REACH_S = 0.1  # a phone reaches no farther from where it is heard: what lies beyond is silence
# A CTC model says a phone once, when it has heard enough of it. Measured on the demo corpus's English, whose times are
# known: 80 ms after a consonant's start, 60 ms after a vowel's.
LATE_S = 0.03


def phones_heard(log_probabilities: np.ndarray, symbols: Sequence[str], duration_s: float) -> list[Word]:
    """log_probabilities: (frames, len(symbols)) at RATE_HZ → the phones in order, each up to halfway to the next.

    Of each run of frames with one likeliest symbol a phone is heard at the first (best path decoding of CTC, Graves et
    al. 2006). Between two phones that are farther apart than twice REACH_S there is silence.
    """
    likeliest = log_probabilities.argmax(axis=1)
    firsts = np.flatnonzero(np.diff(likeliest, prepend=-1))
    heard = [(symbols[likeliest[first]], first / RATE_HZ - LATE_S) for first in firsts]
    said = [(symbol, at_s) for symbol, at_s in heard if symbol not in (BLANK, WORD_BOUNDARY)]
    if not said:
        return []
    times_s = np.array([at_s for _, at_s in said])
    between_s = (times_s[1:] + times_s[:-1]) / 2
    starts = np.maximum(np.concatenate([[0.0], between_s]), times_s - REACH_S).clip(0, duration_s)
    ends = np.minimum(np.concatenate([between_s, [duration_s]]), times_s + REACH_S).clip(0, duration_s)
    return [Word(symbol, *span) for (symbol, _), *span in zip(said, starts.tolist(), ends.tolist(), strict=True)]
