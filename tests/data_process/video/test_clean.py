"""What the tracker says is made a face's curves: rest taken away, noise taken out, closures and blinks left."""

import numpy as np
import pytest

from data_process.video.clean import (
    Lids,
    clean,
    gaze_slope,
    measure_lids,
    neutral_pose,
    noise_levels,
    smooth,
    without_neutral,
)
from dataset.blendshapes import ARKIT

FRAMES = 600
NOISE = 0.02


def speech(frames: int = FRAMES) -> np.ndarray:
    """(frames,) at 30 a second: a jaw that opens and closes three times a second, and three closures of 100 ms."""
    opening = 0.4 + 0.3 * np.sin(2 * np.pi * 3 * np.arange(frames) / 30)
    for start in (100, 300, 500):
        opening[start : start + 3] = 0
    return opening


def test_noise_goes_and_closures_stay() -> None:
    random = np.random.default_rng(0)
    still, moving = np.full(FRAMES, 0.3), speech()
    truth = np.column_stack([still, moving])
    read = truth + random.normal(0, NOISE, truth.shape)
    smoothed = smooth(read, np.array([NOISE, NOISE]))
    assert (smoothed[:, 0] - still).std() < 0.8 * NOISE
    for start in (100, 300, 500):
        assert smoothed[start : start + 3, 1].min() < 0.05
    assert np.corrcoef(smoothed[:, 1], moving)[0, 1] > 0.99


def test_smoothing_has_no_delay() -> None:
    bump = np.exp(-0.5 * ((np.arange(41) - 20) / 2.0) ** 2)[:, None]
    smoothed = smooth(bump, np.array([0.05]))[:, 0]
    np.testing.assert_allclose(smoothed, smoothed[::-1], atol=1e-12)
    assert smoothed.argmax() == 20


def test_what_has_no_noise_is_left_alone() -> None:
    moving = speech()[:, None]
    np.testing.assert_allclose(smooth(moving, np.zeros(1)), moving, atol=1e-12)


def test_noise_is_found_under_motion() -> None:
    random = np.random.default_rng(1)
    slow = 0.5 + 0.3 * np.sin(2 * np.pi * 0.5 * np.arange(FRAMES) / 30)
    read = np.column_stack([slow, np.zeros(FRAMES)]) + random.normal(0, NOISE, (FRAMES, 2))
    np.testing.assert_allclose(noise_levels(read), NOISE, rtol=0.2)
    assert (noise_levels(np.zeros((3, 2))) == 0).all()


def test_neutral_is_the_face_in_pauses() -> None:
    scores = np.zeros((300, 52))
    scores[:, 0] = 0.4  # never lower
    scores[:100, 1] = 0.9  # smiled in pauses alone
    scores[100:, 2] = 0.5  # moves in speech
    is_rest = np.arange(300) < 100
    neutral = neutral_pose(scores, is_rest, 30.0)
    assert (neutral[0], neutral[1], neutral[2]) == (0.4, 0.0, 0.0)
    without_pauses = neutral_pose(scores, np.zeros(300, bool), 30.0)
    assert (without_pauses[0], without_pauses[1]) == (0.4, 0.0)


def test_neutral_is_taken_away_and_the_range_kept() -> None:
    neutral = np.zeros(52)
    neutral[0], neutral[1] = 0.5, 0.95
    scores = np.tile(neutral, (4, 1))
    scores[1, 0], scores[2, 0], scores[3, 0] = 1.0, 0.75, 0.2
    rested = without_neutral(scores, neutral)
    np.testing.assert_allclose(rested[:, 0], [0, 1, 0.5, 0])
    assert without_neutral(np.ones((1, 52)), neutral)[0, 1] == pytest.approx(0.25)  # not blown up by 20


def eyes(blink: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(frames, 52) with both eyes alike."""
    curves = np.zeros((len(blink), 52))
    for side in ("Left", "Right"):
        curves[:, ARKIT.index(f"EyeBlink{side}")] = blink
        curves[:, ARKIT.index(f"EyeLookDown{side}")] = down
    return curves


def test_a_gaze_down_is_no_blink_and_a_blink_is_whole() -> None:
    down = np.where(np.arange(FRAMES) % 200 < 80, 0.5, 0.0)
    blinks = np.zeros(FRAMES)
    for start in range(20, FRAMES, 90):
        blinks[start : start + 5] = (0.3, 0.6, 0.6, 0.4, 0.2)  # this person's lids read 0.6 when closed
    read = np.maximum(blinks, 0.6 * down)
    lids = measure_lids(eyes(read, down))
    assert lids.by_gaze == pytest.approx((0.6, 0.6))
    mended = lids.mend(eyes(read, down))[:, ARKIT.index("EyeBlinkLeft")]
    gazing = (down > 0) & (blinks == 0)
    assert np.abs(mended[gazing]).max() < 1e-9
    open_gaze = (down == 0) & (blinks == 0.6)
    assert open_gaze.any() and mended[open_gaze].min() > 0.9


def test_lids_that_never_close_are_not_blown_up() -> None:
    lids = measure_lids(eyes(np.full(100, 0.1), np.zeros(100)))
    assert lids == Lids((0.0, 0.0), (1.0, 1.0))
    assert gaze_slope(np.full(100, 0.5), np.zeros(100)) == 0


def test_slow_footage_is_not_smoothed() -> None:
    scores = np.random.default_rng(2).random((60, 52)) * 0.1
    done = clean(scores, np.zeros(52), Lids((0.0, 0.0), (1.0, 1.0)), 12.0)
    np.testing.assert_allclose(done.curves, scores)
    assert (done.noise == 0).all()
