"""What animation formats share: curves as keys in time."""

import numpy as np

from dataset.recordings.recording import Recording
from postprocess.face.turning import has_turns, quaternions, turns_deg


def keyframes(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """When the keys stand, (keys,) float32 seconds, rising from 0, and the curves there, (keys, 52).

    Of frames at one time the last counts. Raises ValueError for a recording that neither tells times nor a rate.
    """
    times_s = recording.clock_s().astype(np.float32)
    last = np.append(np.diff(times_s) > 0, True)
    return times_s[last], recording.curves()[last]


def turn_keys(recording: Recording) -> np.ndarray | None:
    """(keys, 3) yaw, pitch, roll: turns_deg where keyframes has its keys; None where no angle of the head is known."""
    if not has_turns(recording):
        return None
    times_s = recording.clock_s().astype(np.float32)
    last = np.append(np.diff(times_s) > 0, True)
    return turns_deg(recording)[last]


def head_keys(recording: Recording) -> np.ndarray | None:
    """(keys, 4) x, y, z, w: the same on glTF's axes."""
    turns = turn_keys(recording)
    return None if turns is None else quaternions(turns)


def corners(values: np.ndarray) -> np.ndarray:
    """The keys that straight lines need, of values (keys,) or (keys, N): all but those inside a flat stretch."""
    level = np.all(np.diff(values, axis=0) == 0, axis=tuple(range(1, values.ndim)))
    return np.flatnonzero(~(np.append(False, level) & np.append(level, False)))
