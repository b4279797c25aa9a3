"""The viseme animator: what phonetics demands of the mouth, and what every curve must be."""

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, EYE, FACE, indices
from dataset.viseme_animator import LEAD_S, Phone, animate
from dataset.visemes import VISEMES, VOWELS
from postprocess.face.heads import DEFAULT_HEAD, read_head
from tests.heads import posed

FPS = 30.0


def spoken(symbols: str, phone_s: float = 0.12, lead_s: float = 0.4) -> tuple[list[Phone], float]:
    """Phones of equal length, a letter each, with silence around them, and the duration of it all."""
    starts = lead_s + phone_s * np.arange(len(symbols) + 1)
    phones = [Phone(s, a, b) for s, a, b in zip(symbols, starts.tolist(), starts[1:].tolist(), strict=False)]
    return phones, float(starts[-1]) + lead_s


def curves(symbols: str, phone_s: float = 0.12, fps: float = FPS) -> dict[str, np.ndarray]:
    phones, duration_s = spoken(symbols, phone_s)
    return dict(zip(ARKIT, animate(phones, duration_s, fps, seed=1).T, strict=True))


def at(symbols: str, index: int, channel: str, fps: float = FPS, phone_s: float = 0.12) -> float:
    """The channel in the frame nearest to where the face shows the middle of a phone."""
    return float(curves(symbols, phone_s, fps)[channel][round((0.4 + (index + 0.5) * phone_s - LEAD_S) * fps)])


def lip_gaps_mm(mouth: dict[str, np.ndarray]) -> np.ndarray:
    """(frames,): between the inner edges of the shipped head's lips in the middle, posed by the curves."""
    face = next(part for part in read_head(DEFAULT_HEAD).parts if part.name == "face")
    middle = np.flatnonzero((np.abs(face.vertices[:, 0]) < 1e-4) & (np.abs(face.vertices[:, 1] + 0.0625) < 3e-4))
    falls = face.offsets["JawOpen"][middle, 1] < -0.01
    upper, lower = middle[~falls], middle[falls]
    frames = range(len(mouth["JawOpen"]))
    heights = np.array([posed(face, {name: mouth[name][frame] for name in ARKIT})[:, 1] for frame in frames]) * 1000
    return np.asarray(heights[:, upper].min(axis=1) - heights[:, lower].max(axis=1))


def test_lips_seal_on_the_head_in_closures_and_in_silence() -> None:
    gaps = lip_gaps_mm(curves("ɑpɑbimu"))
    starts = 0.4 + 0.12 * np.arange(8) - LEAD_S
    for index, is_closed in enumerate((False, True, False, True, False, True, False)):
        during = gaps[round((starts[index] + 0.06) * FPS)]
        assert during < 1 if is_closed else during > 3, index
    assert np.abs(gaps[: round(0.2 * FPS)]).max() < 1 and np.abs(gaps[-round(0.15 * FPS) :]).max() < 1


def test_the_mouth_leads_the_sound() -> None:
    jaw = curves("tɑt", 0.2, fps=240.0)["JawOpen"]
    assert jaw.argmax() / 240 == pytest.approx(0.7 - LEAD_S, abs=0.02)


def test_a_clip_is_as_if_there_were_silence_around_it() -> None:
    bare = animate([Phone("ɑ", 0.0, 1.0)], 1.0, 240, 0)
    within = animate([Phone("ɑ", 0.5, 1.5)], 2.0, 240, 0)[120:360]
    np.testing.assert_allclose(bare[:, indices(ARKIT, FACE)], within[:, indices(ARKIT, FACE)], atol=1e-3)
    jaw = bare[:, ARKIT.index("JawOpen")]
    assert jaw[0] < 0.9 * jaw[120] and jaw[-1] < 0.6 * jaw[120]


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
@pytest.mark.parametrize("phone_s", [0.05, 0.12])
@pytest.mark.parametrize("lips", "pbm")
def test_bilabials_close_the_lips(lips: str, phone_s: float, fps: float) -> None:
    mouth = curves(f"ɑ{lips}ɑ", phone_s, fps)
    frames = np.arange(len(mouth["JawOpen"])) / fps + LEAD_S
    during = np.flatnonzero((frames >= 0.4 + phone_s - 0.01) & (frames <= 0.4 + 2 * phone_s + 0.01))
    closed = during[mouth["MouthPressLeft"][during].argmax()]
    assert mouth["JawOpen"][closed] > 0.03
    assert mouth["MouthClose"][closed] == pytest.approx(mouth["JawOpen"][closed], abs=1e-6)
    assert mouth["MouthLowerDownLeft"][closed] == mouth["MouthUpperUpLeft"][closed] == pytest.approx(0, abs=1e-6)
    assert mouth["MouthPressLeft"][closed] > 0.2


@pytest.mark.parametrize("symbols", ["ɑfbɑ", "ɑbvɑ", "ɑmpɑ"])
def test_a_closure_beside_another_seal_is_still_closed(symbols: str) -> None:
    mouth = curves(symbols, 0.05)
    assert (mouth["MouthClose"] > 0.99 * mouth["JawOpen"])[mouth["JawOpen"] > 0.03].any()


def test_the_lips_close_only_as_far_as_the_jaw_is_open() -> None:
    mouth = curves("mɑpubiʃɑmsɑfo")
    assert (mouth["MouthClose"] <= mouth["JawOpen"] + 1e-6).all()


@pytest.mark.parametrize("other", "tkslhɹfv")
def test_no_other_consonant_closes_the_lips(other: str) -> None:
    assert curves(f"ɑ{other}ɑ")["MouthClose"].max() < 0.01


@pytest.mark.parametrize("rounded", "uowyʊɔ")
def test_rounding_protrudes_the_lips(rounded: str) -> None:
    for channel in ("MouthFunnel", "MouthPucker"):
        assert at(f"t{rounded}t", 1, channel) > 0.1 > 0.02 > at("tit", 1, channel)
    assert at(f"t{rounded}t", 1, "MouthSmileLeft") < 0.02 < at("tit", 1, "MouthSmileLeft")


def test_rounding_is_anticipated_and_passes_through_a_closure() -> None:
    assert at("tu", 0, "MouthPucker") > 5 * at("ti", 0, "MouthPucker") + 0.05
    assert at("upu", 1, "MouthPucker") > 0.2


def test_rounding_begins_well_before_the_vowel() -> None:
    pucker = curves("ɑtktu", 0.08, fps=240.0)["MouthPucker"]
    starts_s = np.flatnonzero(pucker > 0.1 * pucker.max())[0] / 240
    assert 0.08 < 0.4 + 4 * 0.08 - LEAD_S - starts_s < 0.2


@pytest.mark.parametrize("tucked", "fv")
def test_labiodentals_tuck_the_lower_lip(tucked: str) -> None:
    assert at(f"ɑ{tucked}ɑ", 1, "MouthRollLower") > 0.35
    assert at(f"ɑ{tucked}ɑ", 1, "MouthUpperUpLeft") > 0.1
    assert at(f"ɑ{tucked}ɑ", 1, "MouthLowerDownLeft") < 0.01


def test_sibilants_nearly_close_the_teeth() -> None:
    for sibilant in "sʃɕʂ":
        assert at(f"ɑ{sibilant}ɑ", 1, "JawOpen") < 0.5 * at("ɑhɑ", 1, "JawOpen")
    assert at("ɑʃɑ", 1, "MouthFunnel") > 0.2 > 0.05 > at("ɑsɑ", 1, "MouthFunnel")


def test_open_vowels_open_the_jaw_in_order() -> None:
    jaw = [at(f"t{vowel}t", 1, "JawOpen", phone_s=0.2) for vowel in "ieɛɑ"]
    assert jaw == sorted(jaw) and jaw[-1] > 2 * jaw[0]


def test_louder_vowels_open_wider() -> None:
    def jaw(loudness: float) -> float:
        return float(animate([Phone("ɑ", 0.3, 0.6, loudness=loudness)], 1, FPS, 0)[:, ARKIT.index("JawOpen")].max())

    assert jaw(0.4) < jaw(1.0) < jaw(1.6) <= 0.62


def test_the_jaw_rises_for_consonants() -> None:
    for consonant in "pbmfvtdszʃk":
        assert at(f"ɑ{consonant}ɑ", 1, "JawOpen") < 0.75 * at(f"ɑ{consonant}ɑ", 0, "JawOpen"), consonant


def test_stress_raises_the_brows() -> None:
    def brows(stressed: bool, loudness: float) -> float:
        phones = [Phone("ɑ", 0.4, 0.6, stressed, loudness)]
        return float(animate(phones, 1, FPS, 0)[:, ARKIT.index("BrowInnerUp")].max())

    assert brows(False, 1.5) == 0
    assert 0 < brows(True, 1.0) < brows(True, 1.3) <= 0.31


def test_silence_is_the_face_at_rest() -> None:
    face = animate([], 2, FPS, 0)[:, indices(ARKIT, FACE)]
    assert not face.any()
    phones, duration_s = spoken("mɑpu")
    values = animate([*phones, Phone("", phones[-1].end_s, duration_s + 1)], duration_s + 1, FPS, 0)
    face = values[:, indices(ARKIT, FACE)]
    assert face[:6].max() < 0.005 and face[-30:].max() < 0.005 and face.max() > 0.3


def test_the_mouth_rests_in_a_pause_between_words() -> None:
    values = animate([Phone("ɑ", 0.2, 0.5), Phone("ɑ", 1.1, 1.4)], 1.6, FPS, 0)
    assert values[24, indices(ARKIT, FACE)].max() < 0.005


def test_a_gap_too_short_to_be_a_pause_does_not_close_the_mouth() -> None:
    parts = [Phone("ɑ", 0.2, 0.5), Phone("ɑ", 0.58, 0.9)]
    joined, resting = animate(parts, 1.2, FPS, 0), animate([*parts[:1], Phone("", 0.5, 0.58), *parts[1:]], 1.2, FPS, 0)
    middle, jaw = round((0.54 - LEAD_S) * FPS), ARKIT.index("JawOpen")
    assert joined[middle, jaw] > 0.45 > 0.4 > resting[middle, jaw]


@pytest.mark.parametrize("letters", ["ɕʈʂɻɨyɤɥəɛɪʊŋaioupptkxfmnls", "ɑæʌɜɚɝɔɒᵻɐɾɡðθʃʒɹʔhjwvzbd"])
def test_english_and_mandarin_are_covered(letters: str) -> None:
    assert set(letters) <= set("".join(VISEMES))
    animate([Phone("pʰ", 0.1, 0.2), Phone("tɕʰ", 0.2, 0.3), Phone("ɨ̃", 0.3, 0.4), Phone("ɑ̃ː˥˩", 0.4, 0.5)], 0.6, FPS, 0)


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 60.0, 300.0])
@pytest.mark.parametrize("duration_s", [0.0, 0.01, 0.1, 1.03])
def test_frames_are_duration_times_fps(fps: float, duration_s: float) -> None:
    assert animate([], duration_s, fps, 0).shape == (round(duration_s * fps), 52)


def test_every_phone_stays_in_range_without_pops() -> None:
    letters = "".join(VISEMES)
    random = np.random.default_rng(0)
    symbols = "".join(random.permutation(list(letters * 4)))
    phones, duration_s = spoken(symbols, 0.09)
    phones = [phone._replace(loudness=random.uniform(0, 3), stressed=bool(random.integers(2))) for phone in phones]
    values = animate(phones, duration_s, FPS, 5)
    assert values.dtype == np.float32 and values.min() >= 0 and values.max() <= 1
    steps = np.abs(np.diff(values, axis=0)).max(axis=0)
    assert steps[indices(ARKIT, FACE)].max() < 0.4  # a closing takes two frames at least
    assert steps[ARKIT.index("JawOpen")] < 0.2
    assert steps[indices(ARKIT, EYE)].max() < 0.8  # lids are faster
    assert values[:, ARKIT.index("JawOpen")].max() < 0.62


def test_no_channel_spikes_for_a_single_frame() -> None:
    mouth = curves("mɑpubiʃɑmsɑfosuwifa", 0.08, fps=60.0)
    for name in FACE:
        curve = mouth[name]
        spikes = curve[1:-1] - np.maximum(curve[:-2], curve[2:])
        assert spikes.max() < 0.06, name


def test_left_and_right_are_alike() -> None:
    phones, duration_s = spoken("mɑpubiʃɑmsɑfo")
    values = animate(phones, duration_s, FPS, 3)
    left = [name for name in ARKIT if name.endswith("Left") and not name.startswith(("Jaw", "MouthLeft"))]
    right = [name.replace("Left", "Right") for name in left]
    np.testing.assert_array_equal(values[:, indices(ARKIT, tuple(left))], values[:, indices(ARKIT, tuple(right))])
    assert not values[:, indices(ARKIT, ("JawLeft", "JawRight", "MouthLeft", "MouthRight"))].any()


def test_the_seed_moves_the_eyes_alone() -> None:
    phones, duration_s = spoken("mɑpu" * 12)
    one, again, other = (animate(phones, duration_s, FPS, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one[:, indices(ARKIT, FACE)], other[:, indices(ARKIT, FACE)])
    assert (one[:, indices(ARKIT, EYE)] != other[:, indices(ARKIT, EYE)]).any()


def test_eyes_blink_every_few_seconds() -> None:
    lids = animate([], 60, FPS, 0)[:, ARKIT.index("EyeBlinkLeft")]
    closings = ((lids[1:] > 0.5) & (lids[:-1] <= 0.5)).sum()
    assert 60 / 4.5 - 1 <= closings <= 60 / 1.8
    assert lids.max() > 0.8


def test_rates_show_the_same_motion() -> None:
    phones, duration_s = spoken("mɑpubi")
    slow, fast = animate(phones, duration_s, 30, 0), animate(phones, duration_s, 60, 0)
    shared = min(len(slow), len(fast[::2]))
    np.testing.assert_allclose(slow[:shared], fast[::2][:shared], atol=1e-5)


def test_marks_are_passed_over_and_letters_share_a_phone() -> None:
    plain, marked = ([Phone(symbol, 0.2, 0.5)] for symbol in ("ta", "ˈtʰaː5"))
    np.testing.assert_array_equal(animate(plain, 0.8, FPS, 0), animate(marked, 0.8, FPS, 0))
    split = [Phone("t", 0.2, 0.35), Phone("a", 0.35, 0.5)]
    np.testing.assert_allclose(animate(plain, 0.8, FPS, 0), animate(split, 0.8, FPS, 0), atol=1e-6)


def test_what_cannot_be_animated_is_refused() -> None:
    with pytest.raises(ValueError, match='no viseme for "ж" in phone "aж"'):
        animate([Phone("aж", 0, 1)], 1, FPS, 0)
    with pytest.raises(ValueError, match="out of order"):
        animate([Phone("a", 0.5, 0.9), Phone("t", 0.4, 1.0)], 1, FPS, 0)
    with pytest.raises(ValueError, match="out of order"):
        animate([Phone("a", 0.5, 1.5)], 1, FPS, 0)


def test_each_letter_has_one_viseme_with_known_channels() -> None:
    letters = "".join(VISEMES)
    assert len(letters) == len(set(letters)) and set(letters) >= VOWELS
    sided = {name.removesuffix("Left").removesuffix("Right") for name in ARKIT}
    for viseme in VISEMES.values():
        assert {*viseme.pose, *viseme.seal} <= sided
