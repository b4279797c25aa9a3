"""How far the lips' middles part, in millimetres, told from curves alone: a linear map that a loss can weigh."""

from collections.abc import Sequence

import numpy as np

# Of our head's lips, at coefficient 1 of each channel; at rest they meet. A test holds it to the head's own shapes.
GAP_MM = {
    "JawForward": -0.38, "JawOpen": 28.52, "MouthClose": -28.54, "MouthFunnel": 11.00,
    "MouthStretchLeft": 1.05, "MouthStretchRight": 1.05, "MouthRollLower": -2.20, "MouthRollUpper": -2.20,
    "MouthShrugLower": -1.00, "MouthShrugUpper": 0.20, "MouthPressLeft": -0.72, "MouthPressRight": -0.72,
    "MouthLowerDownLeft": 4.25, "MouthLowerDownRight": 4.25, "MouthUpperUpLeft": 3.50, "MouthUpperUpRight": 3.50,
}  # fmt: skip


def gap_moves(channels: Sequence[str]) -> np.ndarray:
    """(channels,) float64: millimetres by which each channel at 1 parts the lips; below 0 it shuts them."""
    return np.array([GAP_MM.get(name, 0.0) for name in channels])
