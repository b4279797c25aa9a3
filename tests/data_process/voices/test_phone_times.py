"""From the engine's units to phones and tokens: sums done by hand, on sound made for it."""

import numpy as np
import pytest

from config.units import SAMPLE_RATE
from data_process.voices import kokoro
from data_process.voices.kokoro import UNIT_S
from data_process.voices.phone_times import AHEAD_S, CLOSURE_S, SHORTEST_S, timed, to_ipa
from data_process.voices.pronounce import Line
from dataset.transcript import Word
from dataset.viseme_animator import Phone, animate

LEAD = 10  # units of silence before the first symbol


def sound(units: list[int], silent: tuple[int, ...] = (0, -1)) -> np.ndarray:
    """A tone for each symbol, where it is heard; nothing for those whose index, with the two silences, is silent."""
    levels = np.ones(len(units))
    levels[list(silent)] = 0
    samples = round(UNIT_S * SAMPLE_RATE)
    audio = np.repeat(levels, np.array(units) * samples) * np.tile([0.5, -0.5], sum(units) * samples // 2)
    return np.roll(audio, -round(AHEAD_S * SAMPLE_RATE))


def line(symbols: str, owners: tuple[int, ...], tokens: tuple[str, ...]) -> Line:
    return Line(" ".join(tokens), tokens, symbols, owners)


def rows(words: list[Word], lead: int = LEAD) -> list[tuple[str, float, float]]:
    """(text, start, end) in units after the lead, as the sound has them."""
    origin_s = lead * UNIT_S - AHEAD_S
    return [(w.text, round((w.start_s - origin_s) / UNIT_S, 6), round((w.end_s - origin_s) / UNIT_S, 6)) for w in words]


def test_stress_goes_to_the_next_phone_and_a_space_to_both() -> None:
    units = [LEAD, 2, 3, 1, 4, 2, 5, LEAD]
    phones, tokens = timed(line("lˈO mI", (0, 0, 0, -1, 1, 1), ("low", "my")), units, sound(units))
    assert rows(phones) == [("l", 0, 2), ("ˈoʊ", 2, 8), ("m", 8, 12), ("aɪ", 12, 17)]
    assert rows(tokens) == [("low", 0, 8), ("my", 8, 17)]


def test_length_and_tones_go_to_the_phone_before_and_breath_is_a_phone() -> None:
    units = [LEAD, 2, 1, 4, 2, 3, 2, 1, LEAD]
    phones, tokens = timed(line("pʰa→nɑː", (0, 0, 0, 0, 0, 1, 1), ("盘", "ah")), units, sound(units))
    assert rows(phones) == [("p", 0, 2), ("h", 2, 3), ("a", 3, 9), ("n", 9, 12), ("ɑː", 12, 15)]
    assert rows(tokens) == [("盘", 0, 12), ("ah", 12, 15)]


def test_a_pause_is_taken_from_the_phones_that_swallowed_it() -> None:
    units = [LEAD, 4, 12, 3, 2, 4, LEAD]
    audio = sound(units, silent=(0, 3, 4, 6))
    unit, early = round(UNIT_S * SAMPLE_RATE), round(AHEAD_S * SAMPLE_RATE)
    audio[(LEAD + 4 + 5) * unit - early : (LEAD + 4 + 12) * unit - early] = 0  # of the 12 units of n, 5 are heard
    phones, _ = timed(line("ɑn, i", (0, 0, -1, -1, 1), ("on", "e")), units, audio)
    assert rows(phones) == [("ɑ", 0, 4), ("n", 4, 9), ("i", 21, 25)]


def test_a_phone_that_is_not_heard_keeps_a_little() -> None:
    units = [LEAD, 4, 8, 2, LEAD]
    phones, _ = timed(line("ɑt.", (0, 0, -1), ("ot",)), units, sound(units, silent=(0, 2, 3, 4)))
    assert rows(phones)[-1] == ("t", 4, 4 + SHORTEST_S / UNIT_S)


def test_a_stop_after_silence_is_closed_before_it_is_heard() -> None:
    units = [LEAD, 8, 4, LEAD]
    audio = sound(units)
    unit, early = round(UNIT_S * SAMPLE_RATE), round(AHEAD_S * SAMPLE_RATE)
    audio[: (LEAD + 6) * unit - early] = 0  # of the 8 units of p, the last 2 are heard
    phones, _ = timed(line("pɑ", (0, 0), ("pa",)), units, audio)
    assert rows(phones) == [("p", pytest.approx(6 - CLOSURE_S / UNIT_S), 8), ("ɑ", 8, 12)]
    phones, _ = timed(line("sɑ", (0, 0), ("sa",)), units, audio)
    assert rows(phones) == [("s", 6, 8), ("ɑ", 8, 12)]


def test_phones_are_in_order_and_within_the_sound_whatever_the_units() -> None:
    random = np.random.default_rng(0)
    symbols = "lˈOst mI, pʰa→n. ɑːʤ?"
    owners = tuple(0 if symbol not in " ,.?" else -1 for symbol in symbols)
    for _ in range(50):
        units = [int(count) for count in random.integers(1, 15, len(symbols) + 2)]
        audio = random.normal(0, 0.1, round(sum(units) * UNIT_S * SAMPLE_RATE)) * (random.random() < 0.8)
        phones, _ = timed(line(symbols, owners, ("all",)), units, audio)
        times = [time for phone in phones for time in (phone.start_s, phone.end_s)]
        assert times == sorted(times) and times[0] >= 0 and times[-1] <= len(audio) / SAMPLE_RATE
        assert all(phone.start_s < phone.end_s for phone in phones)


def test_an_unknown_symbol_is_no_phone() -> None:
    assert to_ipa("ꭧ") == "tʂ" and to_ipa("m") == "m"
    with pytest.raises(KeyError):
        to_ipa("ß")


def test_what_the_engine_knows_can_be_animated() -> None:
    """Each symbol of its own, or of ours for it, has a viseme: the animator raises for a letter without."""
    for symbol in ("A", "I", "O", "Q", "W", "Y", "T", "ᵊ", "ʰ", "ʤ", "ʧ", "ʦ", "ʨ", "ꭧ", "ɚ", "ɥ", "ɻ", "ᵻ", "ɐ"):
        assert animate([Phone(to_ipa(symbol), 0.1, 0.3)], 0.5, 30, 0).shape == (15, 52)
    assert kokoro.UNIT / kokoro.RATE == UNIT_S == 0.025
