"""Scores of curves against the sound and the words they belong to: pure functions, each with its formula and source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from dataset.articulation import is_labiodental
from dataset.blendshapes import FACE, indices, to_arkit
from dataset.phones import is_bilabial
from dataset.sync import STEP_S, lag, voice_energy
from dataset.transcript import Word
from postprocess.score.lips import CLOSED_MM, lips_mm

LEAD_S = 0.08  # so long before a phone is heard the mouth may do what it does for it
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
        closures = closure_scores(lips_mm(curves, names)[:, 0], speech.words, speech.phones, fps)
    return {
        "sound_lag_ms": found.ms if found else None,
        "sound_correlation": found.correlation if found else None,
        "silence_motion": None if quiet is None else silence_motion(curves[:, indices(names, FACE)], quiet, fps),
        **closures,
    }


def frames_of(phone: Word, frames: int, fps: float) -> slice:
    """The frames in which the lips close or round for a phone: from LEAD_S before its start to its end.

    The mouth leads the sound: lips have met before a stop is heard, whose burst is their parting, and recognisers and
    aligners are a frame or two off. So one frame of these is enough, and the best of them counts.
    """
    first, last = round((phone.start_s - LEAD_S) * fps), round(phone.end_s * fps)
    return slice(min(max(first, 0), frames), min(last + 1, frames))


def closure_scores(gap_mm: np.ndarray, words: Sequence[Word], phones: Sequence[Word], fps: float) -> ClosureScores:
    """gap_mm: (frames,) between the lips; words and phones in order of time → two shares, None for nothing to count.

    bilabials_closed: of the phones p, b and m, those with a gap below CLOSED_MM in frames_of it.
    closures_without_cause: of the closures (runs of closed frames) that begin and end within words, those outside of
    frames_of every p, b, m, f and v. Lips meet in every bilabial (Löfqvist & Gracco 1997), and a viewer notices when
    they don't. Read the two together: a mouth that is mostly shut meets every bilabial.
    """
    frames = len(gap_mm)
    closed, caused, spoken = gap_mm < CLOSED_MM, np.zeros(frames, bool), np.zeros(frames, bool)
    met = []
    for phone in phones:
        here = frames_of(phone, frames, fps)
        if is_bilabial(phone.text) and len(closed[here]):
            met.append(bool(closed[here].any()))
        caused[here] |= is_bilabial(phone.text) or is_labiodental(phone.text)
    for word in words:
        spoken[round(word.start_s * fps) : round(word.end_s * fps) + 1] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], closed, [False]]).astype(int)))
    runs = [slice(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if spoken[start:end].all()]
    return {
        "bilabials_closed": sum(met) / len(met) if met else None,
        "closures_without_cause": sum(not caused[run].any() for run in runs) / len(runs) if runs else None,
    }


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
