"""Altered copies of clips, and masks over their features: what a decoder is to bear with, from clips that lack it.

A copy is a clip like any other, in a database of its own. Its curves, words and phones move with its sound.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from scipy.signal import lfilter, oaconvolve
from tqdm import tqdm

from config.schema import Augment
from config.units import SAMPLE_RATE, frame_count
from dataset.audio import INT16_SCALE, resample_audio, to_float, to_int16
from dataset.clip import Clip
from dataset.recordings.resample import resample_curves
from dataset.store import ClipInfo, ClipStore, write_store
from dataset.transcript import Word

VERSION = 1  # of what an alteration does to a clip: a database of another is not taken for this one's
NOISES: tuple[Literal["white", "pink"], ...] = ("white", "pink")
FALL = 3 * np.log(10)  # an amplitude falls by 60 dB as exp(-FALL · t / reverb_s)
# White noise through this filter falls by 3 dB an octave: Julius O. Smith, Spectral Audio Signal Processing (2011),
# "Example: Synthesis of 1/F Noise (Pink Noise)".
PINK_ZEROS = (0.049922035, -0.095993537, 0.050612699, -0.004408786)
PINK_POLES = (1.0, -2.494956002, 2.017265875, -0.522189400)


class Alteration(NamedTuple):
    """What makes a copy of a clip; the defaults change nothing."""

    rate_hz: int = SAMPLE_RATE  # the sound is taken to have this rate: above SAMPLE_RATE, it gets faster and higher
    reverb_s: float = 0.0  # in which the reverberation falls by 60 dB
    reverb_share: float = 0.0  # of the energy that is reverberation
    noise: Literal["white", "pink"] = "white"
    snr_db: float | None = None  # of the whole clip's mean power over the noise's; None: no noise
    gain_db: float = 0.0
    seed: int = 0  # of the reverberation and the noise


def draw(settings: Augment, random: np.random.Generator) -> Alteration:
    """An alteration as strong as the settings allow at most; what one key draws does not depend on the others."""
    speed, gain, share = random.uniform(-1, 1), random.uniform(-1, 1), random.random()
    reverb, snr, noise, seed = random.random(), random.random(), random.integers(len(NOISES)), random.integers(2**32)
    return Alteration(
        rate_hz=round(SAMPLE_RATE * (1 + settings.speed * speed)),
        reverb_s=_between(settings.reverb_s, reverb) if settings.reverb_s else 0.0,
        reverb_share=settings.reverb_share * share if settings.reverb_s else 0.0,
        noise=NOISES[noise],
        snr_db=_between(settings.noise_snr_db, snr) if settings.noise_snr_db else None,
        gain_db=settings.gain_db * gain,
        seed=int(seed),
    )


def alter(clip: Clip, how: Alteration) -> Clip:
    """The clip, altered, under its own id: at another pace, in a room, with the noise of that room, louder or softer.

    A sound that would leave [-1, 1] is made as much softer as it takes not to.
    """
    random = np.random.default_rng(how.seed)
    speed = how.rate_hz / SAMPLE_RATE
    audio = resample_audio(to_float(clip.audio), how.rate_hz)
    if how.reverb_share:
        audio = reverberate(audio, impulse_response(how.reverb_s, how.reverb_share, random))
    if how.snr_db is not None:
        audio = add_noise(audio, how.noise, how.snr_db, random)
    audio = audio * np.float32(10 ** (how.gain_db / 20))
    loudest, full = np.abs(audio).max(initial=0), (INT16_SCALE - 1) / INT16_SCALE
    held = audio * np.float32(full / loudest) if loudest > 1 else audio
    altered = replace(clip, audio=to_int16(held))
    if speed == 1:
        return altered
    curves = resample_curves(clip.curves, clip.fps * speed, clip.fps, frame_count(len(audio), clip.fps))
    words, phones = (tuple(_at_pace(word, speed) for word in timed) for timed in (clip.words, clip.phones))
    return replace(altered, curves=curves, words=words, phones=phones)


def _at_pace(word: Word, speed: float) -> Word:
    return Word(word.text, word.start_s / speed, word.end_s / speed)


def impulse_response(reverb_s: float, share: float, random: np.random.Generator) -> np.ndarray:
    """(samples,) float32 of energy 1: the sound itself, at once, and after it noise that dies away exponentially.

    share: of the energy that comes after. James A. Moorer, About This Reverberation Business (1979).
    """
    time_s = np.arange(1, 1 + max(1, round(reverb_s * SAMPLE_RATE))) / SAMPLE_RATE
    tail = random.standard_normal(len(time_s)) * np.exp(-FALL * time_s / reverb_s)
    tail *= np.sqrt(share / np.square(tail).sum())
    return np.concatenate([[np.sqrt(1 - share)], tail]).astype(np.float32)


def reverberate(audio: np.ndarray, response: np.ndarray) -> np.ndarray:
    """(samples,) float32 through an impulse response, cut at the sound's own end."""
    return oaconvolve(audio, response)[: len(audio)].astype(np.float32)


def add_noise(audio: np.ndarray, kind: str, snr_db: float, random: np.random.Generator) -> np.ndarray:
    """(samples,) float32 with noise of its mean power less snr_db decibels; silence stays silent."""
    noise = random.standard_normal(len(audio), np.float32)
    if kind == "pink":
        noise = lfilter(PINK_ZEROS, PINK_POLES, noise).astype(np.float32)
    power, noise_power = (np.square(sound, dtype=np.float64).mean() for sound in (audio, noise))
    return audio + noise * np.float32(np.sqrt(power / noise_power / 10 ** (snr_db / 10)))


def with_copies(
    store: ClipStore, clips: Sequence[ClipInfo], settings: Augment, seed: int, folder: Path
) -> tuple[ClipStore, list[ClipInfo]]:
    """(the store's clips and the copies, the copies: the first of each of the clips, then the second of each, …).

    The copies' database in the folder is named for all that it depends on; one that is there is not made again.
    How a clip is altered follows from its sound and the seed, not from the clips beside it.
    """
    plan = [(clip, number) for number in range(1, settings.copies + 1) for clip in clips]
    recipes = {copy_id(clip.id, number): _recipe(clip, number, settings, seed) for clip, number in plan}
    parts = [VERSION, *((clip.id, clip.audio_hash, *recipes[copy_id(clip.id, number)]) for clip, number in plan)]
    path = folder / copies_name(hashlib.sha256(repr(parts).encode()).hexdigest()[:12])
    if not path.is_file():
        bar = tqdm(plan, "altered copies", unit="clip", disable=None)
        write_store(path, _copies(store, bar, recipes), store.fps)
    both = ClipStore([*store.files, path])
    infos = {info.id: info for info in both.clips}
    return both, [infos[name] for name in recipes]


def copies_name(digest: str) -> str:
    """The file name of a database of copies, or with "*" a pattern of any one's."""
    return f"copies-{digest}.lmdb"


def copy_id(clip_id: str, number: int) -> str:
    """The id of a clip's copy; number: from 1."""
    return f"{clip_id}~{number}"


def masks(
    settings: Augment, random: np.random.Generator, examples: int, frames: int, bands: int, stacked: int, steps: int
) -> np.ndarray:
    """Which feature values of a batch to hide: (examples, frames, stacked · bands), one run of bands and one of frames.

    stacked, steps: SpeechEncoder's steps_stacked and steps_per_frame. What is hidden is a time, in whichever frames'
    features it stands: a log-mel step is not to be read off a neighbour's context.
    Park et al., SpecAugment (Interspeech 2019), sections 2.2 and 2.3, with one mask of either kind.
    """
    step = np.arange(frames)[:, None] * steps + np.arange(stacked)  # (frames, stacked)
    band = _runs(random, examples, int(settings.band_mask_share * bands), bands)  # (examples, bands)
    widest = min(settings.time_mask_frames, frames)
    frame = _runs(random, examples, widest, frames)
    hidden = np.zeros((examples, step.max() + 1), bool)  # (examples, steps)
    middle = stacked // 2 - (steps - 1) // 2  # a frame's own steps, around the middle of those it stacks
    hidden[:, middle : middle + frames * steps] = frame.repeat(steps, axis=1)[:, : hidden.shape[1] - middle]
    return (hidden[:, step, None] | band[:, None, None, :]).reshape(examples, frames, stacked * bands)


def _runs(random: np.random.Generator, examples: int, widest: int, size: int) -> np.ndarray:
    """(examples, size) bool: a run of 0 to `widest` places in each, all widths, and all places that fit, alike."""
    width = random.integers(widest + 1, size=(examples, 1))
    first = random.integers(size - width + 1)
    place = np.arange(size)
    return (place >= first) & (place < first + width)


def _recipe(clip: ClipInfo, number: int, settings: Augment, seed: int) -> Alteration:
    return draw(settings, np.random.default_rng((seed, number, int(clip.audio_hash, 16))))


def _copies(
    store: ClipStore, plan: Sequence[tuple[ClipInfo, int]], recipes: dict[str, Alteration]
) -> Iterator[tuple[Clip, str]]:
    for clip, number in plan:
        name = copy_id(clip.id, number)
        yield replace(alter(store.whole(clip.id), recipes[name]), id=name), clip.folder


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share
