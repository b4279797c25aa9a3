import json
import math

import numpy as np
import pytest
from fastdtw import dtw as plain_dtw
from fastdtw import fastdtw as package_fastdtw
from scipy.stats import pearsonr

from dataset.blendshapes import ARKIT, EYE, FACE, JAW
from postprocess.score import metrics
from postprocess.score.metrics import (
    Scores,
    clip_scores,
    correlation,
    diversity,
    dtw_scores,
    high_frequency,
    intervals,
    is_still,
    jerk,
    lag_ms,
    mean_scores,
    mouth_error,
    nested,
    upper_face_deviation,
)


def noise(frames: int, channels: int = 37, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, frames]).random((frames, channels))


def squared(x: np.ndarray, y: np.ndarray) -> float:
    return float(((x - y) ** 2).mean())


def speechlike(frames: int, fps: float = 30) -> np.ndarray:
    time = np.arange(frames) / fps
    return 0.5 + 0.3 * np.sin(2 * np.pi * 2.3 * time) + 0.15 * np.sin(2 * np.pi * 4.1 * time + 1)


def test_still_means_a_span_of_no_more_than_rounding() -> None:
    curves = np.array([[0.1, 0.1, 0.1], [0.1, 0.100001, 0.101]])
    np.testing.assert_array_equal(is_still(curves), [True, True, False])


def test_correlation_equals_scipy() -> None:
    prediction, target = noise(40, 5), noise(40, 5, 1)
    expected = [pearsonr(prediction[:, c], target[:, c]).statistic for c in range(5)]
    np.testing.assert_allclose(correlation(prediction, target), expected, rtol=1e-12)


def test_correlation_where_something_is_still() -> None:
    target, prediction = noise(40, 3), noise(40, 3, 1)
    target[:, 0] = 0.3
    prediction[:, 1] = 0.1
    r = correlation(prediction, target)
    assert math.isnan(r[0])
    assert r[1] == 0
    assert r[2] != 0


def test_jerk_of_a_cubic_is_its_third_derivative() -> None:
    time = np.arange(50)[:, None] / 25
    np.testing.assert_allclose(jerk(2 * time**3 - time**2, 25), [12], rtol=1e-6)
    assert np.isnan(jerk(time[:3], 25)).all()


@pytest.mark.parametrize("shift", [-7, -1, 0, 3, 12])
@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_lag_of_a_shifted_copy(shift: int, fps: float) -> None:
    curve = np.random.default_rng(0).random(400)
    start = 20
    target, prediction = curve[start:-start], curve[start - shift : len(curve) - start - shift]
    assert lag_ms(prediction, target, fps) == pytest.approx(shift * 1000 / fps, abs=100 / fps)


def test_lag_below_a_frame_is_found_by_the_parabola() -> None:
    fine = speechlike(4000, 300)
    target, prediction = fine[100::10][:300], fine[96::10][:300]  # late by 0.4 of a frame
    assert lag_ms(prediction, target, 30) == pytest.approx(0.4 * 1000 / 30, abs=1)
    assert lag_ms(target, prediction, 30) == pytest.approx(-0.4 * 1000 / 30, abs=1)


def test_lag_stays_within_its_reach_and_needs_motion() -> None:
    curve = noise(200, 1)[:, 0]
    assert lag_ms(np.roll(curve, 40), curve, 30) == pytest.approx(0, abs=500)
    assert lag_ms(np.zeros(50), curve[:50], 30) is None
    assert lag_ms(curve[:50], np.full(50, 0.2), 30) is None
    assert lag_ms(curve[:6], curve[:6], 30) == pytest.approx(0, abs=17)
    assert lag_ms(curve[:1], curve[:1], 30) is None


@pytest.mark.parametrize(("frames", "target_frames"), [(80, 80), (61, 90), (1, 9), (3, 3)])
def test_dtw_scores_equal_the_packages(frames: int, target_frames: int) -> None:
    prediction, target = noise(frames), noise(target_frames, seed=1)
    scores = dtw_scores(prediction, target)
    contest, path = package_fastdtw(prediction, target, radius=1, dist=squared)
    assert scores["contest"] == pytest.approx(contest, abs=1e-9)
    assert scores["contest_per_step"] == pytest.approx(contest / len(path), abs=1e-9)
    exact, path = plain_dtw(prediction, target, dist=squared)
    assert scores["exact_dtw"] == pytest.approx(exact, abs=1e-9)
    assert scores["exact_dtw_per_step"] == pytest.approx(exact / len(path), rel=0.05)  # ties may lengthen the path


def test_pieces_are_scored_one_by_one_and_the_rest_left_out() -> None:
    prediction, target = noise(70), noise(65, seed=1)
    parts = [package_fastdtw(prediction[i : i + 30], target[i : i + 30], 1, squared) for i in (0, 30)]
    scores = dtw_scores(prediction, target, 30)
    assert scores["contest"] == pytest.approx((parts[0][0] + parts[1][0]) / 2, abs=1e-9)
    steps = len(parts[0][1]) + len(parts[1][1])
    assert scores["contest_per_step"] == pytest.approx((parts[0][0] + parts[1][0]) / steps, abs=1e-9)
    assert dtw_scores(prediction, target, 66) == dtw_scores(prediction, target)


def clip(frames: int, seed: int) -> np.ndarray:
    return noise(frames, 52, seed)


def test_a_perfect_prediction() -> None:
    target = clip(90, 0)
    scores = clip_scores(target, target, ARKIT, 30)
    face = scores["groups"]["face"]
    assert scores["contest"] == scores["exact_dtw"] == face["mae"] == face["rmse"] == 0
    assert (face["correlation"], face["amplitude_ratio"], face["jerk_ratio"]) == pytest.approx((1, 1, 1))
    assert scores["jaw_open_lag_ms"] == pytest.approx(0, abs=3)
    assert face["moving"] == 37


def test_groups_and_channels_by_hand() -> None:
    prediction, target = clip(60, 1), clip(64, 2)
    target[:, ARKIT.index("JawLeft")] = 0.25
    scores = clip_scores(prediction, target, ARKIT, 25)
    jaw = [ARKIT.index(name) for name in JAW]
    difference = prediction[:, jaw] - target[:60, jaw]
    moving = [ARKIT.index(name) for name in JAW if name != "JawLeft"]
    expected = scores["groups"]["jaw"]
    assert expected["mae"] == pytest.approx(np.abs(difference).mean())
    assert expected["rmse"] == pytest.approx(np.sqrt((difference**2).mean()))
    assert expected["correlation"] == pytest.approx(
        np.mean([pearsonr(prediction[:, i], target[:60, i]).statistic for i in moving])
    )
    assert expected["amplitude_ratio"] == pytest.approx(prediction[:, jaw].std(0).sum() / target[:60, jaw].std(0).sum())
    assert expected["jerk"] == pytest.approx(np.abs(np.diff(prediction[:, jaw], 3, axis=0)).mean() * 25**3)
    assert expected["jerk"] is not None and expected["target_jerk"] is not None
    assert expected["jerk_ratio"] == pytest.approx(expected["jerk"] / expected["target_jerk"])
    assert expected["moving"] == 3
    still = scores["channels"]["JawLeft"]
    assert still["correlation"] is still["amplitude_ratio"] is still["jerk_ratio"] is None
    assert scores["channels"]["JawOpen"]["rmse"] == pytest.approx(np.sqrt((difference[:, 3] ** 2).mean()))
    assert (scores["frames"], scores["target_frames"]) == (60, 64)


def test_the_contest_score_sees_the_37_alone_and_both_lengths_whole() -> None:
    prediction, target = clip(30, 1), clip(41, 2)
    scores = clip_scores(prediction, target, ARKIT, 30)
    assert scores["contest"] == dtw_scores(prediction[:, 14:51], target[:, 14:51])["contest"]
    prediction[:, [ARKIT.index(name) for name in (*EYE, "TongueOut")]] = 9
    assert clip_scores(prediction, target, ARKIT, 30)["contest"] == scores["contest"]


def test_channels_are_found_by_name_and_groups_without_channels_left_out() -> None:
    prediction, target = clip(30, 1)[:, 14:51], clip(30, 2)[:, 14:51]
    order = np.random.default_rng(0).permutation(37)
    one = clip_scores(prediction, target, FACE, 30)
    two = clip_scores(prediction[:, order], target[:, order], tuple(FACE[i] for i in order), 30)
    assert one["contest"] == pytest.approx(two["contest"], abs=1e-12)
    assert one["channels"]["JawOpen"] == pytest.approx(two["channels"]["JawOpen"], abs=1e-9)
    assert "eye" not in one["groups"]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_tiny_clips_have_scores_without_nan(frames: int) -> None:
    scores = clip_scores(clip(frames, 1), clip(frames, 2), ARKIT, 30)
    json.dumps(scores, allow_nan=False)
    assert scores["groups"]["face"]["jerk"] is None


def test_means_leave_out_what_has_no_meaning() -> None:
    one: Scores = {"a": 1.0, "b": None, "c": {"x": 1.0}}
    two: Scores = {"a": 2.0, "b": 4.0, "c": {"x": 3.0, "y": None}}
    assert mean_scores([one, two, {"a": 6.0}]) == {"a": 3.0, "b": 4.0, "c": {"x": 2.0, "y": None}}


def test_high_frequency_is_the_variance_above_6_hz() -> None:
    time_s = np.arange(300) / 30
    slow, fast = 0.5 * np.sin(2 * np.pi * 3 * time_s), 0.2 * np.sin(2 * np.pi * 10 * time_s)
    found = high_frequency(np.stack([slow, fast, slow + fast, np.full(300, 0.7)], axis=1), 30)
    np.testing.assert_allclose(found, [0, 0.02, 0.02, 0], atol=1e-6)  # A² / 2
    assert high_frequency(slow[:, None], 10)[0] == 0  # nothing above 6 Hz at 10 frames a second
    assert np.isnan(high_frequency(slow[:3, None], 30)).all()


def test_high_frequency_equals_a_filtered_noises_variance() -> None:
    noise = np.random.default_rng(0).normal(size=(20000, 1))
    assert high_frequency(noise, 30)[0] == pytest.approx(noise.var() * (1 - 6 / 15), rel=0.05)  # white: by bandwidth


def test_the_mouths_error_is_the_worst_channels_and_by_name() -> None:
    names = ("BrowInnerUp", "MouthFunnel", "JawOpen")
    target = np.zeros((2, 3))
    prediction = np.array([[9.0, 0.1, -0.3], [9.0, 0.2, 0.0]])
    assert mouth_error(prediction, target, names) == pytest.approx((0.3 + 0.2) / 2)
    assert mouth_error(prediction[:, ::-1], target, names[::-1]) == pytest.approx(0.25)
    assert mouth_error(prediction[:, :1], target[:, :1], names[:1]) is None


def test_the_upper_faces_deviation_is_positive_for_one_too_still() -> None:
    names = ("JawOpen", "BrowInnerUp", "EyeBlinkLeft")
    target = np.array([[0.0, 0.0, 0.0], [1.0, 0.4, 1.0]])
    prediction = np.array([[0.0, 0.0, 0.3], [0.0, 0.0, 0.3]])
    assert upper_face_deviation(prediction, target, names) == pytest.approx((0.2 + 0.5) / 2)
    assert upper_face_deviation(target, target, names) == 0
    assert upper_face_deviation(target[:, :1], target[:, :1], names[:1]) is None


def test_diversity_is_the_mean_over_pairs() -> None:
    a, b, c = np.zeros((4, 2)), np.full((5, 2), 0.3), np.full((4, 2), 0.6)
    assert diversity([a, b, c]) == pytest.approx((0.3 + 0.6 + 0.3) / 3)
    assert diversity([a]) is None


def test_intervals_equal_scipys_bootstrap_and_repeat() -> None:
    from scipy.stats import bootstrap

    values = np.random.default_rng(1).random(12)
    clips: list[Scores] = [{"a": float(value), "groups": {"jaw": {"mae": float(2 * value)}}} for value in values]
    found = intervals(clips)
    assert found == intervals(clips)
    expected = bootstrap((values,), np.mean, method="percentile", n_resamples=20000, rng=0).confidence_interval
    interval = np.array(found["a"])
    np.testing.assert_allclose(interval, [expected.low, expected.high], atol=0.02)
    np.testing.assert_allclose(np.array(found["groups.jaw.mae"]), 2 * interval)
    assert nested(found) == {"a": found["a"], "groups": {"jaw": {"mae": found["groups.jaw.mae"]}}}


def test_intervals_leave_out_what_is_none() -> None:
    found = intervals([{"a": 1.0, "b": None, "c": 1.0}, {"a": 3.0, "b": 2.0}, {"a": None, "b": None, "c": 1.0}])
    assert found["b"] is None
    assert found["a"] == [1.0, 3.0]
    assert found["c"] == [1.0, 1.0]
    assert intervals([{"a": 1.0}])["a"] is None


def test_a_clip_that_is_too_long_for_exact_dtw_has_every_other_score(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, target = noise(60, 52), noise(70, 52, 1)
    before = clip_scores(prediction, target, ARKIT, 30)
    monkeypatch.setattr(metrics, "MOST_EXACT_CELLS", 60 * 70 - 1)
    after = clip_scores(prediction, target, ARKIT, 30)
    assert after == before | {"exact_dtw": None, "exact_dtw_per_step": None}
    assert dtw_scores(prediction[:, :37], target[:, :37], 30)["exact_dtw"] is not None


def test_long_clips_are_measured_some_channels_at_a_time_to_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, target = noise(60, 52), noise(60, 52, 1)
    before = clip_scores(prediction, target, ARKIT, 30)
    monkeypatch.setattr(metrics, "LONG_FRAMES", 10)
    after = clip_scores(prediction, target, ARKIT, 30)
    for name, scores in before["channels"].items():
        assert after["channels"][name] == pytest.approx(scores, rel=1e-12)
