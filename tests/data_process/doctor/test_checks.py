"""The doctor's measures on signals whose answers are known: synthetic speech, poses and sounds."""

import numpy as np
import pytest
import soxr

from data_process.doctor.curve_checks import (
    dead_channels,
    frozen_stretches,
    held_stretches,
    jitter,
    motion_in_silence,
    outside_channels,
    repeated_rows,
    resting_values,
    saturated_channels,
)
from data_process.doctor.fingerprint import fingerprint, same_recordings
from data_process.doctor.side_checks import (
    LEFT,
    RIGHT,
    asymmetry,
    gaze_agreement,
    is_mirrored,
    sides_likeness,
)
from data_process.energy import runs
from dataset.blendshapes import ARKIT
from dataset.sync import USUAL_LAG_MS, lag, lag_track, voice_energy
from tests.data_process.doctor.swaps import swap_sides

RATE = 16_000
JAW_OPEN = ARKIT.index("JawOpen")


def syllables(seconds: float, seed: int = 0) -> np.ndarray:
    """(1000 steps a second,) how open a mouth is: bumps of a raised cosine, 0.15 to 0.3 s long, at uneven times."""
    rng = np.random.default_rng(seed)
    opening, place = np.zeros(round(seconds * 1000)), 100
    while place + 300 < len(opening):
        length = int(rng.integers(150, 300))
        opening[place : place + length] = rng.uniform(0.3, 1) * (0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, length)))
        place += length + int(rng.choice([20, 60, 400], p=[0.6, 0.3, 0.1]))
    return opening


def talk(opening: np.ndarray, fps: float, late_s: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Sound whose loudness is the opening, (samples,), and curves that show it so late, (frames, 52)."""
    rng = np.random.default_rng(1)
    loudness = np.interp(np.arange(len(opening) * 16) / 16, np.arange(len(opening)), opening)
    audio = (loudness * rng.normal(0, 0.1, len(loudness)) + rng.normal(0, 1e-4, len(loudness))).astype(np.float32)
    frames = round(len(opening) / 1000 * fps)
    curves = np.zeros((frames, 52))
    seen_ms = (np.arange(frames) / fps - late_s) * 1000
    curves[:, JAW_OPEN] = np.interp(seen_ms, np.arange(len(opening)), opening)
    return audio, curves


@pytest.mark.parametrize("fps", [24, 25, 30, 60])
@pytest.mark.parametrize("late_ms", [-333, -80, 0, 20, 120, 410])
def test_the_lag_is_told_to_five_milliseconds(fps: float, late_ms: float) -> None:
    audio, curves = talk(syllables(20), fps, late_ms / 1000)
    found = lag(curves, audio, fps)
    assert found
    assert found.ms + USUAL_LAG_MS == pytest.approx(late_ms, abs=5)
    assert found.correlation > 0.8
    assert found.margin > 0.3


def test_the_lag_is_unknown_for_short_silent_and_still_clips() -> None:
    audio, curves = talk(syllables(20), 30)
    assert lag(curves[:45], audio[:24_000], 30) is None
    assert lag(curves, np.zeros_like(audio), 30) is None
    assert lag(np.zeros_like(curves), audio, 30) is None
    assert lag_track(curves[:150], audio[:80_000], 30) is None


def test_energy_stands_where_the_sound_is() -> None:
    audio = np.zeros(RATE, np.float32)
    audio[8000:8800] = np.random.default_rng(0).normal(0, 0.1, 800)
    energy = voice_energy(audio)
    loud = np.flatnonzero(energy > energy.max() / 2)
    assert len(energy) == 100
    assert loud.min() in (49, 50)
    assert loud.max() in (54, 55, 56)


def test_the_track_follows_a_drift_and_stays_steady_without_one() -> None:
    audio, curves = talk(syllables(40, seed=3), 30)
    steady = lag_track(curves, audio, 30)
    slow = lag_track(curves[np.arange(1200) * 97 // 100], audio, 30)  # shown at 97 % of the speed: 30 ms a second
    assert steady
    assert slow
    assert np.ptp(steady.path_ms) <= 10
    slope = np.polyfit(slow.times_s, slow.path_ms, 1)[0]
    assert slope == pytest.approx(30, abs=3)
    assert slow.confidence.min() > 0.3


def wander(frames: int, channels: int = 52, seed: int = 0) -> np.ndarray:
    """Smooth curves between 0.2 and 0.8 that never rest."""
    rng = np.random.default_rng(seed)
    phase, pace = rng.uniform(0, 6, channels), rng.uniform(0.5, 2, channels)
    return 0.5 + 0.3 * np.sin(2 * np.pi * pace * np.arange(frames)[:, None] / 30 + phase)


def test_held_stretches_are_found_to_the_frame() -> None:
    curves = wander(300)
    curves[100:130] = curves[100]
    curves[200:205] = curves[200]  # 0.17 s: too short
    assert held_stretches(curves, 30).tolist() == [[100, 130]]
    speech = np.zeros(300, bool)
    assert not len(frozen_stretches(curves, speech, 30))
    speech[110:125] = True
    assert frozen_stretches(curves, speech, 30).tolist() == [[100, 130]]


def test_without_sound_a_held_pose_is_frozen_and_held_rest_is_not() -> None:
    curves = wander(300)
    curves[100:130] = curves[100]
    assert frozen_stretches(curves, None, 30).tolist() == [[100, 130]]
    resting = np.abs(np.sin(np.arange(300) / 20))[:, None] * np.ones(52)
    resting[120:160] = 0
    assert not len(frozen_stretches(resting, None, 30))


def test_doubled_rows_are_found_where_the_face_moves() -> None:
    curves = wander(300)
    doubled = np.insert(curves, [50, 120], curves[[49, 119]], axis=0)
    assert repeated_rows(doubled).tolist() == [50, 121]
    assert not len(repeated_rows(curves))
    assert not len(repeated_rows(np.zeros((100, 52))))


def test_channels_that_are_dead_cut_off_or_out_of_range() -> None:
    curves = wander(300)
    curves[:, 3] = 0.25
    curves[:, JAW_OPEN] = (curves[:, JAW_OPEN] * 1.5).clip(0, 1)
    curves[7, 5] = 1.25
    curves[8, 6] = -0.125
    assert dead_channels(curves) == (ARKIT[3],)
    assert saturated_channels(curves).keys() == {"JawOpen"}
    assert saturated_channels(curves)["JawOpen"] == pytest.approx((curves[:, JAW_OPEN] == 1).mean(), abs=0.01)
    assert outside_channels(curves) == {ARKIT[5]: pytest.approx(0.25), ARKIT[6]: pytest.approx(0.125)}
    assert resting_values(curves)[ARKIT[3]] == 0.25


@pytest.mark.parametrize("std", [0.005, 0.01, 0.03])
def test_jitter_is_the_noise_and_not_the_motion(std: float) -> None:
    curves = wander(900)
    noise = np.random.default_rng(2).normal(0, std, curves.shape)
    assert jitter(curves, 30) < 1e-3
    assert jitter(curves + noise, 30) == pytest.approx(std * np.sqrt(1 / 3), rel=0.1)  # the part above 10 of 15 Hz


def test_motion_in_silence_compares_speeds() -> None:
    opening = np.concatenate([np.sin(np.arange(100)), 0.5 * np.sin(np.arange(100))])
    speech = np.arange(200) < 100
    assert motion_in_silence(opening, ~speech, speech) == pytest.approx(0.5, abs=0.02)
    assert motion_in_silence(opening, np.zeros(200, bool), speech) is None


def test_runs() -> None:
    assert runs(np.array([1, 1, 0, 1, 0, 0, 1], bool)).tolist() == [[0, 2], [3, 4], [6, 7]]
    assert runs(np.zeros(3, bool)).shape == (0, 2)


def test_swapping_sides_twice_is_nothing_and_turns_the_asymmetrys_sign() -> None:
    curves = wander(90, seed=4)
    swapped = swap_sides(curves)
    np.testing.assert_array_equal(swap_sides(swapped), curves)
    np.testing.assert_allclose(asymmetry(swapped), -asymmetry(curves))
    for left, right in zip(LEFT, RIGHT, strict=True):
        np.testing.assert_array_equal(swapped[:, ARKIT.index(left)], curves[:, ARKIT.index(right)])
    assert is_mirrored((curves + swapped) / 2)
    assert not is_mirrored(curves)


@pytest.mark.parametrize("turned", [[], [2], [0, 5, 7], [1, 2, 3, 4]])
def test_clips_that_are_lopsided_the_other_way_are_told_by_sign(turned: list[int]) -> None:
    rng = np.random.default_rng(8)
    clips = rng.normal(0, 0.2, len(LEFT)) + rng.normal(0, 0.05, (10, len(LEFT)))
    clips[turned] *= -1
    likeness = sides_likeness(clips)
    assert likeness is not None
    assert np.flatnonzero(likeness < 0).tolist() == turned
    assert np.abs(likeness).min() > 0.7


def test_a_symmetric_face_and_few_clips_tell_nothing_of_sides() -> None:
    rng = np.random.default_rng(9)
    assert sides_likeness(rng.normal(0, 1e-3, (10, len(LEFT)))) is None
    assert sides_likeness(rng.normal(0, 0.2, (3, len(LEFT)))) is None


def test_eyes_that_go_against_their_angle() -> None:
    curves = np.zeros((200, 52))
    yaw = np.sin(np.arange(200) / 10)
    curves[:, ARKIT.index("EyeLookInLeft")] = curves[:, ARKIT.index("EyeLookOutRight")] = yaw.clip(0)
    curves[:, ARKIT.index("EyeLookOutLeft")] = curves[:, ARKIT.index("EyeLookInRight")] = (-yaw).clip(0)
    assert gaze_agreement(curves, {"LeftEyeYaw": yaw}) == pytest.approx(1)
    assert gaze_agreement(swap_sides(curves), {"LeftEyeYaw": yaw}) == pytest.approx(-1)
    assert gaze_agreement(curves, {}) is None
    assert gaze_agreement(curves, {"LeftEyeYaw": 0 * yaw}) is None


def melody(seed: int, seconds: float = 8) -> np.ndarray:
    """Struck notes that die away, about 20 a second, over faint noise."""
    rng = np.random.default_rng(seed)
    sound, note_s = rng.normal(0, 1e-3, round(seconds * RATE)), np.arange(RATE // 2) / RATE
    for start in rng.integers(0, len(sound) - len(note_s), round(20 * seconds)):
        sound[start : start + len(note_s)] += (
            0.1 * np.sin(2 * np.pi * rng.uniform(100, 3400) * note_s) * np.exp(-8 * note_s)
        )
    return sound.astype(np.float32)


def test_a_fingerprint_finds_a_piece_where_it_was_cut() -> None:
    sounds = [melody(seed) for seed in range(6)]
    piece = sounds[4][round(2.5 * RATE) : round(6.5 * RATE)] * 0.3
    slower_path = soxr.resample(soxr.resample(piece, RATE, 8000), 8000, RATE)
    (match,) = same_recordings([*map(fingerprint, sounds), fingerprint(slower_path)], 0.06)
    assert (match.first, match.second) == (4, 6)
    assert match.share > 0.2
    assert match.offset_s == pytest.approx(2.5, abs=0.02)


def test_sounds_without_content_match_nothing() -> None:
    prints = [fingerprint(np.zeros(length, np.float32)) for length in (0, 10, 2048, 32_000, 32_000)]
    assert same_recordings(prints, 0.06) == []
