"""Words with times into phones with times, by rule: good enough to say when lips close, not to teach pronunciation."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from dataset.tokens import is_han
from dataset.transcript import Word
from dataset.visemes import VOWELS

BILABIALS = frozenset("pbm")  # the sounds that both lips make by closing
VOWEL_WEIGHT = 1.5  # a vowel lasts about so many times as long as a consonant

_INITIALS = {
    "b": "p", "p": "p", "m": "m", "f": "f", "d": "t", "t": "t", "n": "n", "l": "l", "g": "k", "k": "k", "h": "x",
    "j": "ɕ", "q": "ɕ", "x": "ɕ", "zh": "ʂ", "ch": "ʂ", "sh": "ʂ", "r": "ʐ", "z": "s", "c": "s", "s": "s", "": "",
}  # fmt: skip
# Finals in full (uei, iou, uen; v is ü) whose letters are not the sounds by themselves.
_FINALS = {
    "o": "uɔ", "e": "ɤ", "ie": "iɛ", "ve": "yɛ", "er": "ɚ", "ian": "iɛn", "van": "yɛn", "ao": "au", "iao": "iau",
    "en": "ən", "uen": "uən", "eng": "əŋ", "ueng": "uəŋ", "ong": "uŋ", "iong": "iuŋ", "ê": "ɛ",
}  # fmt: skip
_APICAL = frozenset({"zh", "ch", "sh", "r", "z", "c", "s"})  # after these, pinyin's i is the consonant held on
# Spelling to sound, the first that fits: the usual values of English letters, close to those of other Latin scripts.
_SPELLINGS = tuple((re.compile(pattern), sounds) for pattern, sounds in (
    ("^kn", "n"), ("^wr", "ɹ"), ("^ps", "s"), ("^y", "j"), ("mb$", "m"), ("(?<=[aeiouy][a-z])e$", ""), ("tch|ch", "tʃ"),
    ("sh", "ʃ"), ("ph", "f"), ("th", "θ"), ("ng", "ŋ"), ("igh", "ai"), ("ai|ay|ei|ey", "ei"), ("ck", "k"),
    ("qu", "kw"), ("wh", "w"), ("ee|ea|ie", "i"), ("oo", "u"), ("ou|ow", "aʊ"), ("oa", "oʊ"), ("au|aw", "ɔ"),
    ("oi|oy", "ɔi"), ("c(?=[eiy])", "s"), ("x", "ks"), ("a", "æ"), ("c|q", "k"), ("e", "ɛ"), ("i|y", "ɪ"),
    ("j", "dʒ"), ("o", "ɔ"), ("u", "ʌ"), ("g", "ɡ"), ("r", "ɹ"),
    *((letter, letter) for letter in "bdfhklmnpstvwz"),
))  # fmt: skip


def phones(words: Sequence[Word]) -> list[Word]:
    """The phones of each word in order, IPA, a letter each; a word's time is shared out, vowels VOWEL_WEIGHT to 1."""
    return [phone for word in words for phone in _spread(word)]


def closures(words: Sequence[Word]) -> list[Word]:
    """The phones that close the lips: [p b m]."""
    return [phone for phone in phones(words) if is_bilabial(phone.text)]


def is_bilabial(symbol: str) -> bool:
    """Whether a phone of pinyin, ARPABET or IPA, whatever its marks, is made by closing the lips: P, pʰ, mʲ, b."""
    return unicodedata.normalize("NFD", symbol).lower()[:1] in BILABIALS


def length(sounds: str) -> float:
    """How long sounds last beside others, in consonants."""
    return sum(VOWEL_WEIGHT if sound in VOWELS else 1.0 for sound in sounds)


def syllable(character: str) -> tuple[str, str] | None:
    """The pinyin (initial, final) of a Chinese character as it is read most often; None where pypinyin knows none.

    Finals are in full (uei, iou, uen; v is ü), and ɨ where i is the consonant held on: zhi, zi.
    """
    if not is_han(character):
        return None
    from pypinyin import Style, lazy_pinyin

    initial, final = (
        lazy_pinyin(character, style=style, strict=True, errors="ignore") for style in (Style.INITIALS, Style.FINALS)
    )
    if not final:
        return None
    return initial[0], "ɨ" if final[0] == "i" and initial[0] in _APICAL else final[0]


def sounds_of(initial: str, final: str) -> tuple[str, str]:
    """IPA of a pinyin initial, which may be "", and of a final."""
    return _INITIALS[initial], _FINALS.get(final, final.replace("ng", "ŋ").replace("v", "y"))


def plain_letters(text: str) -> str:
    """The Latin letters of a text, a to z, whatever their case and accents."""
    return "".join(re.findall("[a-z]", unicodedata.normalize("NFD", text).lower()))


def _spread(word: Word) -> Iterator[Word]:
    """The word's phones one after the other, each with its share of the word's time."""
    syllables = filter(None, map(syllable, word.text))
    letters = "".join("".join(sounds_of(*found)) for found in syllables) or _spelled(word.text)
    pace = (word.end_s - word.start_s) / (length(letters) or 1.0)
    start_s = word.start_s
    for letter in letters:
        yield Word(letter, start_s, start_s + length(letter) * pace)
        start_s += length(letter) * pace


def _spelled(text: str) -> str:
    """IPA of a word in Latin letters, accents passed over; "" for other scripts."""
    plain = re.sub(r"([^aeiou])\1", r"\1", plain_letters(text))  # doubled consonants are one sound
    sounds, position = "", 0
    while position < len(plain):
        fitting = ((pattern.match(plain, position), found) for pattern, found in _SPELLINGS)
        match, found = next((match, found) for match, found in fitting if match)
        sounds += found
        position = match.end()
    return sounds
