"""What animation formats share: curves as keys in time."""

import numpy as np

from dataset.recordings.recording import Recording


def keyframes(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """When the keys stand, (keys,) float32 seconds, rising from 0, and the curves there, (keys, 52).

    Of frames at one time the last counts. Raises ValueError for a recording that neither tells times nor a rate.
    """
    times_s = recording.clock_s().astype(np.float32)
    last = np.append(np.diff(times_s) > 0, True)
    return times_s[last], recording.curves()[last]


def corners(values: np.ndarray) -> np.ndarray:
    """The keys that straight lines need, of a channel's values (keys,): all but those inside a flat stretch."""
    level = np.diff(values) == 0
    return np.flatnonzero(~(np.append(False, level) & np.append(level, False)))
