"""Several files' curves on one clock, each file's own where it tells one: no row meets a row of another time."""

import numpy as np

from dataset.recordings.recording import Recording
from dataset.recordings.timing import RATE_TOLERANCE


def same_rate(one: float, other: float) -> bool:
    """Whether two rates, in frames a second, are one but for the error of a phone's clock."""
    return abs(one - other) <= RATE_TOLERANCE * other


def frame_numbers(recording: Recording, fps: float) -> np.ndarray:
    """(frames,) int: which frame of an even clock of fps each is, the first one 0; counted where no times are told."""
    if recording.times_s is None:
        return np.arange(recording.frames)
    return np.rint(recording.times_s * fps).astype(int)


def at_rate_of(recording: Recording, assumed_fps: float, fps: float) -> Recording:
    """The recording with a frame at every 1 / fps seconds from its first on: as it is where it has those already.

    assumed_fps: of a recording that tells no rate.
    """
    own_fps = recording.fps or assumed_fps
    steady = np.array_equal(frame_numbers(recording, own_fps), np.arange(recording.frames))
    told = recording.with_rate(own_fps)
    return told if steady and same_rate(own_fps, fps) else told.at_rate(fps)
