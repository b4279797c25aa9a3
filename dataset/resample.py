"""Curves from one frame rate to another, by time."""

import numpy as np

FILTER_PERIODS = 8  # of the lower rate, in the low-pass filter's length


def resample_curves(curves: np.ndarray, from_fps: float, to_fps: float, frames: int | None = None) -> np.ndarray:
    """(frames, channels) at from_fps → (frames', channels) at to_fps, float32; frame i stands at i / to_fps.

    frames: the length of the result; by default the nearest to the same duration. Linear interpolation, after a
    low-pass at the lower rate's Nyquist frequency on the way down. The last frame is held past the end.
    """
    if frames is None:
        frames = max(1, int(len(curves) * to_fps / from_fps + 0.5))
    if from_fps == to_fps and frames == len(curves):
        return curves.astype(np.float32)
    source = _low_pass(curves, from_fps, to_fps / 2) if to_fps < from_fps else curves
    position = np.minimum(np.arange(frames) * (from_fps / to_fps), len(curves) - 1)
    left = np.floor(position).astype(int)
    right = np.minimum(left + 1, len(curves) - 1)
    weight = (position - left)[:, None]
    return (source[left] * (1 - weight) + source[right] * weight).astype(np.float32)


def _low_pass(curves: np.ndarray, fps: float, cutoff_hz: float) -> np.ndarray:
    from scipy.ndimage import convolve1d
    from scipy.signal import firwin

    half = int(np.ceil(FILTER_PERIODS / 2 * fps / (2 * cutoff_hz)))
    return convolve1d(curves, firwin(2 * half + 1, cutoff_hz, fs=fps), axis=0, mode="nearest")
