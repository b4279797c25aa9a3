"""When frames stand: the rate behind their times, the frames that were dropped and the ones that are there twice."""

import numpy as np

# The rates that cameras and face capture run at, in frames a second.
RATES = (24_000 / 1001, 24.0, 25.0, 30_000 / 1001, 30.0, 48.0, 50.0, 60_000 / 1001, 60.0, 90.0, 100.0, 120.0)
USUAL_FPS = 30.0  # taken for curves whose file tells neither times nor a rate
RATE_TOLERANCE = 3e-4  # a phone's clock is off by less; 30 and 29.97 differ by 1e-3
DOUBLED = 0.25  # of a frame: rows closer than this show one moment


def frame_rate(times_s: np.ndarray) -> float | None:
    """The rate of frames at these times (frames,), dropped and doubled ones apart; None for a single moment.

    The mean step, over the steps near the median one. A rate of RATES when it is as near as a clock's error, and the
    unevenness of the steps, can explain; else the rate as measured.
    """
    steps = np.diff(times_s)
    steps = steps[steps > 0]
    if not len(steps):
        return None
    usual = np.median(steps)
    even = steps[(steps > 0.5 * usual) & (steps < 1.6 * usual)]  # 24 frames counted in sixtieths: steps of 2 and 3
    measured = float(1 / even.mean())
    tolerance = RATE_TOLERANCE + float(np.ptp(even) / even.sum())
    nearest = min(RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest - measured) <= tolerance * nearest else measured


def dropped_before(times_s: np.ndarray, fps: float) -> np.ndarray:
    """How many frames are missing before each frame: (frames,) int, the first one 0."""
    missing = np.rint(np.diff(times_s) * fps).astype(int) - 1
    return np.concatenate([[0], np.maximum(missing, 0)])


def doubled_rows(times_s: np.ndarray, fps: float) -> np.ndarray:
    """The rows that stand at the time of the row before: (doubled,) int, counted from 0."""
    return np.flatnonzero(np.diff(times_s) * fps < DOUBLED) + 1
