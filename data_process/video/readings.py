"""What the face tracker makes of the lower face: which channels it does not read, and how far it reads some others."""

from collections.abc import Mapping

import numpy as np

from dataset.blendshapes import ARKIT, indices

# r and gain of a drawn head's lower face, of result/closed_loop.md. Eyes and brows are left out: those of a drawn head
# are read worse than a person's.
READINGS: Mapping[str, tuple[float, float]] = {
    "JawForward": (-0.03, 0.00), "JawLeft": (0.13, 0.00), "JawRight": (0.16, 0.00), "JawOpen": (0.95, 0.69),
    "MouthClose": (-0.02, 0.00), "MouthFunnel": (0.78, 0.28), "MouthPucker": (0.77, 0.87), "MouthLeft": (0.74, 0.27),
    "MouthRight": (0.49, 0.21), "MouthSmileLeft": (0.41, 0.65), "MouthSmileRight": (0.44, 0.67),
    "MouthFrownLeft": (0.90, 0.03), "MouthFrownRight": (0.55, 0.01), "MouthDimpleLeft": (-0.04, -0.01),
    "MouthDimpleRight": (-0.06, -0.02), "MouthStretchLeft": (0.86, 0.24), "MouthStretchRight": (0.90, 0.32),
    "MouthRollLower": (0.26, 0.02), "MouthRollUpper": (-0.01, 0.00), "MouthShrugLower": (0.29, 0.40),
    "MouthShrugUpper": (0.16, 0.16), "MouthPressLeft": (0.03, 0.00), "MouthPressRight": (-0.02, -0.01),
    "MouthLowerDownLeft": (0.12, 0.02), "MouthLowerDownRight": (0.43, 0.11), "MouthUpperUpLeft": (0.65, 0.45),
    "MouthUpperUpRight": (0.74, 0.56), "CheekPuff": (-0.03, 0.00), "CheekSquintLeft": (0.00, 0.00),
    "CheekSquintRight": (-0.03, 0.00), "NoseSneerLeft": (-0.04, 0.00), "NoseSneerRight": (0.00, 0.00),
    "TongueOut": (0.00, 0.00),
}  # fmt: skip
SIDES = ("Left", "Right")
NOT_READ_R, NOT_READ_GAIN = 0.5, 0.05  # a channel below both, and its other side too, is not read
CALIBRATED_R = 0.75  # what is read less surely, on either side, keeps its range
MOST_STRETCH = 2.5  # a higher one would be noise for the most part


def _sides(channel: str) -> tuple[str, ...]:
    """The channel and, where it has one, that of the other side."""
    for side, other in (SIDES, SIDES[::-1]):
        if channel.endswith(side):
            return channel, channel.removesuffix(side) + other
    return (channel,)


def _is_read(channel: str) -> bool:
    readings = [READINGS[name] for name in _sides(channel)]
    return any(r >= NOT_READ_R or gain >= NOT_READ_GAIN for r, gain in readings)


def _gain(channel: str) -> float:
    """Both sides' mean, so that a face is not made lopsided; no less than MOST_STRETCH allows."""
    return max(float(np.mean([READINGS[name][1] for name in _sides(channel)])), 1 / MOST_STRETCH)


UNREAD: tuple[str, ...] = tuple(name for name in READINGS if not _is_read(name))
GAINS: Mapping[str, float] = {
    name: _gain(name) for name in READINGS if min(READINGS[side][0] for side in _sides(name)) >= CALIBRATED_R
}


def calibrated(curves: np.ndarray) -> np.ndarray:
    """(frames, 52) above neutral → the same, in which channels of GAINS are divided by their gain; none above 1."""
    stretched, places = curves.copy(), indices(ARKIT, tuple(GAINS))
    stretched[:, places] = (stretched[:, places] / list(GAINS.values())).clip(0, 1)
    return stretched
