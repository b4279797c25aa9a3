"""A recording as a head performs it: coefficients of the head's channels and turns of the head, frame by frame."""

from dataclasses import dataclass

import numpy as np

from dataset.blendshapes import ARKIT, indices
from dataset.recordings.recording import Recording
from postprocess.face.turning import turns_deg


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
    coefficients = played.curves()[:, indices(ARKIT, channels)].clip(0, 1)
    return Performance(coefficients.astype(np.float32), turns_deg(played))
