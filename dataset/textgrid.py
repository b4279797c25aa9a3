"""Forced alignments in: TextGrids of words and phones, as tokens with their times."""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from praatio import textgrid
from praatio.utilities import textgrid_io
from praatio.utilities.constants import INTERVAL_TIER, Interval
from pypinyin import lazy_pinyin

from config.errors import UserError
from config.files import regular
from dataset.tokens import is_han, tokenize
from dataset.transcript import MOST_TEXT_BYTES, Word, read_tsv
from dataset.visemes import VOWELS

SILENCES = frozenset({"", "sil", "sp", "<eps>", "<sil>", "<p:>", "#"})
# MFA's words that are in no dictionary, and their phone; it writes a word in brackets as [bracketed].
_UNKNOWN = re.compile(r"<unk>|unk|spn|<spn>|\[[^\[\]]*\]")
_TOKEN = re.compile(r'(?<!\S)(?:!.*|"(?:[^"]|"")*"(?!\S)|\S+)')
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
_TONE = re.compile("[0-9˥˦˧˨˩]")  # pinyin phones end in the tone's number, MFA's IPA phones in its contour
_VOWEL = re.compile(f"[{''.join(sorted(VOWELS - {'y'}))}]")  # y is a consonant in ARPABET
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


class _Tier(NamedTuple):
    """As the file has it; what is in it is not looked at before it is chosen."""

    name: str
    has_intervals: bool  # else points
    entries: Sequence[Sequence[Any]]


def read_grid(path: Path) -> Grid:
    """Read a TextGrid in any of Praat's text formats, with a tier of words and, at best, one of phones.

    A tier may be named for its speaker: `Anna - words`. Other tiers, and those of points, are passed over.
    Raises UserError for a file that is missing or no TextGrid, that has no or several tiers of words, or no word.
    """
    words, phones = _spoken_in(path, "word", "phone")
    if not words:
        raise UserError(f"{path}: no word in its tier of words; the clip was not aligned")
    return Grid(path, words, phones)


def read_phones(path: Path) -> list[Word]:
    """The phones of a tsv (phones/ of a corpus) or of a TextGrid's tier of phones, in order, silences left out.

    Raises UserError as read_tsv and read_grid do, and for a TextGrid without such a tier.
    """
    return _spoken(read_tsv(path)) if path.suffix.lower() == ".tsv" else _spoken_in(path, "phone")[0]


def _spoken_in(path: Path, *kinds: str) -> list[list[Word]]:
    """What is not silent in the tier of each kind, in order of time; errors as in read_grid.

    The first kind must be there, the others need not.
    """
    if not regular(path, MOST_TEXT_BYTES).is_file():
        raise UserError(f"{path}: no such file")
    try:
        tiers = _tiers(_text(path))
        return [_spoken(_words(_chosen(path, tiers, kind, kind == kinds[0]))) for kind in kinds]
    except UserError:
        raise
    except Exception as error:  # praatio lets the errors of parsing and its own through
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        mend = "open it in Praat and save it as a text file"
        raise UserError(f"{path}: not a readable TextGrid: {reason}; {mend}") from None


def _text(path: Path) -> str:
    content = path.read_bytes()
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content.decode("utf-16" if is_wide else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tiers(text: str) -> list[_Tier]:
    """Praat's long form as praatio reads it, and all others as Praat does."""
    if "item [" not in text and not text.lstrip().startswith("{"):
        return _freestanding_tiers(text)
    try:
        found = textgrid_io.parseTextgridStr(text, includeEmptyIntervals=False)["tiers"]
        return [_Tier(tier["name"], tier["class"] == INTERVAL_TIER, tier["entries"]) for tier in found]
    except Exception as error:  # as above
        try:
            return _freestanding_tiers(text)
        except ValueError:
            raise error from None


def _freestanding_tiers(text: str) -> list[_Tier]:
    """The numbers and strings that stand alone, each thing's count before it; all else is comment.

    Praat's manual, "TextGrid file formats", 1.3. Raises ValueError.
    """
    tokens = (token for token in _TOKEN.findall(text) if token[0] in '"<' or _NUMBER.fullmatch(token))
    kind = [_string(tokens) for _ in range(2)]
    if kind != ["ooTextFile", "TextGrid"] and kind != ["ooTextFile short", "TextGrid"]:
        raise ValueError(f"a file of {' '.join(kind)[:60]}")
    _number(tokens), _number(tokens)
    count = int(_number(tokens)) if next(tokens, "") == "<exists>" else 0
    return [_freestanding_tier(tokens) for _ in range(count)]


def _freestanding_tier(tokens: Iterator[str]) -> _Tier:
    has_intervals, name = _string(tokens) == INTERVAL_TIER, _string(tokens)
    _number(tokens), _number(tokens)
    count, times = int(_number(tokens)), 2 if has_intervals else 1
    entries = []
    for _ in range(count):
        at, text = [_number(tokens) for _ in range(times)], _string(tokens)
        if text.strip():
            entries.append((*at, text))
    return _Tier(name, has_intervals, entries)


def _string(tokens: Iterator[str]) -> str:
    token = next(tokens, "its end")
    if len(token) < 2 or not token[0] == token[-1] == '"':
        raise ValueError(f"found {token[:30]} where a text in quotes belongs")
    return token[1:-1].replace('""', '"')


def _number(tokens: Iterator[str]) -> float:
    token = next(tokens, "its end")
    if not _NUMBER.fullmatch(token):
        raise ValueError(f"found {token[:30]} where a number belongs")
    return float(token)


def _chosen(path: Path, tiers: list[_Tier], kind: str, needed: bool) -> _Tier | None:
    """The one tier of this kind; None where there is none and it is not needed."""
    named = [tier for tier in tiers if re.fullmatch(rf"(.* - )?{kind}s?", tier.name.strip().lower())]
    found = [tier for tier in named if tier.has_intervals]
    if len(found) > 1:
        names = ", ".join(tier.name for tier in found)
        raise UserError(f"{path}: several tiers of {kind}s ({names}); keep the one of the speaker to align")
    if found or not needed:
        return found[0] if found else None
    if named:
        raise UserError(f'{path}: its tier "{named[0].name}" is of points, which have no end; make it one of intervals')
    names = ", ".join(tier.name for tier in tiers) or "none"
    raise UserError(f'{path}: no tier named "{kind}s"; it has {names}')


def _words(tier: _Tier | None) -> list[Word]:
    """In order of time. Raises ValueError or praatio's errors for times that are none, end too early or overlap."""
    if tier is None or not tier.entries:
        return []
    entries = textgrid.IntervalTier(tier.name, [Interval(*entry) for entry in tier.entries]).entries
    if not all(math.isfinite(entry.end) for entry in entries):
        raise ValueError("a time that is not finite")
    return [Word(unicodedata.normalize("NFC", text.strip()), float(start), float(end)) for start, end, text in entries]


def _spoken(words: list[Word]) -> list[Word]:
    return [word for word in words if word.text.lower() not in SILENCES]


def timed_tokens(grid: Grid, tokens: list[str]) -> Timed:
    """The tokens of a transcript with the times of the grid's words; words of several characters are split to them.

    Raises UserError when the grid's words are not the tokens: an unknown word stands for any one token.
    """
    found: list[Word] = []
    split_evenly: list[str] = []
    for word in grid.words:
        pieces = [""] if _UNKNOWN.fullmatch(word.text.lower()) else tokenize(word.text)
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
