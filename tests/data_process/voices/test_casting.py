"""What is said and who says it: sentences, pronunciations, and the plan that follows from a seed."""

import re
from itertools import islice

import numpy as np
import pytest

from config.errors import UserError
from data_process.voices.casting import HELD_OUT, LENGTHS_S, SPEEDS, VoiceClip, plan
from data_process.voices.phone_times import LENGTH, STRESS, TONES, to_ipa
from data_process.voices.pronounce import MARKS, VOWELS, pronounce
from data_process.voices.sentences import GRAMMARS, compose, written

pytest.importorskip("misaki", reason="needs requirements-voices.txt")

VOICES = (
    "af_bella", "af_heart", "af_sarah", "am_adam", "am_michael", "bf_alice", "bf_emma", "bm_george", "bm_lewis",
    "ef_dora", "zf_xiaobei", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunxia",
)  # fmt: skip
ENGLISH = set("pbtdkɡfvθðszʃʒhmnŋlɹwjɾ") | {"dʒ", "tʃ", "eɪ", "aɪ", "oʊ", "aʊ", "ɔɪ"} | set("iɪɛæɑɔʊuʌəɜɒa")
MANDARIN = set("ptkhfsʂɕxmnŋlɻwjɥ") | {"ts", "tɕ", "tʂ"} | set("aoeiuyɤəɛʊɨɚ")


def phones(symbols: str) -> list[str]:
    return [to_ipa(symbol) for symbol in symbols if symbol not in MARKS + STRESS + LENGTH + TONES + " "]


@pytest.mark.parametrize("accent", ["us", "gb"])
def test_every_word_of_the_english_grammar_is_pronounced(accent: str) -> None:
    for options in GRAMMARS["en"][0].values():
        for option in options:
            words = re.findall(r"\w+", re.sub(r"\{\w+\}", "", option)) or ["oh"]
            symbols = pronounce("en", words, accent).symbols
            assert all(phones(symbols))
            assert all(mark[1] in VOWELS for mark in re.findall(f"[{STRESS}].", symbols)), symbols


def test_every_word_of_the_mandarin_grammar_is_pronounced() -> None:
    for options in GRAMMARS["zh"][0].values():
        for option in options:
            words = re.findall(r"\w+", re.sub(r"\{\w+\}", "", option)) or ["好"]
            said = pronounce("zh", words, "")
            assert said.tokens == tuple("".join(words)) and all(phones(said.symbols))


@pytest.mark.parametrize(("language", "accent", "wanted"), [("en", "us", ENGLISH), ("zh", "", MANDARIN)])
def test_every_phone_is_heard_in_a_few_minutes(language: str, accent: str, wanted: set[str]) -> None:
    random = np.random.default_rng(1)
    lines = [pronounce(language, compose(language, 3, random), accent) for _ in range(50)]
    lines += [pronounce(language, compose(language, 3, random), "gb") for _ in range(50 if language == "en" else 0)]
    found = [phone for line in lines for phone in phones(line.symbols)]
    assert set(found) >= wanted
    assert sum(phone in "pbm" for phone in found) > 0.08 * len(found)
    for line in lines:
        assert len(line.owners) == len(line.symbols) and set(line.owners) == {-1, *range(len(line.tokens))}


def test_words_as_they_are_said_and_written() -> None:
    words = ["the", "old", "boat", "moved", ",", "and", "a", "judge", "watched", "the", "boxes", "."]
    said = pronounce("en", words, "us")
    assert said.text == "The old boat moved, and a judge watched the boxes."
    assert said.symbols == "ði ˈOld bˈOt mˈuvd, ænd ɐ ʤˈʌʤ wˈɑʧt ðə bˈɑksᵻz."
    assert [said.tokens[owner] for symbol, owner in zip(said.symbols, said.owners, strict=True) if symbol == "b"] == [
        "boat", "boxes",
    ]  # fmt: skip
    mandarin = pronounce("zh", ["妹妹", "不", "怕", "，", "好"], "")
    assert (mandarin.text, mandarin.symbols) == ("妹妹不怕，好", "mei↘mei↘ pu↘ pʰa↘, xau↓")
    assert written("en", ["oh", ",", "look", "!", "we", "won", "."]) == "Oh, look! We won."
    with pytest.raises(UserError, match='"blorf": not in the us dictionary of misaki'):
        pronounce("en", ["blorf"], "us")


def test_conjunctions_join_statements_and_articles_fit() -> None:
    random = np.random.default_rng(2)
    for _ in range(100):
        text = written("en", compose("en", 4, random))
        assert not re.search(r"\b(because|while|when|and|but) (please|could you|did|what)\b", text), text
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text


def cast(seconds: float, seed: int = 0, languages: tuple[str, ...] = ("en", "zh")) -> list[VoiceClip]:
    return plan(languages, VOICES, seconds, seed)


def test_a_seed_is_a_plan_and_a_longer_one_holds_it() -> None:
    short, long = cast(240), cast(480)
    assert short == cast(240) and short != cast(240, seed=1)
    assert {take.id for take in short} < {take.id for take in long}
    assert [take for take in long if take in short] == short
    assert [take.id[:2] for take in islice(short, 4)] == ["en", "zh", "en", "zh"]
    assert cast(120, languages=("en",)) == [take for take in short if take.id.startswith("en")]


def test_held_out_voices_are_never_blended_and_all_are_heard() -> None:
    takes = cast(2400)
    assert len({take.id for take in takes}) == len(takes)
    for take in takes:
        assert len(take.voices) == 1 or not HELD_OUT & set(take.voices)
        assert take.is_held_out == bool(HELD_OUT & set(take.voices))
        assert sum(take.voices.values()) == pytest.approx(1) and len({voice[0] in "ab" for voice in take.voices}) == 1
        assert SPEEDS[0] <= take.speed <= SPEEDS[1] and LENGTHS_S[0] <= take.expected_s <= LENGTHS_S[1]
        assert take.id == f"{take.id[:2]}_{take.speaker}_{take.id[-4:]}"
    assert {voice for take in takes for voice in take.voices} == {voice for voice in VOICES if voice[0] in "abz"}
    assert 0.07 < sum(take.is_held_out for take in takes) / len(takes) < 0.13
    singles = [take.speaker for take in takes if len(take.voices) == 1 and take.id[:2] == "en" and not take.is_held_out]
    counts = [singles.count(voice) for voice in set(singles)]
    assert max(counts) - min(counts) <= 1
    assert {voice[:2] for voice in HELD_OUT} == {"af", "am", "bf", "bm", "zf", "zm"} and len(HELD_OUT) == 6


def test_a_language_with_too_few_voices_is_refused() -> None:
    with pytest.raises(UserError, match="--languages zh: the engine has 1 voices of it, which are too few"):
        plan(["zh"], ["af_heart", "zf_xiaobei"], 60, 0)
