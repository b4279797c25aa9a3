"""Sentences into tokens: a character of Mandarin, a word of other scripts; numerals as they are read out."""

import re
import unicodedata

_HAN = "〇㐀-䶿一-鿿豈-﫿\U00020000-\U000323af"
_IS_HAN = re.compile(f"[{_HAN}]")
_HYPHEN = "[-–—~～]"
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # to ASCII
_APOSTROPHES = str.maketrans("’ʼ＇", "'''")
LONGEST_AMOUNT = 10  # digits; longer ones are telephone or serial numbers, read digit by digit


def tokenize(sentence: str) -> list[str]:
    """The tokens of a sentence: each Chinese character, each word of another script, in order; no punctuation.

    In a sentence with Chinese characters, digits become characters first: 2021年 → 二零二一年, 3.5% → 百分之三点五.
    Words keep the apostrophes in them (don't) and in other sentences numbers stay as they are (3.5).
    """
    tokens: list[str] = []
    word = ""
    text = _spoken(unicodedata.normalize("NFC", sentence).translate(_APOSTROPHES))
    for index, char in enumerate(text):
        if _IS_HAN.match(char):
            tokens += [word, char]
            word = ""
        elif _is_letter(char) or (word and _joins(text, index)):
            word += char
        else:
            tokens.append(word)
            word = ""
    return [token for token in (*tokens, word) if token]


def is_han(text: str) -> bool:
    """Whether every character is a Chinese one."""
    return all(_IS_HAN.match(char) for char in text)


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNM"  # letters, numbers, and the marks that many scripts' letters carry


def _joins(text: str, index: int) -> bool:
    """Whether the sign at index belongs inside a word: an apostrophe, or the point or comma of a number."""
    before, sign, after = text[index - 1], text[index], text[index + 1 : index + 2]
    if sign == "'":
        return bool(after) and _is_letter(after) and not is_han(after)
    return sign in ".," and before.isdecimal() and after.isdecimal()


def _spoken(sentence: str) -> str:
    """A sentence with Chinese characters, its digits written as they are read out; any other sentence unchanged."""
    if not _IS_HAN.search(sentence):
        return sentence
    text = sentence.translate(_FULL_WIDTH)
    if not re.search(r"\d", text):
        return text
    import cn2an

    text = re.sub("℃|°C", "摄氏度", text)
    text = re.sub(r"-(?=[\d.]+(?:摄氏)?度)", "零下", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)  # 1,000
    text = re.sub(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\d日号])", r"\1年\2月\3日", text)
    text = re.sub(r"(?<!\d)(\d{1,2}):(\d{2})(?!\d)", _time_of_day, text)
    text = re.sub(r"(?<!\d)0(?=\d[月日号点时])", "", text)
    text = re.sub(rf"(?<=\d){_HYPHEN}(?=\d)", "到", text)
    text = re.sub(r"(?<!\d)(\d{4})(?=到\d{4}年)", _digit_by_digit, text)
    text = re.sub(rf"(?<![\s{_HAN}])-(?=\d)", " ", text)  # a hyphen, not a minus: A-1
    text = re.sub(rf"(?<![\d.])(?:0\d+|\d{{{LONGEST_AMOUNT + 1},}})(?![\d.])", _digit_by_digit, text)
    return cn2an.transform(text, "an2cn")


def _time_of_day(time: re.Match[str]) -> str:
    hour, minute = int(time[1]), int(time[2])
    return f"{hour}点" + (f"{'零' if minute < 10 else ''}{minute}分" if minute else "")


def _digit_by_digit(number: re.Match[str]) -> str:
    return "".join("零一二三四五六七八九"[int(digit)] for digit in number[0])
