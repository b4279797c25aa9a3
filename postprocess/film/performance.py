"""A recording as a head performs it: coefficients of the head's channels and turns of the head, frame by frame."""

from dataclasses import dataclass

import numpy as np

from dataset.blendshapes import ARKIT, indices
from dataset.recordings.recording import Recording

# Live Link Face: yaw positive to the right, pitch downwards (its eye angles, beside EyeLook… in real captures, tell),
# roll to the left shoulder; times this, so that a head that is filmed from its neck up does not wobble.
TURNS = {"HeadYaw": -0.6, "HeadPitch": -0.6, "HeadRoll": 0.6}
LARGEST_TURN_DEG = 25.0


@dataclass(frozen=True)
class Performance:
    """What Scene.draw takes, a row a frame."""

    coefficients: np.ndarray  # (frames, channels) float32, 0 neutral to 1, in the order of the head's channels
    turns_deg: np.ndarray  # (frames, 3): yaw, pitch, roll

    def __len__(self) -> int:
        return len(self.coefficients)


def perform(recording: Recording, channels: tuple[str, ...], fps: float, frames: int) -> Performance:
    """The recording on a head with these channels, at a constant rate; the last pose is held where it ends before."""
    played = recording.at_rate(fps, frames)
    turns = np.stack([_turn_deg(played.angles.get(name), gain, frames) for name, gain in TURNS.items()], axis=1)
    coefficients = played.curves()[:, indices(ARKIT, channels)].clip(0, 1)
    return Performance(coefficients.astype(np.float32), turns)


def _turn_deg(angles: np.ndarray | None, gain: float, frames: int) -> np.ndarray:
    """(frames,): from the usual bearing, which tells only where the phone stood. Past π, angles are degrees."""
    if angles is None:
        return np.zeros(frames)
    degrees = angles if np.abs(angles).max() > np.pi else np.degrees(angles)
    return (gain * (degrees - np.median(degrees))).clip(-LARGEST_TURN_DEG, LARGEST_TURN_DEG)
