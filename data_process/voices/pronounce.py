"""Words into the symbols that Kokoro speaks, each symbol with the token of the transcript that it belongs to."""

import importlib.resources
import json
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from config.errors import UserError
from data_process.voices.sentences import written

MARKS = ",.?!"
_CHINESE_MARKS = {"，": ",", "、": ",", "。": ".", "？": "?", "！": "!"}
# English words that are said otherwise in a sentence than by themselves: before a consonant, before a vowel.
_WEAK = {"the": ("ðə", "ði"), "a": ("ɐ", "ɐ"), "an": ("ɐn", "ɐn"), "to": ("tə", "tʊ")}
_SPOKEN_AS = str.maketrans({"ɾ": "T", "ʔ": "t"})  # the dictionary's symbols that this version of Kokoro says otherwise
VOWELS = frozenset("AIOQWYaɑɐɒæəɛɜeiɪɔouʊʌyᵊᵻɚɤɨ")  # among Kokoro's symbols


class Line(NamedTuple):
    """A sentence to speak."""

    text: str
    tokens: tuple[str, ...]  # words of English, characters of Mandarin, without marks
    symbols: str  # Kokoro's
    owners: tuple[int, ...]  # a symbol each: the index of its token, -1 for spaces and marks


def pronounce(language: str, words: Sequence[str], accent: str) -> Line:
    """How words and marks are said. accent: us or gb, of English.

    Raises UserError for an English word that the dictionary does not have.
    """
    said = _mandarin(words) if language == "zh" else _english(words, accent)
    tokens: list[str] = []
    symbols, owners = "", []
    for token, sound in said:
        tokens += [token] if token else []
        symbols += sound
        owners += [len(tokens) - 1 if token else -1] * len(sound)
    return Line(written(language, words), tuple(tokens), symbols, tuple(owners))


def _english(words: Sequence[str], accent: str) -> list[tuple[str, str]]:
    """(token, symbols) of each word, mark and space."""
    alone = [word if word in MARKS else _looked_up(word, accent) for word in words]
    said: list[tuple[str, str]] = []
    for word, sound, after in zip(words, alone, [*alone[1:], ""], strict=True):
        if word in MARKS:
            said.append(("", word))
            continue
        said += [("", " ")] if said else []
        before_vowel = after.lstrip("ˈˌ")[:1] in VOWELS
        weak = _WEAK.get(word.lower())
        said.append((word, weak[before_vowel] if weak else sound))
    return said


def _looked_up(word: str, accent: str) -> str:
    sound = _known(word, accent) or _inflected(word, accent)
    if not sound:
        raise UserError(f'"{word}": not in the {accent} dictionary of misaki; choose another word')
    return sound.translate(_SPOKEN_AS)


def _known(word: str, accent: str) -> str | None:
    """The dictionary's symbols; it gives some words a sound for each part of speech."""
    dictionary = _dictionary(accent)
    found = dictionary.get(word) or dictionary.get(word.lower())
    return found["DEFAULT"] if isinstance(found, dict) else found


def _inflected(word: str, accent: str) -> str | None:
    """A plural or a past: -s and -ed are voiced as what they follow, and may need a vowel."""
    for ending, stems in (
        ("s", (word[:-1], word[:-2], f"{word[:-3]}y")),
        ("ed", (word[:-1], word[:-2], word[:-3], f"{word[:-3]}y")),
    ):
        sound = next(filter(None, (_known(stem, accent) for stem in stems)), None) if word.endswith(ending) else None
        if sound:
            return sound + (_plural(sound[-1]) if ending == "s" else _past(sound[-1]))
    return None


def _plural(last: str) -> str:
    return "ᵻz" if last in "szʃʒʧʤ" else "s" if last in "ptkfθ" else "z"


def _past(last: str) -> str:
    return "ᵻd" if last in "td" else "t" if last in "pkfθsʃʧ" else "d"


@lru_cache(maxsize=2)
def _dictionary(accent: str) -> dict[str, str | dict[str, str]]:
    text = (importlib.resources.files("misaki") / "data" / f"{accent}_gold.json").read_text(encoding="utf-8")
    dictionary: dict[str, str | dict[str, str]] = json.loads(text)
    return dictionary


def _mandarin(words: Sequence[str]) -> list[tuple[str, str]]:
    """(token, symbols) of each character, mark and space."""
    said: list[tuple[str, str]] = []
    for word in words:
        if word in _CHINESE_MARKS:
            said.append(("", _CHINESE_MARKS[word]))
            continue
        said += [("", " ")] if said else []
        said += [(character, _syllable(reading)) for character, reading in zip(word, _readings(word), strict=True)]
    return said


@cache
def _readings(word: str) -> tuple[str, ...]:
    """Pinyin of each character, its tone a number behind it."""
    from pypinyin import Style, lazy_pinyin

    return tuple(lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True))


@cache
def _syllable(reading: str) -> str:
    from misaki.zh import ZHG2P

    non_syllabic = "\N{COMBINING INVERTED BREVE BELOW}"
    return str(ZHG2P.py2ipa(reading)).replace(non_syllabic, "")
