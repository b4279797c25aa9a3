"""What is said at each frame: against what is written out by hand, and against the phones' own times."""

from itertools import groupby, pairwise

import numpy as np
import pytest

from dataset.phones import phones
from dataset.text_stream import text_stream
from dataset.text_units import NONE, PAUSE, UNITS, UNKNOWN
from dataset.transcript import Word


def said(words: list[Word], frames: int, fps: float = 10) -> list[str]:
    return [UNITS[unit] for unit in text_stream(words, frames, fps).unit]


def spelt(token: str) -> list[str]:
    return [unit for unit, _ in groupby(said([Word(token, 0, 1)], 200, 200))]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("爸", "b- -a"), ("元", "-van"), ("鱼", "-v"), ("五", "-u"), ("知", "zh- -ɨ"), ("自", "z- -ɨ"), ("鸡", "j- -i"),
        ("水", "sh- -uei"), ("六", "l- -iou"), ("人民", "r- -en m- -in"), ("T恤", "t x- -v"), ("put", "p u t"),
        ("Élan's", "e l a n s"), ("привет", "unknown"), ("42", "unknown"), ("…", "unknown"),
    ],
)  # fmt: skip
def test_tokens_become_units(token: str, expected: str) -> None:
    assert spelt(token) == expected.split()


def test_every_syllable_and_letter_is_a_unit() -> None:
    from pypinyin.pinyin_dict import pinyin_dict

    common = [chr(code) for code in sorted(pinyin_dict) if 0x4E00 <= code < 0x9FA5]
    words = [Word(token, i, i + 1) for i, token in enumerate((*common, *"abcdefghijklmnopqrstuvwxyz"))]
    units = text_stream(words, 4 * len(words), 4).unit
    assert np.isin([words[frame // 4].text for frame in np.flatnonzero(units == UNKNOWN)], list("呣嗯")).all()
    assert {UNITS[unit] for unit in units} >= set(UNITS) - {"none", "pause", "unknown", "-ê"}


def test_the_list_is_part_of_every_checkpoint() -> None:
    assert len(set(UNITS)) == len(UNITS) == 88
    assert (UNITS[NONE], UNITS[PAUSE], UNITS[UNKNOWN]) == ("none", "pause", "unknown")
    places = {"b-": 3, "s-": 23, "-a": 24, "-ong": 37, "-ɨ": 38, "-iong": 48, "-vn": 61, "a": 62, "z": 87}
    assert {unit: UNITS.index(unit) for unit in places} == places


def test_frames_and_positions_by_hand() -> None:
    # A consonant lasts 1, a vowel 1.5: b is 0.2 to 0.4 s, a 0.4 to 0.7 s; between words and around them, silence.
    words = [Word("爸", 0.2, 0.7), Word("hm", 0.9, 1.3)]
    unit, position = text_stream(words, 15, 10)
    silence, expected = ["pause"], ["pause"] * 2 + ["b-"] * 2 + ["-a"] * 3
    assert [UNITS[number] for number in unit] == [*expected, *silence * 2, "h", "h", "m", "m", *silence * 2]
    by_hand = [0, 0, 0, 0.5, 0, 1 / 3, 2 / 3, 0, 0, 0, 0.5, 0, 0.5, 0, 0]
    np.testing.assert_allclose(position, by_hand, atol=1e-6)
    assert (unit.dtype, position.dtype) == (np.uint8, np.float32)


@pytest.mark.parametrize("token", ["爸", "片", "水", "元", "快", "知", "baobab"])
def test_units_begin_when_their_first_phones_do(token: str) -> None:
    """p of pian is one of five parts, not one of two."""
    word, fps = Word(token, 0.5, 1.5), 10_000
    unit = text_stream([word], 2 * fps, fps).unit.astype(int)
    begins = np.flatnonzero(np.diff(unit)) + 1
    phones_begin = np.array([phone.start_s for phone in phones([word])] + [word.end_s]) * fps
    assert len(begins) == len(spelt(token)) + 1 and abs(begins[0] - phones_begin[0]) <= 1
    if len(begins) > 2:
        assert abs(begins[1] - phones_begin[1]) <= 1, "an initial is one phone"
    assert all(np.abs(phones_begin - begin).min() <= 1 for begin in begins)


def test_positions_rise_from_0_to_below_1_within_each_unit() -> None:
    random = np.random.default_rng(0)
    words = [Word(token, second, second + random.uniform(0.5, 1)) for second, token in enumerate("你好吗a妈朋x" * 5)]
    unit, position = text_stream(words, 30 * len(words), 30)
    starts = np.flatnonzero(np.diff(unit.astype(int), prepend=-1))
    for start, end in pairwise(starts):
        if unit[start] == PAUSE:
            assert not position[start:end].any()
        else:
            steps = np.diff(position[start:end])
            assert position[start] < steps.max() + 1e-6 and position[end - 1] > 1 - steps.max() - 1e-6
            np.testing.assert_allclose(steps, steps[0], atol=1e-5)
    assert position.max() < 1


def test_no_unit_is_lost_between_frames_unless_it_would_take_anothers_only_one() -> None:
    # p is a fifth of 片: in the first two it stands between frames, in the third b stands between frames 1 and 2.
    assert said([Word("片", 0.31, 0.41)], 6) == ["pause"] * 3 + ["p-", "-ian", "pause"]
    assert said([Word("啊", 0.1, 0.63), Word("片", 0.63, 0.73)], 8) == ["pause", *["-a"] * 5, "p-", "-ian"]
    assert said([Word("ba", 0.16, 0.26)], 4) == ["pause", "pause", "a", "pause"]


def test_edges_have_a_meaning() -> None:
    assert text_stream([], 3, 25).unit.tolist() == [NONE] * 3, "no transcript"
    assert said([], 0) == [] == said([Word("a", 0, 1)], 0)
    assert said([Word("啊", 0, 9)], 3) == ["-a"] * 3, "a word that goes on past the sound"
    assert said([Word("啊", 0, 0.1), Word("爸", 5, 6)], 3) == ["-a", "pause", "pause"], "a word past the sound"
    assert said([Word("啊", 0.1, 0.1)], 3) == ["pause", "-a", "pause"], "a word without length"
    overlapping = [Word("啊", 0, 0.2), Word("我", 0.1995, 0.4)]  # as little as read_tsv lets pass
    assert said(overlapping, 4) == ["-a", "-a", "-uo", "-uo"]


def test_a_longer_stream_begins_like_a_shorter_one() -> None:
    words = [Word("你", 0.12, 0.33), Word("happy", 0.33, 1.02), Word("片", 1.3, 1.33)]
    whole = text_stream(words, 100, 30)
    for frames in (1, 9, 31, 60):
        part = text_stream(words, frames, 30)
        assert all(np.array_equal(one, two[:frames]) for one, two in zip(part, whole, strict=True))
