"""What the mouth does for a phone, however it is written: IPA, ARPABET or pinyin, with marks, stress and tones."""

import re
import unicodedata

from dataset.phones import sounds_of

LABIODENTALS = frozenset("fvɱʋ")
ROUNDED = frozenset("uʊwoyʏʉɥøœɵ")  # [ɔ] and [ɒ] are rounded little, in American English not at all
OPEN, MID, CLOSE = 3, 2, 1
HEIGHTS = {
    **dict.fromkeys("aɑɐæɒ", OPEN),
    **dict.fromkeys("ɛeəɚɜɝʌɔoɤøœɘɵ", MID),
    **dict.fromkeys("iɪuʊyʏɨʉɯᵻ", CLOSE),
}  # how far a vowel opens the jaw: the rows of the IPA's chart of vowels, near-open as open and half-open as mid
# The symbols of the CMU Pronouncing Dictionary whose letters are not the IPA's.
_ARPABET = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "AX": "ə", "AXR": "ɚ", "CH": "tʃ", "DH": "ð",
    "EH": "ɛ", "ER": "ɝ", "EY": "eɪ", "G": "ɡ", "HH": "h", "IH": "ɪ", "IX": "ɨ", "IY": "i", "JH": "dʒ", "NG": "ŋ",
    "OW": "oʊ", "OY": "ɔɪ", "R": "ɹ", "SH": "ʃ", "TH": "θ", "UH": "ʊ", "UW": "u", "UX": "ʉ", "Y": "j", "ZH": "ʒ",
}  # fmt: skip
_FINAL = re.compile("[aeiouvê]+r?(n|ng)?")  # of pinyin


def ipa(symbol: str) -> str:
    """The letters of a phone in IPA, without marks: AH0 → ʌ, pʰ → p, ong1 → uŋ, lü4's ü4 → y, oʊ → oʊ.

    A symbol in capitals is ARPABET; a lone v is the consonant, and v4 or ve pinyin's ü.
    """
    plain = symbol.strip().rstrip("0123456789")
    if plain.isupper():
        return _ARPABET.get(plain, plain.lower())
    toned = plain != symbol.strip()
    final = plain.replace("ü", "v")
    if (toned or len(final) > 1 or plain == "ü") and _FINAL.fullmatch(final):
        return sounds_of("", final)[1]
    if plain.upper() in _ARPABET and len(plain) > 1:
        return _ARPABET[plain.upper()]
    letters = unicodedata.normalize("NFD", plain).lower()
    return "".join(letter for letter in letters if unicodedata.category(letter) in ("Ll", "Lo"))


def is_labiodental(symbol: str) -> bool:
    """The lower lip at the upper teeth: [f v]."""
    return ipa(symbol)[:1] in LABIODENTALS


def is_rounded(symbol: str) -> bool:
    """Whether a vowel or glide begins with rounded lips: u, w, o, ü, oʊ, uan; not aʊ."""
    return ipa(symbol)[:1] in ROUNDED


def height(symbol: str) -> int | None:
    """OPEN, MID or CLOSE by the most open vowel of a phone: OPEN of aɪ and iao, MID of oʊ; None for a consonant."""
    return max((HEIGHTS[letter] for letter in ipa(symbol) if letter in HEIGHTS), default=None)
