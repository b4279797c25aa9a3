"""What may be wrong with a clip's curves, as numbers: held frames, dead and flat-topped channels, range, rest, jitter.

curves is (frames, 52) in ARKIT's order throughout, fps its rate.
"""

import numpy as np
from scipy.signal import butter, sosfiltfilt

from data_process.energy import runs
from dataset.blendshapes import ARKIT

SAME = 1e-5  # rows that differ by less are one row: csvs are written with six decimals
HOLD_S = 0.3  # a face that speaks does not rest in one pose for as long
STILL_STD = 1e-4  # a channel that varies less is dead
MOVING_STD = 1e-3
RAIL_RUN = 3  # frames in a row at a channel's highest value; a peak touches it with one or two
RAIL_LEVEL = 0.55  # a channel whose highest value is lower is weak rather than cut off
RIPPLE = 0.003
RAIL_EXEMPT = ("TongueOut",)  # trackers give it as out or in
REST_PERCENTILE = 5
AT_REST = 0.05  # a pose this near to the resting one, in every channel, is rest
TREMBLE_HZ = 10.0  # faces move slower
LEAST_FRAMES = 30  # of silence and of speech, to compare them
REPEAT_STEP = 5e-3  # a face that moves this far, all channels together, in a frame is on its way


def held_stretches(curves: np.ndarray, fps: float) -> np.ndarray:
    """(stretches, 2): first frame and end of each stretch of at least HOLD_S whose rows are all the same."""
    stretches = runs(_stands(curves))
    stretches[:, 1] += 1  # n steps of no motion hold n + 1 frames
    return stretches[np.diff(stretches)[:, 0] >= HOLD_S * fps]


def frozen_stretches(curves: np.ndarray, is_speech: np.ndarray | None, fps: float) -> np.ndarray:
    """(stretches, 2): the held ones in which speech goes on for HOLD_S or more; without sound, those not at rest.

    is_speech: (frames,) bool, or None where there is no sound.
    """
    held = held_stretches(curves, fps)
    if is_speech is None:
        rest = np.percentile(curves, REST_PERCENTILE, axis=0)
        is_frozen = [bool((np.abs(curves[start] - rest) > AT_REST).any()) for start, _ in held]
    else:
        is_frozen = [is_speech[start:end].sum() >= HOLD_S * fps for start, end in held]
    return held[np.array(is_frozen, bool)]


def repeated_rows(curves: np.ndarray) -> np.ndarray:
    """(repeats,) rows equal to the row before while the face was moving on both sides: frames that were doubled."""
    moves, stands = np.abs(np.diff(curves, axis=0)).sum(axis=1) > REPEAT_STEP, _stands(curves)
    return np.flatnonzero(moves[:-2] & stands[1:-1] & moves[2:]) + 2


def dead_channels(curves: np.ndarray) -> tuple[str, ...]:
    """The channels of (frames, 52) that never move."""
    return tuple(name for name, std in zip(ARKIT, curves.std(axis=0), strict=True) if std < STILL_STD)


def saturated_channels(curves: np.ndarray) -> dict[str, float]:
    """(frames, 52) → channel → share of its frames in flat tops: RAIL_RUN in a row at its own highest value, or near 1.

    Near 1, for resampling makes flat tops ripple, and past 1 at their ends.
    """
    shares = {}
    for name, values in zip(ARKIT, curves.T, strict=True):
        if values.max() < RAIL_LEVEL or values.std() < STILL_STD or name in RAIL_EXEMPT:
            continue
        shares[name] = max(_flat_share(values > values.max() - SAME), _flat_share(np.abs(values - 1) < RIPPLE))
    return {name: share for name, share in shares.items() if share}


def _flat_share(at_rail: np.ndarray) -> float:
    lengths = np.diff(runs(at_rail))[:, 0]
    return float(lengths[lengths >= RAIL_RUN].sum() / len(at_rail))


def outside_channels(curves: np.ndarray) -> dict[str, float]:
    """(frames, 52) → channel → how far it strays from [0, 1] at most, for those that do."""
    strays = np.maximum(-curves.min(axis=0), curves.max(axis=0) - 1)
    return {name: float(stray) for name, stray in zip(ARKIT, strays, strict=True) if stray > SAME}


def resting_values(curves: np.ndarray) -> dict[str, float]:
    """(frames, 52) → channel → its value at REST_PERCENTILE: 0 on a face that comes to rest."""
    return dict(zip(ARKIT, np.percentile(curves, REST_PERCENTILE, axis=0).tolist(), strict=True))


def jitter(curves: np.ndarray, fps: float) -> float:
    """How much the face trembles: what is faster than TREMBLE_HZ, a robust deviation, the median of moving channels.

    curves: (frames, 52).
    A median over time, for speech has fast moments, but noise never rests. 0 below 2 · TREMBLE_HZ frames a second.
    """
    moving = curves[:, curves.std(axis=0) > MOVING_STD]
    if fps <= 2 * TREMBLE_HZ or len(moving) < fps or not moving.shape[1]:
        return 0.0
    fast = sosfiltfilt(butter(4, TREMBLE_HZ, "highpass", fs=fps, output="sos"), moving, axis=0)
    return float(np.median(1.4826 * np.median(np.abs(fast), axis=0)))


def motion_in_silence(opening: np.ndarray, is_silence: np.ndarray, is_speech: np.ndarray) -> float | None:
    """The mouth's mean speed in silence over that in speech; None with fewer than LEAST_FRAMES of either.

    opening: (frames,); is_silence, is_speech: (frames,) bool, the frames around a pause's ends in neither.
    """
    if min(is_silence.sum(), is_speech.sum()) < LEAST_FRAMES:
        return None
    speed = np.abs(np.gradient(opening))
    in_speech = speed[is_speech].mean()
    return float(speed[is_silence].mean() / in_speech) if in_speech else None


def _stands(curves: np.ndarray) -> np.ndarray:
    """(frames - 1,) bool: whether each row is the one before it."""
    return np.max(np.abs(np.diff(curves, axis=0)), axis=1) < SAME
