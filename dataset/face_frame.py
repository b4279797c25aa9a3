"""A face at one moment of a live stream: what a streaming synthesizer makes and what is sent."""

from dataclasses import dataclass

import numpy as np

from dataset.blendshapes import ANGLES, ARKIT


@dataclass(frozen=True)
class FaceFrame:
    """A frame of a stream."""

    time_s: float  # audio time, from the stream's first sample on
    values: np.ndarray  # (52,) float32 in ARKIT's order, from 0 to 1
    angles_deg: np.ndarray  # (9,) float32 in ANGLES' order; 0 where nothing tells them
    is_held: bool = False  # no frame of the stream: the face waits, or rests, after the one of that time

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.values).all() and np.isfinite(self.angles_deg).all())


def face_frame(time_s: float, values: np.ndarray, angles_deg: np.ndarray | None = None) -> FaceFrame:
    """A frame with values (52,) brought to 0 … 1, and angles (9,), 0 where none are given."""
    angles = np.zeros(len(ANGLES)) if angles_deg is None else angles_deg
    return FaceFrame(time_s, np.clip(values, 0, 1).astype(np.float32), np.asarray(angles, np.float32))


def neutral_frame(time_s: float = 0.0) -> FaceFrame:
    """A face at rest."""
    return face_frame(time_s, np.zeros(len(ARKIT)))


def mixed(one: FaceFrame, other: FaceFrame, weight: float, time_s: float, is_held: bool = False) -> FaceFrame:
    """The frame so far (0 … 1) on the straight way from one to the other, at a time of its own."""
    values = one.values + np.float32(weight) * (other.values - one.values)
    angles_deg = one.angles_deg + np.float32(weight) * (other.angles_deg - one.angles_deg)
    return FaceFrame(time_s, values, angles_deg, is_held)
