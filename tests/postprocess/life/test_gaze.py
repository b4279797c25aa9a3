import numpy as np
import pytest
from scipy import stats

from postprocess.life.gaze import (
    AT_S,
    AWAY_S,
    DIRECTIONS,
    FULL,
    LARGEST_DEG,
    LARGEST_P,
    MICRO_DEG,
    SCALE_DEG,
    Gaze,
    target,
)
from postprocess.life.prosody import STEP_S
from postprocess.life.seeded import Seeded


@pytest.mark.parametrize("speaking", [True, False])
def test_amplitudes_and_directions_are_those_of_eyes_alive(speaking: bool) -> None:
    random = Seeded(0, "a", "targets")
    targets = np.array([target(random.uniform(), random.uniform(), speaking) for _ in range(6000)])
    amplitudes = np.hypot(*targets.T)
    largest = LARGEST_DEG[speaking]
    assert amplitudes.max() <= largest
    even = FULL * np.exp(-amplitudes / SCALE_DEG)  # the formula turned round: P, even in what is left of (0, 15]
    least = FULL * np.exp(-largest / SCALE_DEG)
    assert stats.kstest(even, stats.uniform(least, LARGEST_P - least).cdf).statistic <= 0.05
    sectors = np.rint(np.degrees(np.arctan2(targets[:, 1], targets[:, 0])) / 45).astype(int) % 8
    shares = 100 * np.bincount(sectors, minlength=8) / len(targets)
    np.testing.assert_allclose(shares, DIRECTIONS, atol=1.6)


@pytest.mark.parametrize("speaking", [True, False])
def test_times_at_and_away_are_exponential(speaking: bool) -> None:
    gaze, starts = Gaze(Seeded(2, "a", "gaze")), []
    for step in range(round(3600 / STEP_S)):
        if gaze.step(step * STEP_S, speaking):
            starts.append(step * STEP_S)
    away_s, at_s = np.diff(starts)[::2], np.diff(starts)[1::2]
    for found, mean_s in ((away_s, AWAY_S[speaking]), (at_s, AT_S[speaking])):
        assert found.mean() == pytest.approx(mean_s, rel=0.08)
        assert stats.kstest(found, stats.expon(scale=mean_s).cdf).statistic <= 0.05


def test_eyes_lead_and_the_head_follows_a_large_shift() -> None:
    gaze, seen = Gaze(Seeded(1, "a", "gaze")), []
    for step in range(60_000):
        time_s = step * STEP_S
        length = gaze.step(time_s, True)
        seen.append((length, *gaze.at(time_s), *gaze.head_at(time_s)))
    lengths, yaw, pitch, head_yaw, head_pitch = np.array(seen).T
    quiet = [i for i in np.flatnonzero(lengths) if not lengths[i + 1 : i + 120].any() and i + 120 < len(yaw)]
    large = [i for i in quiet if lengths[i] > 16]
    assert len(large) > 5
    for i in quiet:
        duration_s = 0.025 + 0.0024 * lengths[i]
        done = i + int(np.ceil(duration_s / STEP_S))
        gone = np.hypot(yaw[done] - yaw[i], pitch[done] - pitch[i])
        assert gone == pytest.approx(lengths[i], abs=0.35)
    for i in large:
        turned = np.hypot(head_yaw[i : i + 120] - head_yaw[i], head_pitch[i : i + 120] - head_pitch[i])
        assert turned[4] < 0.05 * turned[-1] < turned[-1]  # the eyes have arrived, the head has hardly begun
        assert 1 < turned[-1] < 0.4 * lengths[i]


def test_a_gaze_that_holds_never_freezes_nor_leaves_its_place() -> None:
    gaze = Gaze(Seeded(0, "a", "gaze"))
    gaze._due = 1e9  # it stays where it is
    times = np.arange(6000) * STEP_S
    held = []
    for time_s in times:
        gaze.step(time_s, False)
        held.append(gaze.at(time_s))
    away = np.hypot(*np.array(held).T)
    assert away.max() < 2 * MICRO_DEG
    windows = np.lib.stride_tricks.sliding_window_view(np.array(held)[:, 0], 100)
    assert np.ptp(windows, axis=1).min() > 1e-3
