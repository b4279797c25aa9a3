import numpy as np
import pytest

from dataset.recordings.resample import resample_curves, resample_times


def wave(times: np.ndarray, hertz: float) -> np.ndarray:
    return 0.5 + 0.4 * np.sin(2 * np.pi * hertz * times)[:, None]


@pytest.mark.parametrize(("rate", "fps"), [(60, 25), (30, 60), (30, 25), (24, 24), (100, 30)])
def test_even_times_give_what_the_rate_gives(rate: int, fps: int) -> None:
    curves = np.random.default_rng(0).random((200, 3))
    by_time = resample_times(curves, 7.5 + np.arange(200) / rate, fps)
    np.testing.assert_allclose(by_time, resample_curves(curves, rate, fps), atol=1e-6)
    assert by_time.dtype == np.float32


@pytest.mark.parametrize("fps", [25, 30, 60, 120])
def test_dropped_doubled_and_uneven_frames_keep_their_time(fps: int) -> None:
    random = np.random.default_rng(1)
    times = np.arange(600) / 60
    times[1:-1] += random.uniform(-0.003, 0.003, 598)
    times = np.delete(times, random.choice(np.arange(1, 599), 30, replace=False))
    times = np.insert(times, 100, times[100])
    result = resample_times(wave(times, 1.0), times, fps)
    assert len(result) == 10 * fps
    edge = fps // 3
    np.testing.assert_allclose(result[edge:-edge], wave(np.arange(10 * fps) / fps, 1.0)[edge:-edge], atol=0.02)


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    times = np.delete(np.arange(1200), [300, 301, 800]) / 60
    gone = resample_times(wave(times, 18.0), times, 25)[10:-10]
    assert gone.std() < 0.02
    assert gone.mean() == pytest.approx(0.5, abs=0.01)
    kept = resample_times(wave(times, 5.0), times, 25)[10:-10]
    assert np.ptp(kept) > 0.7


def test_of_frames_at_one_time_the_last_counts() -> None:
    result = resample_times(np.array([[0.0], [0.2], [0.6], [0.8]]), np.array([0, 1, 1, 2]) / 30, 30)
    np.testing.assert_allclose(result[:, 0], [0, 0.6, 0.8], atol=1e-6)


def test_length_as_told_and_one_frame() -> None:
    times = np.arange(10) / 30
    assert len(resample_times(np.ones((10, 2)), times, 30, frames=14)) == 14
    assert resample_times(np.full((1, 2), 0.3), times[:1], 30, frames=4).shape == (4, 2)
