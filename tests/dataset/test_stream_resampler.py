"""Sound of other rates at 16 kHz: what it was, however it is cut, and soon."""

import numpy as np
import pytest

from config.units import SAMPLE_RATE
from dataset.stream_resampler import StreamResampler

RATES = [1_000, 8_000, 11_025, 22_050, 24_000, 11_111, 44_100, 48_000, 96_000]


def resampled(sound: np.ndarray, rate: int, *edges: int) -> np.ndarray:
    stream = StreamResampler(rate)
    return np.concatenate([*(stream.push(piece) for piece in np.split(sound, edges)), stream.flush()])


@pytest.mark.parametrize("rate", RATES)
def test_a_sum_of_tones_is_that_sum_at_the_other_rate(rate: int) -> None:
    """The reference is the formula of the tones."""
    top = 0.85 * min(rate, SAMPLE_RATE) / 2
    tones = np.array([0.02, 0.11, 0.37, 0.71, 1.0]) * top

    def sung(at: int) -> np.ndarray:
        return np.sin(2 * np.pi * tones * np.arange(at // 2)[:, None] / at + tones).mean(axis=1).astype(np.float32)

    heard = resampled(sung(rate), rate)
    assert len(heard) == round(rate // 2 * SAMPLE_RATE / rate)
    inner = slice(600, 7400)
    np.testing.assert_allclose(heard[inner], sung(SAMPLE_RATE)[inner], atol=2e-3)


@pytest.mark.parametrize("hz", [8_100, 9_500, 15_000, 23_000])
def test_what_16_khz_cannot_hold_is_gone(hz: int) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(24_000) / 48_000).astype(np.float32)
    assert np.abs(resampled(tone, 48_000)[100:-100]).max() < 10 ** (-80 / 20)


@pytest.mark.parametrize("rate", RATES)
def test_cuts_change_nothing(rate: int) -> None:
    random = np.random.default_rng(rate)
    sound = random.standard_normal(rate // 3).astype(np.float32)
    whole = resampled(sound, rate)
    for count in (1, 9, 60):
        edges = np.sort(random.integers(0, len(sound), count))
        np.testing.assert_allclose(resampled(sound, rate, *edges), whole, atol=1e-6)
    assert len(whole) == round(len(sound) * SAMPLE_RATE / rate)


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
def test_no_sample_comes_later_than_said(rate: int) -> None:
    stream, told = StreamResampler(rate), 0
    assert 0 < stream.delay_ms <= 4
    for number in range(100):
        told += len(stream.push(np.zeros(rate // 100, np.float32)))
        heard_s = (number + 1) * (rate // 100) / rate
        assert told >= (heard_s - stream.delay_ms / 1000) * SAMPLE_RATE - 1e-6


def test_16_khz_is_left_to_the_bit() -> None:
    sound = np.random.default_rng(0).standard_normal(999).astype(np.float32)
    assert StreamResampler(SAMPLE_RATE).delay_ms == 0
    np.testing.assert_array_equal(resampled(sound, SAMPLE_RATE, 5, 700), sound)
