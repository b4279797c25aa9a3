"""What may be wrong with sound: each fault planted in a known amount, and real speech that has none."""

import numpy as np
import pytest

from data_process.doctor.sound_checks import clipped_share, dc_offset, hum_db, silent_share, sound_report
from dataset.audio import read_audio, to_float, to_int16
from tests.helpers import FACEGOOD, skip_without

RATE = 16_000
SPEECH = FACEGOOD / "code" / "train" / "wav"


def time_s(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.arange(round(seconds * rate)) / rate


def noise(seconds: float, level: float = 0.05, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    skip_without(SPEECH)
    return read_audio(SPEECH / "1114_3_15.wav")


@pytest.mark.parametrize("gain", [1.0, 0.3])  # made quieter after it was clipped
@pytest.mark.parametrize("ceiling", [0.9, 0.5])
def test_clipped_samples_are_counted(ceiling: float, gain: float) -> None:
    wave = np.sin(2 * np.pi * 200 * time_s(2))
    flat = np.abs(wave) >= ceiling
    clipped = to_float(to_int16((wave.clip(-ceiling, ceiling) * gain).astype(np.float32)))
    assert clipped_share(clipped) == pytest.approx(flat.mean(), abs=0.01)


def test_clipping_on_one_side_is_found() -> None:
    wave = np.sin(2 * np.pi * 200 * time_s(1))
    assert clipped_share(wave.clip(-1, 0.7)) == pytest.approx((wave >= 0.7).mean(), abs=0.01)


@pytest.mark.parametrize("hz", [60, 200, 3000])
def test_a_round_peak_is_not_clipped(hz: float) -> None:
    assert clipped_share(0.99 * np.sin(2 * np.pi * hz * time_s(1) + 0.1)) < 0.002
    assert clipped_share(to_float(to_int16(noise(3, 0.2)))) == 0


def test_quiet_and_empty_sound_is_not_clipped() -> None:
    assert clipped_share(np.zeros(RATE)) == clipped_share(np.zeros(0)) == 0
    assert clipped_share(to_float(np.random.default_rng(0).integers(-2, 3, RATE).astype(np.int16))) == 0


def test_the_offset_is_the_mean() -> None:
    assert dc_offset(noise(3) + np.float32(0.02)) == pytest.approx(0.02, abs=1e-3)
    assert dc_offset(np.full(9, -0.5, np.float32)) == -0.5
    assert dc_offset(np.zeros(0)) == 0


def test_silence_is_a_share_of_time_whatever_the_level_and_the_offset() -> None:
    for level in (0.3, 0.01):
        for offset in (0, 0.1):
            sound = np.concatenate([noise(2, level), noise(1, level / 1000)]) + offset
            assert silent_share(sound) == pytest.approx(1 / 3, abs=0.02)


def test_nothing_but_silence_and_nothing_at_all() -> None:
    assert silent_share(np.zeros(RATE)) == silent_share(np.zeros(0)) == silent_share(noise(1, 1e-5)) == 1
    assert silent_share(noise(1)) == 0


@pytest.mark.parametrize("hz", [50, 60, 100, 120, 180, 200])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_hum_in_noise_stands_out_by_as_much_as_it_is(hz: int, rate: int) -> None:
    random = np.random.default_rng(0).normal(0, 0.01, 20 * rate)
    hum = 0.003 * np.sin(2 * np.pi * hz * time_s(20, rate))
    # A sine of amplitude a holds a²/2, in Hann's 1.5 bins of 1 Hz; the noise σ²/(rate/2) a Hz, exponentially
    # distributed in a piece, so that the lower quartile of pieces is at ln(4/3) of it.
    expected = 10 * np.log10((0.003**2 / 2 / 1.5) / (0.01**2 / (rate / 2) * np.log(4 / 3)))
    assert hum_db(random, rate) < 6
    assert hum_db(random + hum, rate) == pytest.approx(expected, abs=2.5)


def test_a_tone_elsewhere_is_no_hum() -> None:
    for hz in (75, 135, 440):
        assert hum_db(noise(10, 0.01) + 0.1 * np.sin(2 * np.pi * hz * time_s(10))) < 6


def test_hum_under_speech_is_found_and_speech_alone_is_no_hum(speech: np.ndarray) -> None:
    assert hum_db(speech) < 6
    for hz in (50, 60):
        assert hum_db(speech + 0.003 * np.sin(2 * np.pi * hz * time_s(len(speech) / RATE)[: len(speech)])) > 15


def test_short_and_silent_sound_has_no_hum() -> None:
    hum = 0.5 * np.sin(2 * np.pi * 50 * time_s(1.9))
    assert hum_db(hum) == hum_db(np.zeros(0)) == hum_db(np.zeros(5 * RATE)) == 0


def test_the_report_holds_all_of_it(speech: np.ndarray) -> None:
    report = sound_report(speech)
    assert set(report) == {"peak", "clipped_share", "dc_offset", "silent_share", "hum_db"}
    assert report["peak"] == pytest.approx(np.abs(speech).max(), abs=1e-4)
    assert report["clipped_share"] == 0 and abs(report["dc_offset"]) < 1e-3
    assert all(type(value) is float for value in report.values())
