"""Rule curves of a corpus: what the viseme animator makes of its phones/, as bs/."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import dataset.viseme_animator
import dataset.visemes
from config.errors import UserError
from config.units import SAMPLE_RATE
from data_process.stages import Item, StageReport, run_stage
from dataset.audio import read_audio
from dataset.blendshapes import write_curves
from dataset.corpus import Corpus
from dataset.transcript import Word, read_tsv
from dataset.viseme_animator import Phone, animate
from dataset.visemes import VOWELS

STAGE = "animate"
STRESS = "ˈ"
DECIMALS = 3
# Curves are made anew where one of these changes, as where the phones do.
_RULES = tuple(Path(str(rules)) for rules in (__file__, dataset.viseme_animator.__file__, dataset.visemes.__file__))


@dataclass(frozen=True)
class AnimateItem(Item):
    """A clip's work: its sound and phones in, its curves out."""

    wav: Path
    phones: Path
    bs: Path


def animate_corpus(corpus: Corpus, fps: float, jobs: int = 1, strict: bool = False) -> StageReport:
    """Write bs/ of every clip that has phones/; what the stage reports are frames a clip.

    Raises UserError where there are no phones, or curves that are not this stage's own.
    """
    wavs, records = corpus.files("wav"), corpus.records(STAGE)
    items = []
    for clip, phones in corpus.needed("phones").items():
        wav, bs = wavs.get(clip, corpus.place("wav", clip)), corpus.place("bs", clip)
        if bs.exists() and not (records / f"{clip}.json").exists():
            raise UserError(f"{bs}: not made by data_process.animate, which would write over it; move bs/ away first")
        items.append(AnimateItem(clip, (wav, phones, *_RULES), (bs,), wav, phones, bs))
    return run_stage(
        STAGE, items, partial(_animate_clip, fps=fps), records=records, settings={"fps": fps}, jobs=jobs, strict=strict
    )


def _animate_clip(item: AnimateItem, fps: float) -> int:
    audio = read_audio(item.wav)
    duration_s = len(audio) / SAMPLE_RATE
    sounds = [word._replace(end_s=min(word.end_s, duration_s)) for word in read_tsv(item.phones)]  # rounded, as it is
    curves = animate(sounding(sounds, audio, SAMPLE_RATE), duration_s, fps, blink_seed(item.id))
    write_curves(item.bs, curves.round(DECIMALS))
    return len(curves)


def blink_seed(clip: str) -> int:
    """Each clip blinks at times of its own, the same each time."""
    return zlib.crc32(clip.encode())


def sounding(sounds: Sequence[Word], samples: np.ndarray, rate: int) -> list[Phone]:
    """What the animator is told of phones: how loud vowels are, and which are stressed.

    Stressed are those marked by ˈ; where none is marked, a vowel that is louder than the vowels around it.
    samples: (n,) of any scale, at `rate` Hz, from time 0 on.
    """
    vowels = [index for index, sound in enumerate(sounds) if VOWELS & set(sound.text)]
    power = [_power(samples[round(sounds[i].start_s * rate) : round(sounds[i].end_s * rate)]) for i in vowels]
    usual = np.median(np.sqrt(power)) if vowels else 1.0
    loudness = np.sqrt(power) / (usual or 1.0)  # of silence, too
    around = np.pad(loudness, 1)
    louder = (loudness > around[:-2]) & (loudness > around[2:])
    marked = [STRESS in sounds[i].text for i in vowels]
    stressed = marked if any(marked) else louder.tolist()
    known = {i: (stress, float(level)) for i, stress, level in zip(vowels, stressed, loudness, strict=True)}
    return [Phone(*sound, *known.get(i, (False, 1.0))) for i, sound in enumerate(sounds)]


def _power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
