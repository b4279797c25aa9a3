import numpy as np
import pytest

from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from postprocess.life.prosody import STEP_S, Cue, Ear, Heard, VoiceFollower
from tests.helpers import DEMO


def heard(sound: np.ndarray) -> list[Heard]:
    return Ear().hear(np.concatenate([sound, np.zeros(640)]))


def tone(hz: float | np.ndarray, seconds: float, size: float = 0.2) -> np.ndarray:
    """A voice-like buzz: eight harmonics."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE
    return size * np.sum([np.sin(n * phase) / n for n in range(1, 9)], axis=0)


@pytest.mark.parametrize("hz", [75.0, 120.0, 233.1, 390.0])
def test_the_pitch_of_a_buzz_is_its_own(hz: float) -> None:
    steps = heard(tone(hz, 0.5))[5:45]
    np.testing.assert_allclose([step.pitch_hz for step in steps], hz, rtol=0.005)
    assert steps[20].level_db == pytest.approx(10 * np.log10((tone(hz, 0.5) ** 2).mean()), abs=0.5)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=SAMPLE_RATE)
    assert np.mean([step.pitch_hz > 0 for step in heard(noise)]) < 0.02
    assert not any(step.pitch_hz for step in heard(np.zeros(SAMPLE_RATE)))


def yin_hz(window: np.ndarray) -> float:
    """A window's pitch by the definitions of de Cheveigné & Kawahara 2002, lag by lag; 0 without one."""
    x, longest = window - window.mean(), 229  # lags of 70 Hz; 40 is 400 Hz
    length = len(x) - longest - 1
    d = np.array([((x[:length] - x[lag : lag + length]) ** 2).sum() for lag in range(longest + 2)])
    normalised = np.array([1.0, *(d[lag] * lag / d[1 : lag + 1].sum() for lag in range(1, longest + 2))])
    lags = range(40, longest + 1)
    dips = [lag for lag in lags if normalised[lag] < 0.2 and (lag == longest or normalised[lag + 1] >= normalised[lag])]
    lag = dips[0] if dips else min(lags, key=lambda lag: normalised[lag])
    a, b, c = normalised[lag - 1 : lag + 2]
    return SAMPLE_RATE / (lag + np.clip((a - c) / (2 * (a - 2 * b + c)), -0.5, 0.5)) if b < 0.2 else 0.0


def test_the_pitch_of_speech_is_by_the_book() -> None:
    sound = np.pad(read_audio(DEMO / "hello.flac").astype(float), (320, 640))
    steps = Ear().hear(sound[320:])
    chosen = range(30, 700, 9)
    expected = [yin_hz(sound[160 * step : 160 * step + 640]) for step in chosen]
    assert 0.3 < np.mean(np.array(expected) > 0) < 0.95
    np.testing.assert_allclose([steps[step].pitch_hz for step in chosen], expected, rtol=1e-4)


def cues(sound: np.ndarray) -> list[Cue]:
    follower = VoiceFollower()
    return [follower.follow(step) for step in heard(sound)]


def test_phrases_begin_and_end_with_the_voice() -> None:
    silence = 1e-4 * np.random.default_rng(0).normal(size=SAMPLE_RATE)
    found = cues(np.concatenate([silence, tone(150, 1.2), silence, tone(150, 0.3), silence]))
    begins = [i * STEP_S for i, cue in enumerate(found) if cue.begins]
    ends = [(i * STEP_S, cue.ends) for i, cue in enumerate(found) if cue.ends]
    assert begins == pytest.approx([1.02, 3.22], abs=0.03)
    assert [time for time, _ in ends] == pytest.approx([2.33, 3.63], abs=0.03)
    assert ends[0][1] >= 0.3 > ends[1][1]  # a short one is worth no nod
    assert [found[i].speaking for i in (50, 150, 290, 330, 440)] == [False, True, False, True, False]


def test_a_louder_and_higher_syllable_is_an_accent_once() -> None:
    syllables = []
    for number in range(24):
        stressed = number in (9, 17)
        burst = tone(190.0 if stressed else 150.0, 0.16, 0.3 if stressed else 0.1)
        syllables += [burst * np.hanning(len(burst)), np.zeros(round(0.06 * SAMPLE_RATE))]
    found = [i * STEP_S for i, cue in enumerate(cues(np.concatenate(syllables))) if cue.accent]
    assert found == pytest.approx([0.22 * n + 0.08 + 0.06 for n in (9, 17)], abs=0.07)


def test_a_transcript_says_when_somebody_speaks() -> None:
    follower = VoiceFollower()
    steps = heard(0.05 * np.random.default_rng(0).normal(size=2 * SAMPLE_RATE))
    found = [follower.follow(step, spoken=50 <= i < 120) for i, step in enumerate(steps)]
    assert [i for i, cue in enumerate(found) if cue.begins] == [52]
    assert not found[40].speaking and found[100].speaking and not found[160].speaking


def test_sound_in_pieces_is_heard_as_sound_at_once() -> None:
    sound = read_audio(DEMO / "wav" / "en_001.flac").astype(float)
    ear, whole = Ear(), Ear().hear(sound)
    bounds = np.cumsum(np.random.default_rng(0).integers(0, 900, 400))
    pieces = [step for piece in np.split(sound, bounds) for step in ear.hear(piece)]
    assert len(pieces) == len(whole)
    np.testing.assert_allclose(pieces, whole, atol=1e-9)
