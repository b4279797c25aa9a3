"""A recording as a head performs it: coefficients and turns of the head, frame by frame."""

from dataclasses import dataclass

import numpy as np

from dataset.recordings.recording import Recording
from postprocess.face.mesh import coefficients_of

# Live Link Face: yaw positive to the right, pitch downwards (its eye angles, beside EyeLook… in real captures, tell),
# roll to the left shoulder; times this, so that a head that is filmed from its neck up does not wobble.
TURNS = {"HeadYaw": -0.6, "HeadPitch": -0.6, "HeadRoll": 0.6}
LARGEST_TURN_DEG = 25.0


@dataclass(frozen=True)
class Pose:
    """What Scene.draw takes."""

    coefficients: dict[str, float]
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0


def perform(recording: Recording, fps: float, frames: int) -> list[Pose]:
    """The poses at a constant rate; the last one is held where the recording ends before."""
    played = recording.at_rate(fps, frames)
    turns = np.stack([_turn_deg(played.angles.get(name), gain, frames) for name, gain in TURNS.items()], axis=1)
    values = played.values.clip(0, 1)
    return [Pose(coefficients_of(played.names, row), *turn) for row, turn in zip(values, turns.tolist(), strict=True)]


def _turn_deg(angles: np.ndarray | None, gain: float, frames: int) -> np.ndarray:
    """(frames,): from the usual bearing, which tells only where the phone stood. Past π, angles are degrees."""
    if angles is None:
        return np.zeros(frames)
    degrees = angles if np.abs(angles).max() > np.pi else np.degrees(angles)
    return (gain * (degrees - np.median(degrees))).clip(-LARGEST_TURN_DEG, LARGEST_TURN_DEG)
