"""Scores of curves against the sound and the words they belong to: pure functions, each with its formula and source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from dataset.blendshapes import FACE, indices, to_arkit
from dataset.phones import is_bilabial
from dataset.sync import STEP_S, lag, voice_energy
from dataset.transcript import Word

CLOSED = 0.05  # of lip opening: less is a closed mouth
NEAR_FRAMES = 2  # a closure may be so early or late
SILENCE_S = 0.2  # a shorter pause belongs to the speech
SETTLING_S = 0.15  # a mouth goes on moving for so long after the voice, and begins as early before it


@dataclass(frozen=True)
class Speech:
    """What a clip's curves go with, as far as it is known."""

    audio: np.ndarray | None = None  # (samples,) 16 kHz
    words: Sequence[Word] | None = None
    phones: Sequence[Word] | None = None  # of the words


class ClosureScores(TypedDict):
    """What closure_scores gives."""

    bilabials_closed: float | None
    closures_without_cause: float | None


class SpeechScores(ClosureScores):
    """What speech_scores gives."""

    sound_lag_ms: float | None
    sound_correlation: float | None
    silence_motion: float | None


def speech_scores(curves: np.ndarray, names: tuple[str, ...], speech: Speech, fps: float) -> SpeechScores:
    """Every score of (frames, len(names)) that the sound and the words allow; the others are None.

    sound_lag_ms, sound_correlation: how late the mouth is against the voice, and how sure that is (dataset.sync.lag).
    silence_motion: see there. bilabials_closed, closures_without_cause: see closure_scores.
    """
    found = lag(to_arkit(curves, names), speech.audio, fps) if speech.audio is not None else None
    quiet = silent_frames(speech, len(curves), fps)
    closures: ClosureScores = {"bilabials_closed": None, "closures_without_cause": None}
    if speech.words is not None and speech.phones is not None:
        closures = closure_scores(lip_opening(curves, names), speech.words, speech.phones, fps)
    return {
        "sound_lag_ms": found.ms if found else None,
        "sound_correlation": found.correlation if found else None,
        "silence_motion": None if quiet is None else silence_motion(curves[:, indices(names, FACE)], quiet, fps),
        **closures,
    }


def lip_opening(curves: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(frames, len(names)) → (frames,), 0 up: JawOpen less MouthClose, which ARKit defines as the lips' closing
    independent of the jaw: equal to JawOpen it shuts what the jaw has opened."""
    closing = curves[:, names.index("MouthClose")] if "MouthClose" in names else 0.0
    return (curves[:, names.index("JawOpen")] - closing).clip(0)


def closure_scores(opening: np.ndarray, words: Sequence[Word], phones: Sequence[Word], fps: float) -> ClosureScores:
    """opening: (frames,); words and phones in order of time → two shares, None where there is nothing to count.

    bilabials_closed: of the phones p, b and m, those during which, or within NEAR_FRAMES of which, the lips are closed
    (opening below CLOSED). closures_without_cause: of the closures (runs of closed frames) that begin and end within
    words, those with no such phone within NEAR_FRAMES. Lips meet in every bilabial (Löfqvist & Gracco 1997), and a
    viewer notices when they don't. Read the two together: a mouth that is mostly shut meets every bilabial.
    """
    closed = opening < CLOSED
    frames = np.arange(len(opening))
    near = np.zeros(len(opening), bool)
    met = []
    for phone in phones:
        if is_bilabial(phone.text):
            here = _between(frames, phone.start_s, phone.end_s, fps, NEAR_FRAMES)
            near |= here
            if here.any():
                met.append(bool(closed[here].any()))
    spoken = np.zeros(len(opening), bool)
    for word in words:
        spoken |= _between(frames, word.start_s, word.end_s, fps, 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], closed, [False]]).astype(int)))
    runs = [slice(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if spoken[start:end].all()]
    return {
        "bilabials_closed": sum(met) / len(met) if met else None,
        "closures_without_cause": sum(not near[run].any() for run in runs) / len(runs) if runs else None,
    }


def _between(frames: np.ndarray, start_s: float, end_s: float, fps: float, beyond: int) -> np.ndarray:
    """(frames,) bool: the frames from the one nearest to the start to the one nearest to the end, and some beyond."""
    return (frames >= round(start_s * fps) - beyond) & (frames <= round(end_s * fps) + beyond)


def silence_motion(curves: np.ndarray, quiet: np.ndarray, fps: float) -> float | None:
    """Mean |difference of frames| · fps, per s, over pairs of silent frames and channels: 0 for a face at rest.

    curves: (frames, channels); quiet: (frames,) bool. None without such a pair. A recorded face is not quite still:
    compare with the target's.
    """
    pairs = quiet[1:] & quiet[:-1]
    return float(np.abs(np.diff(curves, axis=0))[pairs].mean() * fps) if pairs.any() else None


def silent_frames(speech: Speech, frames: int, fps: float) -> np.ndarray | None:
    """(frames,) bool: no voice for SILENCE_S and the mouth settled; by the sound, else by the words, else None."""
    if speech.audio is not None:
        spans = _voiced(speech.audio)
    elif speech.words is not None:
        spans = [(word.start_s, word.end_s) for word in speech.words]
    else:
        return None
    times_s = np.arange(frames) / fps
    spoken = np.zeros(frames, bool)
    for start_s, end_s in spans:
        spoken |= (times_s > start_s - SETTLING_S) & (times_s < end_s + SETTLING_S)
    return ~spoken


def _voiced(audio: np.ndarray) -> list[tuple[float, float]]:
    """The stretches (start s, end s) with a voice, pauses below SILENCE_S left in."""
    voiced_s = np.flatnonzero(voice_energy(audio) > 0) * STEP_S
    if not len(voiced_s):
        return []
    pauses = np.flatnonzero(np.diff(voiced_s) > SILENCE_S)
    starts, ends = voiced_s[[0, *(pauses + 1)]], voiced_s[[*pauses, -1]]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
