"""Curves from rate to rate: straight lines up, no aliases down, and the same moments at the same times."""

import numpy as np
import pytest

from dataset.recordings.resample import resample_curves


def wave(hz: float, fps: float, seconds: float = 20.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * fps)) / fps)[:, None]


def rms(curves: np.ndarray) -> float:
    middle = curves[len(curves) // 10 : -len(curves) // 10]
    return float(np.sqrt((middle**2).mean()))


@pytest.mark.parametrize(("source", "target"), [(25.0, 60.0), (30.0, 60.0), (24.0, 30.0), (29.97, 30.0)])
def test_up_a_ramp_stays_a_ramp_and_its_end_is_held(source: float, target: float) -> None:
    ramp = np.arange(100)[:, None] / source * [1.0, -2.0]  # a value is its own time
    curves = resample_curves(ramp, source, target)
    times = np.minimum(np.arange(len(curves)) / target, 99 / source)
    np.testing.assert_allclose(curves, times[:, None] * [1.0, -2.0], atol=1e-5)
    assert curves.dtype == np.float32


@pytest.mark.parametrize(
    ("frames", "source", "target", "expected"),
    [(100, 25, 60, 240), (240, 60, 25, 100), (100, 30, 25, 83), (1, 60, 25, 1), (3, 30, 25, 3), (5, 60, 30, 3)],
)
def test_the_length_is_the_nearest_to_the_duration(frames: int, source: float, target: float, expected: int) -> None:
    assert len(resample_curves(np.zeros((frames, 2)), source, target)) == expected


def test_a_length_can_be_asked_for() -> None:
    curves = np.arange(10.0)[:, None]
    assert resample_curves(curves, 30, 30, frames=12)[:, 0].tolist() == [*range(10), 9, 9]
    assert resample_curves(curves, 30, 60, frames=3)[:, 0].tolist() == [0, 0.5, 1]
    assert len(resample_curves(curves, 60, 30, frames=20)) == 20


def test_the_same_rate_changes_nothing() -> None:
    curves = np.random.default_rng(0).random((50, 3), np.float32)
    assert np.array_equal(resample_curves(curves, 30, 30), curves)


@pytest.mark.parametrize(
    ("source", "target", "tone"), [(60, 25, 20.0), (60, 30, 22.0), (120, 30, 25.0), (60, 25, 25.0)]
)
def test_down_a_tone_above_the_new_nyquist_is_gone(source: float, target: float, tone: float) -> None:
    assert rms(wave(tone, source)) == pytest.approx(np.sqrt(0.5), rel=0.01)
    assert rms(resample_curves(wave(tone, source), source, target)) < 0.02


@pytest.mark.parametrize(("source", "target"), [(30, 25), (60, 25), (60, 30), (120, 30)])
@pytest.mark.parametrize("hz", [1.0, 3.0])
def test_down_slow_motion_stays_where_it_is(source: float, target: float, hz: float) -> None:
    curves = resample_curves(wave(hz, source), source, target)
    expected = wave(hz, target)
    inside = slice(len(expected) // 10, -len(expected) // 10)
    assert np.abs(curves - expected)[inside].max() < 0.06


def test_down_a_constant_stays_that_constant() -> None:
    curves = resample_curves(np.full((90, 2), [0.3, 1.0]), 60, 25)
    np.testing.assert_allclose(curves, np.tile([0.3, 1.0], (len(curves), 1)), atol=1e-6)
    assert (curves == curves[0]).all()  # a channel that never moves has std exactly 0


@pytest.mark.parametrize(("hz", "least", "most"), [(8.0, 0.98, 1.02), (10.0, 0.95, 1.02), (14.0, 0, 0.15)])
def test_down_by_a_sixth_motion_below_the_new_nyquist_stays_and_the_rest_goes(
    hz: float, least: float, most: float
) -> None:
    kept = rms(resample_curves(wave(hz, 30), 30, 25)) / np.sqrt(0.5)
    assert least <= kept <= most


def test_down_a_coefficient_that_was_within_0_and_1_stays_there() -> None:
    steps = np.repeat([[0.0, 1.0, -0.1], [1.0, 0.0, 1.3]] * 5, 12, axis=0)
    curves = resample_curves(steps, 30, 25)
    assert (curves[:, :2].min(), curves[:, :2].max()) == (0, 1)
    assert curves[:, 2].min() < -0.1 and curves[:, 2].max() > 1.3  # beyond already: left as the filter gives it
