"""From the time of each of Kokoro's symbols to phones in IPA and tokens with times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from config.units import SAMPLE_RATE
from data_process.voices.kokoro import UNIT_S
from data_process.voices.pronounce import MARKS, Line
from dataset.transcript import Word
from dataset.visemes import BY_LETTER

TO_IPA = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "T": "ɾ", "ᵊ": "ə", "ʰ": "h",
    "ʤ": "dʒ", "ʧ": "tʃ", "ʦ": "ts", "ʨ": "tɕ", "ꭧ": "tʂ",
}  # fmt: skip
STRESS = "ˈˌ"  # they lengthen the phone that follows, and are kept in it
LENGTH = "ː"  # lengthens the phone before, and is kept in it
TONES = "→↗↘↓"  # the same, but not kept
STOPS = "pbtdkɡɾ"

# The engine is heard this much before its own count of units. Measured on 264 clips: so moved, hissing, closures and
# vowels each fit their phones best within 10 ms of 0, in English and in Mandarin; unmoved, 40 to 60 ms late.
AHEAD_S = 0.05
BLOCK_S = 0.005
LOUD = 0.02  # of the loudest 5 ms: speech, where the rest is breath and room
SHORTEST_S = 0.04  # what a phone beside a pause keeps at least
CLOSURE_S = 0.08  # how long a stop after a pause is taken to be closed before it is heard


@dataclass
class _TimedPhone:
    """A phone with its time, and the index of its token."""

    symbol: str
    start_s: float
    end_s: float
    owner: int


def timed(line: Line, units: Sequence[int], audio: np.ndarray) -> tuple[list[Word], list[Word]]:
    """(phones, tokens) with their times; what lies between them is silence.

    units: how long each symbol lasts, with the silence before the first and after the last. audio: (samples,) 16 kHz.
    Affricates and diphthongs are one phone of two letters, breath after a stop is an h.
    Raises KeyError for a symbol that is neither a phone nor one of the marks that are known here.
    """
    spans = [span for phrase in _trimmed(_phrases(line, units), audio) for span in phrase]
    phones = [Word(span.symbol, span.start_s, span.end_s) for span in spans]
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    for span in spans:
        starts.setdefault(span.owner, span.start_s)
        ends[span.owner] = span.end_s
    return phones, [Word(token, starts[index], ends[index]) for index, token in enumerate(line.tokens)]


def _phrases(line: Line, units: Sequence[int]) -> list[list[_TimedPhone]]:
    """The phones between one pause and the next, as the engine times them."""
    bounds = (np.cumsum(units) * UNIT_S - AHEAD_S).clip(min=0).tolist()
    phrases: list[list[_TimedPhone]] = [[]]
    marks, begun_s = "", None  # what waits for the next phone: its stress, and where its time begins
    for symbol, owner, start_s, end_s in zip(line.symbols, line.owners, bounds[:-2], bounds[1:-1], strict=True):
        phrase = phrases[-1]
        if symbol in MARKS:
            phrases += [[]] if phrase else []
        elif symbol == " ":
            if phrase:
                begun_s = phrase[-1].end_s = (start_s + end_s) / 2
        elif symbol in STRESS:
            marks, begun_s = marks + symbol, start_s if begun_s is None else begun_s
        elif symbol in LENGTH + TONES:
            phrase[-1].end_s = end_s
            phrase[-1].symbol += symbol if symbol == LENGTH else ""
        else:
            phrase.append(_TimedPhone(marks + to_ipa(symbol), start_s if begun_s is None else begun_s, end_s, owner))
            marks, begun_s = "", None
    return [phrase for phrase in phrases if phrase]


def to_ipa(symbol: str) -> str:
    """A phone of Kokoro's in letters that have a viseme. Raises KeyError for one that is not known here."""
    return TO_IPA[symbol] if symbol not in BY_LETTER else symbol


def _trimmed(phrases: list[list[_TimedPhone]], audio: np.ndarray) -> list[list[_TimedPhone]]:
    """The same, less the silence that the engine counts to the phones before and after a pause."""
    loud = _loud(audio)
    for phrase in phrases:
        first, last = phrase[0], phrase[-1]
        heard_s, _ = _heard(loud, first)
        closed_s = CLOSURE_S if first.symbol[0] in STOPS else 0.0
        first.start_s = max(first.start_s, min(heard_s - closed_s, first.end_s - SHORTEST_S))
        _, heard_s = _heard(loud, last)
        last.end_s = min(last.end_s, max(heard_s, last.start_s + SHORTEST_S))
    return phrases


def _loud(audio: np.ndarray) -> np.ndarray:
    """Whether each block of BLOCK_S is speech: (blocks,) bool."""
    block = round(BLOCK_S * SAMPLE_RATE)
    power = np.square(audio[: len(audio) // block * block].reshape(-1, block), dtype=np.float64).mean(axis=1)
    return np.asarray(power > LOUD**2 * power.max(initial=0))


def _heard(loud: np.ndarray, span: _TimedPhone) -> tuple[float, float]:
    """When the first loud block of a phone starts and its last one ends; (end, start) where none is loud."""
    first = round(span.start_s / BLOCK_S)
    found = np.flatnonzero(loud[first : round(span.end_s / BLOCK_S)])
    if not len(found):
        return span.end_s, span.start_s
    return (first + int(found[0])) * BLOCK_S, (first + int(found[-1]) + 1) * BLOCK_S
