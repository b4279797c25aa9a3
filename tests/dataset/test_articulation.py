import pytest

from dataset.articulation import CLOSE, MID, OPEN, height, ipa, is_labiodental, is_rounded
from dataset.phones import is_bilabial


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("AH0 AA1 UW W V Y B OW2", "ʌ ɑ u w v j b oʊ"),  # ARPABET
        ("ong1 v4 ü ve4 iao4 ian4 ng er2 uo3 ang u3", "uŋ y y yɛ iau iɛn ŋ ɚ uo aŋ u"),  # pinyin
        ("pʰ v y oʊ t͡ɕʰ ɑ˥˩ ũ mʲ ˈuː ʔ", "p v y oʊ tɕ ɑ u m u ʔ"),  # IPA
        ("iy aw sh", "i aʊ ʃ"),  # ARPABET as TIMIT writes it
    ],
)
def test_symbols_of_three_alphabets_by_hand(symbols: str, expected: str) -> None:
    assert [ipa(symbol) for symbol in symbols.split()] == expected.split(" ")


@pytest.mark.parametrize(
    ("symbols", "what"),
    [
        ("p b m P B M pʰ mʲ", "bilabial"),
        ("f v F V ʋ ɱ", "labiodental"),
        ("u w o UW W OW y ü v4 u3 ong1 uan2 ɥ oʊ ʊ UH1 ou4", "rounded"),
        ("s T ŋ AA ɑ i ai4 aʊ AW Y j AO ɔ", "none of them"),
    ],
)
def test_what_the_lips_do(symbols: str, what: str) -> None:
    kinds = {"bilabial": is_bilabial, "labiodental": is_labiodental, "rounded": is_rounded}
    for symbol in symbols.split():
        assert {kind for kind, holds in kinds.items() if holds(symbol)} == {what} & kinds.keys(), symbol


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("a ɑ æ AA1 AE0 AW aɪ a4 iao4 uang1", OPEN),
        ("e ɛ ə o ɔ AH0 EH1 OW OY eɪ e4 ie3 uo2 en1 er2", MID),
        ("i u y IY1 UW ih ü v4 ong1 in2 ɨ ju", CLOSE),
        ("p t W j ŋ ng sh", None),
    ],
)
def test_vowels_by_the_rows_of_the_chart(symbols: str, expected: int | None) -> None:
    assert {symbol: height(symbol) for symbol in symbols.split()} == dict.fromkeys(symbols.split(), expected)
