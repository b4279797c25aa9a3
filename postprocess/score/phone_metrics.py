"""What a mouth does at the phones it says, which needs no target: pure functions, each measure beside its formula.

Lips are measured in millimetres (postprocess/score/lips.py), and compared in standard deviations from the clip's own
mean, so that faces of another build and corpora of another style compare.
"""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np

from dataset.articulation import CLOSE, MID, OPEN, height, is_labiodental, is_rounded
from dataset.phones import is_bilabial
from dataset.transcript import Word
from postprocess.score.lips import CLOSED_MM, lips_mm, rounding, seen, standardised
from postprocess.score.metrics import correlation
from postprocess.score.speech_metrics import (
    ClosureScores,
    Speech,
    closure_scores,
    frames_of,
    silence_motion,
    silent_frames,
)

Is = Callable[[str], bool]


class JawScores(TypedDict):
    """Those of the vowels."""

    jaw_at_open: float | None
    jaw_at_mid: float | None
    jaw_at_close: float | None
    jaw_height_correlation: float | None


class SilenceScores(TypedDict):
    """Those of where no phone is."""

    silence_gap_mm: float | None
    silence_open: float | None
    silence_motion_mm_s: float | None


class PhoneScores(ClosureScores, JawScores, SilenceScores):
    """What phone_scores gives; None where the clip has no such phone, or the mouth is still."""

    gap_at_pbm: float | None
    gap_at_fv: float | None
    rounding_at_uwo: float | None


def phone_scores(curves: np.ndarray, names: tuple[str, ...], phones: Sequence[Word], fps: float) -> PhoneScores:
    """(frames, len(names)) at fps, and its phones in order of time → every score that they allow.

    gap_at_pbm, gap_at_fv: z of the lips' gap, the least of frames_of a phone, mean over them. rounding_at_uwo: z of
    lips.rounding, the greatest there, at u, w, o and ü. Best values of a moving mouth are good by chance: compare with
    the floors. bilabials_closed, closures_without_cause: see closure_scores. jaw_at_…: z of the chin's drop, mean over
    a vowel, mean over the open, mid and close ones; jaw_height_correlation: its r with their height (3, 2, 1).
    silence_…: where no phone is for 0.3 s and more, the mouth settled (silent_frames): the gap's mean, the share of
    frames with more than CLOSED_MM, and the mean speed of all measures.
    """
    mm = seen(lips_mm(curves, names))
    z = standardised(mm)
    gap, jaw, rounded = z[:, 0], z[:, 3], rounding(mm)
    drops = [(height(phone.text), _mean(jaw, phone, fps)) for phone in phones]
    vowels = np.array([(row, drop) for row, drop in drops if row is not None and drop is not None]).reshape(-1, 2)
    quiet = silent_frames(Speech(words=phones), len(mm), fps)
    return {
        "gap_at_pbm": _best(gap, phones, is_bilabial, np.min, fps),
        "gap_at_fv": _best(gap, phones, is_labiodental, np.min, fps),
        **closure_scores(mm[:, 0], phones, phones, fps),
        "rounding_at_uwo": _best(rounded, phones, is_rounded, np.max, fps),
        **_jaw(vowels),
        **_silence(mm, quiet, fps),
    }


def _best(values: np.ndarray, phones: Sequence[Word], kind: Is, best: Callable[..., float], fps: float) -> float | None:
    """The mean over the phones of a kind of the best value (frames,) in the frames of each."""
    found = [values[frames_of(phone, len(values), fps)] for phone in phones if kind(phone.text)]
    known = [best(of_phone) for of_phone in found if len(of_phone)]
    return float(np.mean(known)) if known and np.ptp(values) else None


def _mean(values: np.ndarray, phone: Word, fps: float) -> float | None:
    """Of the frames (frames,) from the one nearest to the phone's start to the one nearest to its end."""
    within = values[round(phone.start_s * fps) : round(phone.end_s * fps) + 1]
    return float(within.mean()) if len(within) else None


def _jaw(vowels: np.ndarray) -> JawScores:
    """vowels: (vowels, 2), height and z of the chin's drop."""
    rows, drops = vowels.T
    moves = bool(len(drops)) and np.ptp(drops) > 0
    r = correlation(drops[:, None], rows[:, None])[0] if moves and np.ptp(rows) else None
    of = {row: float(drops[rows == row].mean()) for row in (OPEN, MID, CLOSE) if moves and (rows == row).any()}
    return {
        "jaw_at_open": of.get(OPEN),
        "jaw_at_mid": of.get(MID),
        "jaw_at_close": of.get(CLOSE),
        "jaw_height_correlation": None if r is None else float(r),
    }


def _silence(mm: np.ndarray, quiet: np.ndarray | None, fps: float) -> SilenceScores:
    """mm: lips' measures (frames, 4); quiet: (frames,) bool."""
    assert quiet is not None  # phones tell
    gap = mm[quiet, 0]
    return {
        "silence_gap_mm": float(gap.mean()) if len(gap) else None,
        "silence_open": float((gap > CLOSED_MM).mean()) if len(gap) else None,
        "silence_motion_mm_s": silence_motion(mm, quiet, fps),
    }
