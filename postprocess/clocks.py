"""Several files' curves on one clock, each file's own where it tells one: no row meets a row of another time."""

import numpy as np

from dataset.recordings.recording import Recording
from dataset.recordings.timing import RATE_TOLERANCE


def same_rate(one: float, other: float) -> bool:
    """Whether two rates, in frames a second, are one but for the error of a phone's clock."""
    return abs(one - other) <= RATE_TOLERANCE * other


def is_steady(recording: Recording) -> bool:
    """Whether frame i stands at i / fps, or nearer to it than to another frame's time: none dropped, none doubled."""
    if recording.times_s is None or recording.fps is None:
        return True
    return bool((np.rint(recording.times_s * recording.fps) == np.arange(recording.frames)).all())


def at_rate_of(recording: Recording, assumed_fps: float, fps: float) -> Recording:
    """The recording with a frame at every 1 / fps seconds from its first on: as it is where it has those already.

    assumed_fps: of a recording that tells no rate.
    """
    told = recording.with_rate(assumed_fps)
    assert told.fps is not None
    return told if is_steady(told) and same_rate(told.fps, fps) else told.at_rate(fps)
