"""Curves from one frame rate, or from uneven times, to a constant rate, by time."""

import math

import numpy as np

from dataset.recordings.timing import frame_rate

FILTER_PERIODS = 16  # of the lower rate, in the filter's length; from 30 to 25 fps it leaves 0.99 of 10 Hz, 0.1 of 14


def resample_curves(curves: np.ndarray, from_fps: float, to_fps: float, frames: int | None = None) -> np.ndarray:
    """(frames, channels) at from_fps → (frames', channels) at to_fps, float32; frame i stands at i / to_fps.

    frames: the length of the result; by default the nearest to the same duration. Linear interpolation on the
    way up, a windowed sinc that cuts at the new Nyquist frequency on the way down. First and last frame are held.
    """
    if frames is None:
        frames = _whole_frames(len(curves) * to_fps / from_fps)
    if from_fps == to_fps and frames == len(curves):
        return curves.astype(np.float32)
    position = np.arange(frames) * (from_fps / to_fps)
    resampled = _interpolate(curves, position) if to_fps >= from_fps else _decimate(curves, position, to_fps / from_fps)
    return resampled.astype(np.float32)


def resample_times(curves: np.ndarray, times_s: np.ndarray, fps: float, frames: int | None = None) -> np.ndarray:
    """(frames, channels) at times_s (frames,) → (frames', channels) at fps, float32; frame i stands at i / fps.

    times_s: from 0 or any start, never decreasing, uneven as they are: dropped frames are bridged by a straight line,
    of frames at one time the last counts. frames and the low-pass on the way down are as in resample_curves.
    """
    rate = frame_rate(times_s)
    if rate is None:
        return np.repeat(curves[-1:].astype(np.float32), frames or 1, axis=0)
    span_s = times_s[-1] - times_s[0]
    if frames is None:
        frames = _whole_frames((span_s + 1 / rate) * fps)
    if fps < rate:  # filters want even steps: first at the curves' own rate
        even = _at_times(curves, times_s, np.arange(round(span_s * rate) + 1) / rate)
        return resample_curves(even, rate, fps, frames)
    return _at_times(curves, times_s, np.arange(frames) / fps).astype(np.float32)


def _whole_frames(frames: float) -> int:
    return max(1, math.floor(round(frames, 6) + 0.5))  # halves up, whatever the last bits say


def _at_times(curves: np.ndarray, times_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """The curves at times counted from the first frame's."""
    times, last = np.unique(times_s[::-1] - times_s[0], return_index=True)
    return _interpolate(curves[::-1][last], np.interp(wanted_s, times, np.arange(len(times))))


def _interpolate(curves: np.ndarray, position: np.ndarray) -> np.ndarray:
    """The curves at fractional frame numbers, on straight lines between frames; the last is held past the end."""
    position = np.minimum(position, len(curves) - 1)
    left = np.floor(position).astype(int)
    right = np.minimum(left + 1, len(curves) - 1)
    weight = (position - left)[:, None]
    return curves[left] * (1 - weight) + curves[right] * weight


def _decimate(curves: np.ndarray, position: np.ndarray, ratio: float) -> np.ndarray:
    """The curves at fractional frame numbers, through a Hann-windowed sinc; ratio: the new rate over the old, below 1.

    Oppenheim & Schafer, Discrete-Time Signal Processing, section 7.2: low-pass by windowing the ideal response.
    """
    position = np.minimum(position, len(curves) - 1)
    reach = FILTER_PERIODS / (2 * ratio)  # in old frames
    taps = np.floor(position).astype(int)[:, None] + np.arange(-math.ceil(reach) + 1, math.ceil(reach) + 1)
    away = position[:, None] - taps
    weights = np.sinc(ratio * away) * np.where(np.abs(away) < reach, np.cos(np.pi / 2 * away / reach) ** 2, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    nearest = np.clip(taps, 0, len(curves) - 1)
    held = curves[:1]  # summed as differences, so that a channel that never moves stays exactly where it is
    resampled = held + sum(w[:, None] * (curves[n] - held) for w, n in zip(weights.T, nearest.T, strict=True))
    # A sinc overshoots where curves turn sharply; a coefficient that was never beyond 0 or 1 does not go there.
    lowest = np.where(curves.min(axis=0) >= 0, 0, -np.inf)
    highest = np.where(curves.max(axis=0) <= 1, 1, np.inf)
    return np.clip(resampled, lowest, highest)
