"""What animation formats share: curves as keys in time."""

import numpy as np

from dataset.recordings.recording import Recording
from postprocess.face.turning import TURNS, quaternions, turns_deg


def keyframes(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """When the keys stand, (keys,) float32 seconds, rising from 0, and the curves there, (keys, 52).

    Of frames at one time the last counts. Raises ValueError for a recording that neither tells times nor a rate.
    """
    times_s = recording.clock_s().astype(np.float32)
    last = np.append(np.diff(times_s) > 0, True)
    return times_s[last], recording.curves()[last]


def head_keys(recording: Recording) -> np.ndarray | None:
    """(keys, 4) x, y, z, w: the head's turns where keyframes has its keys; None where no angle of the head is known.

    On glTF's axes, from the usual bearing, as the turns that are drawn.
    """
    if not any(np.any(recording.angles.get(name, 0)) for name in TURNS):
        return None
    times_s = recording.clock_s().astype(np.float32)
    last = np.append(np.diff(times_s) > 0, True)
    return quaternions(turns_deg(recording))[last]


def corners(values: np.ndarray) -> np.ndarray:
    """The keys that straight lines need, of a channel's values (keys,): all but those inside a flat stretch."""
    level = np.diff(values) == 0
    return np.flatnonzero(~(np.append(False, level) & np.append(level, False)))
