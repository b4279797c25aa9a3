"""Forced alignments in: TextGrids of words and phones, as tokens with their times."""

import re
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from praatio import textgrid
from pypinyin import lazy_pinyin

from config.errors import UserError
from dataset.tokens import is_han, tokenize
from dataset.transcript import Word
from dataset.visemes import VOWELS

SILENCES = frozenset({"", "sil", "sp", "<eps>", "<sil>", "<p:>", "#"})
UNKNOWNS = frozenset({"<unk>", "unk", "spn", "<spn>"})  # MFA's words that are in no dictionary, and their phone
_TONE = re.compile("[0-9˥˦˧˨˩]")  # pinyin phones end in the tone's number, MFA's IPA phones in its contour
_VOWEL = re.compile(f"[{''.join(sorted(VOWELS - {'y'}))}œø]")  # y is a consonant in ARPABET
_CODAS = frozenset({"n", "ng", "ŋ", "r", "ɻ"})
_ALSO_INITIALS = {"n": "n", "r": "r", "ɻ": "r"}  # phone → the letter pinyin writes it with at a syllable's start
_GLIDES = frozenset({"j", "w", "ɥ", "y"})


class Grid(NamedTuple):
    """The intervals of a TextGrid that are not silent, in order of time."""

    path: Path
    words: list[Word]
    phones: list[Word]  # may be empty


class Timed(NamedTuple):
    """A transcript's tokens with their times, and what should be known about them."""

    words: list[Word]
    split_evenly: list[str]  # words of several characters whose phones did not tell where each begins
    unknown: list[str]  # tokens that the aligner's dictionary lacks, timed all the same


def read_grid(path: Path) -> Grid:
    """Read a TextGrid in the long or the short format, with a tier of words and, at best, one of phones.

    A tier may be named for its speaker: `Anna - words`.
    Raises UserError for a file that is missing or no TextGrid, that has no or several tiers of words, or no word.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
        tiers = {name: [Word(*_cells(entry)) for entry in grid.getTier(name).entries] for name in grid.tierNames}
    except Exception as error:  # praatio lets the errors of parsing and its own through
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: not a readable TextGrid: {reason}") from None
    words, phones = (_spoken(_tier(path, tiers, kind)) for kind in ("word", "phone"))
    if not words:
        raise UserError(f"{path}: no word in its tier of words; the clip was not aligned")
    return Grid(path, words, phones)


def _cells(entry: tuple) -> tuple[str, float, float]:
    """A point tier's entries have no end, and make this raise."""
    start_s, end_s, text = entry
    return unicodedata.normalize("NFC", text.strip()), float(start_s), float(end_s)


def _tier(path: Path, tiers: dict[str, list[Word]], kind: str) -> list[Word]:
    found = [name for name in tiers if re.fullmatch(rf"(.* - )?{kind}s?", name.strip().lower())]
    if len(found) > 1:
        raise UserError(f"{path}: several tiers of {kind}s ({', '.join(found)}); keep the one of the speaker to align")
    if not found and kind == "word":
        raise UserError(f'{path}: no tier named "words"; it has {", ".join(tiers) or "none"}')
    return tiers[found[0]] if found else []


def _spoken(words: list[Word]) -> list[Word]:
    return [word for word in words if word.text.lower() not in SILENCES]


def timed_tokens(grid: Grid, tokens: list[str]) -> Timed:
    """The tokens of a transcript with the times of the grid's words; words of several characters are split to them.

    Raises UserError when the grid's words are not the tokens: an unknown word stands for any one token.
    """
    found: list[Word] = []
    split_evenly: list[str] = []
    for word in grid.words:
        pieces = [""] if word.text.lower() in UNKNOWNS else tokenize(word.text)
        timed = split(word, pieces, grid.phones)
        if timed is None:
            split_evenly.append(word.text)
            timed = _evenly(word, pieces)
        found += timed
    if not any(word.text for word in found):
        raise UserError(f"{grid.path}: the aligner's dictionary has none of the words; is it one of this language?")
    _check_same(grid.path, [word.text for word in found], tokens)
    unknown = [token for word, token in zip(found, tokens, strict=True) if not word.text]
    return Timed([word._replace(text=token) for word, token in zip(found, tokens, strict=True)], split_evenly, unknown)


def _check_same(path: Path, found: list[str], tokens: list[str]) -> None:
    for number, (here, there) in enumerate(zip(found, tokens, strict=False), 1):
        if here and here.casefold() != there.casefold():
            raise UserError(
                f'{path}: token {number} is "{here}", but "{there}" in the text; align again after a change of text'
            )
    if len(found) != len(tokens):
        raise UserError(
            f"{path}: {len(found)} tokens, but the text has {len(tokens)}; align again after a change of text"
        )


def split(word: Word, tokens: list[str], phones: list[Word]) -> list[Word] | None:
    """The tokens of a word with their times; of several Chinese characters, each over the phones of its syllable.

    None where the phones don't tell: not one vowel for each character, as in 花儿, or something else than characters.
    """
    if len(tokens) < 2:
        return [Word(token, word.start_s, word.end_s) for token in tokens]
    inside = [phone for phone in phones if word.start_s <= (phone.start_s + phone.end_s) / 2 <= word.end_s]
    nuclei = _nuclei([phone.text for phone in inside])
    if len(nuclei) != len(tokens) or not all(is_han(token) for token in tokens):
        return None
    pinyin = _pinyin("".join(tokens))
    firsts = [0]
    for (nucleus, following), syllable in zip(pairwise(nuclei), pinyin[1:], strict=True):
        between = [phone.text.lower() for phone in inside[nucleus + 1 : following]]
        firsts.append(nucleus + 1 + _coda_length(between, syllable))
    starts = [word.start_s] + [inside[first].start_s for first in firsts[1:]]
    ends = [inside[first - 1].end_s for first in firsts[1:]] + [word.end_s]
    return [Word(*cells) for cells in zip(tokens, starts, ends, strict=True)]


def _nuclei(phones: list[str]) -> list[int]:
    """Where the syllables' vowels are: phones with a tone, or a vowel, for a neutral tone may go unmarked."""
    return [index for index, phone in enumerate(phones) if _TONE.search(phone) or _VOWEL.search(phone.lower())]


def _coda_length(consonants: list[str], next_syllable: str) -> int:
    """How many of the consonants between two vowels end the first syllable: 0 or 1.

    next_syllable: in pinyin, for only that tells whether the n of `a n ia` is 大娘's or 三样's.
    """
    if not consonants or consonants[0] not in _CODAS:
        return 0
    has_other_initial = any(consonant not in _GLIDES for consonant in consonants[1:])
    letter = _ALSO_INITIALS.get(consonants[0])
    return int(has_other_initial or letter is None or not next_syllable.startswith(letter))


def _pinyin(characters: str) -> list[str]:
    """A syllable for each character, without tones; the characters themselves where some are unknown."""
    syllables = lazy_pinyin(characters)
    return syllables if len(syllables) == len(characters) else list(characters)


def _evenly(word: Word, tokens: list[str]) -> list[Word]:
    step_s = (word.end_s - word.start_s) / len(tokens)
    return [
        Word(token, word.start_s + index * step_s, word.start_s + (index + 1) * step_s)
        for index, token in enumerate(tokens)
    ]
