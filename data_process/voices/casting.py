"""Who speaks which clip, and what: a plan that follows from the seed alone, each clip by itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, cycle, zip_longest

import numpy as np

from config.errors import UserError
from data_process.voices.pronounce import Line, pronounce
from data_process.voices.sentences import compose

# Never heard in training, not even in a blend: a woman and a man of each accent.
HELD_OUT = frozenset({"af_sarah", "am_michael", "bf_emma", "bm_george", "zf_xiaoyi", "zm_yunxi"})
ACCENTS: Mapping[str, str] = {"a": "us", "b": "gb", "z": "zh"}  # by the first letter of a voice's name
LANGUAGES: Mapping[str, str] = {"en": "ab", "zh": "z"}  # the first letters of its voices

HELD_OUT_EVERY = 10  # every so many clips one is spoken by a voice that is held out
BLEND_EVERY = 4  # of the others, one is spoken by a blend of two voices
WEIGHTS = 0.3, 0.7  # of the first voice of a blend
SPEEDS = 0.85, 1.2
CLAUSES = 1, 5
LENGTHS_S = 4.6, 9.2  # expected
SYMBOL_S: Mapping[str, float] = {"en": 0.058, "zh": 0.062}  # how long one of Kokoro's symbols lasts about, pauses too


@dataclass(frozen=True)
class VoiceClip:
    """A clip to be spoken."""

    id: str
    line: Line
    voices: Mapping[str, float]  # name → weight
    speed: float
    expected_s: float

    @property
    def speaker(self) -> str:
        """The voice's name, or those of a blend."""
        return "-".join(self.voices)

    @property
    def is_held_out(self) -> bool:
        return not HELD_OUT.isdisjoint(self.voices)


def plan(languages: Sequence[str], voices: Sequence[str], seconds: float, seed: int) -> list[VoiceClip]:
    """Clips that last about so long together, the languages in turn and in equal shares.

    voices: those there are, of any language. A longer plan holds the shorter one.
    Raises UserError where a language has too few voices.
    """
    each = [_plan(language, voices, seconds / len(languages), seed) for language in languages]
    return [take for turn in zip_longest(*each) for take in turn if take]


def _plan(language: str, voices: Sequence[str], seconds: float, seed: int) -> list[VoiceClip]:
    takes = _takes(language, voices, seed)
    found: list[VoiceClip] = []
    while seconds > 0:
        found.append(next(takes))
        seconds -= found[-1].expected_s
    return found


def _takes(language: str, voices: Sequence[str], seed: int) -> Iterator[VoiceClip]:
    own = [voice for voice in voices if voice[0] in LANGUAGES[language]]
    training = [voice for voice in own if voice not in HELD_OUT]
    held_out = [voice for voice in own if voice in HELD_OUT]
    if len(training) < 2 or not held_out:
        raise UserError(f"--languages {language}: the engine has {len(own)} voices of it, which are too few")
    turns = [cycle(training), cycle(training), cycle(held_out)]  # of single voices, of blends' first, of those held out
    for number in count(1):
        random = np.random.default_rng([seed, list(LANGUAGES).index(language), number])
        blended, validates = number % BLEND_EVERY == 0, number % HELD_OUT_EVERY == 0
        voice = next(turns[2 if validates else int(blended)])
        yield _take(
            language, number, _blend(voice, training, random) if blended and not validates else {voice: 1.0}, random
        )


def _blend(voice: str, training: Sequence[str], random: np.random.Generator) -> dict[str, float]:
    others = [other for other in training if other != voice]
    weight = round(random.uniform(*WEIGHTS), 2)
    return {voice: weight, others[random.integers(len(others))]: round(1 - weight, 2)}


def _take(language: str, number: int, voices: Mapping[str, float], random: np.random.Generator) -> VoiceClip:
    speed = round(random.uniform(*SPEEDS), 2)
    accent = ACCENTS[next(iter(voices))[0]]
    while True:
        words = compose(language, int(random.integers(*CLAUSES)), random)
        line = pronounce(language, words, accent)
        expected_s = len(line.symbols) * SYMBOL_S[language] / speed
        if LENGTHS_S[0] <= expected_s <= LENGTHS_S[1]:
            return VoiceClip(f"{language}_{'-'.join(voices)}_{number:04d}", line, voices, speed, expected_s)
