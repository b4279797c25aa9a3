import numpy as np
import pytest

from dataset.phones import VOWEL_WEIGHT, closures, is_bilabial, phones
from dataset.transcript import Word


def sounds(text: str) -> str:
    return "".join(phone.text for phone in phones([Word(text, 0, 1)]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("爸", "pa"), ("坡", "puɔ"), ("妈", "ma"), ("不", "pu"), ("元", "yɛn"), ("鱼", "y"), ("知", "ʂɨ"), ("子", "sɨ"),
        ("雄", "ɕiuŋ"), ("风", "fəŋ"), ("人民", "ʐənmin"), ("put", "pʌt"), ("phone", "fɔn"), ("climb", "klɪm"),
        ("apple", "æplɛ"), ("Happy", "hæpɪ"), ("you", "jaʊ"), ("Élan", "ɛlæn"), ("knob's", "nɔbs"), ("привет", ""),
        ("42", ""),
    ],
)  # fmt: skip
def test_words_become_sounds(text: str, expected: str) -> None:
    assert sounds(text) == expected


def test_every_syllable_and_letter_has_a_viseme() -> None:
    from pypinyin.pinyin_dict import pinyin_dict

    from dataset.viseme_animator import Phone, animate

    common = [chr(code) for code in sorted(pinyin_dict) if 0x4E00 <= code < 0x9FA5]
    letters = {sound: None for text in (*common, *"abcdefghijklmnopqrstuvwxyz") for sound in sounds(text)}
    seconds = [Phone(letter, index / 10, (index + 1) / 10) for index, letter in enumerate(letters)]
    assert np.isfinite(animate(seconds, len(seconds) / 10, 30, 0)).all()


def test_a_words_time_is_shared_out_and_none_is_lost() -> None:
    b, o = phones([Word("b", 0, 0), Word("妈", 1.0, 2.0)])[1:]
    assert (b.start_s, o.end_s) == (1.0, 2.0)
    assert o.end_s - o.start_s == pytest.approx(VOWEL_WEIGHT * (b.end_s - b.start_s))


def test_closures_stand_where_the_letter_is() -> None:
    first, second = closures([Word("Bob", 0, 3.5), Word("嗯", 4, 5), Word("five", 5, 6)])
    assert (first.start_s, first.end_s) == (0, 1)
    assert (second.start_s, second.end_s) == (2.5, 3.5)


def test_bilabials_of_the_three_alphabets() -> None:
    assert [symbol for symbol in ("P", "pʰ", "mʲ", "b", "B", "f", "ɕ", "AA1", "") if is_bilabial(symbol)] == [
        "P", "pʰ", "mʲ", "b", "B",
    ]  # fmt: skip
