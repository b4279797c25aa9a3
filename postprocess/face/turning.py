"""How a head turns: what Live Link Face's angles mean, and the turn that they are of a head about its neck.

Turns are in degrees, as the head itself sees them: yaw to its own left, pitch upwards, roll towards its left shoulder.
"""

import numpy as np

from dataset.recordings.recording import Recording

# Live Link Face's head angles as turns. They run against those of its eyes, whose yaw is positive to the own right and
# whose pitch is positive downwards (EyeLook… beside them tells): in packets of the phone's app the eyes turn by as much
# as the head does, at once and without a saccade, which is a gaze held still while the head is shaken.
TURNS = {"HeadYaw": 1, "HeadPitch": 1, "HeadRoll": -1}
_EYE_TURNS = (-1, -1, 1)
LARGEST_TURN_DEG = 25.0
NECK_HEIGHT = 0.35  # of what is shown of a head, from its foot: where it turns


def has_turns(recording: Recording) -> bool:
    """Whether any angle of the head is known."""
    return any(np.any(recording.angles.get(name, 0)) for name in TURNS)


def turns_deg(recording: Recording) -> np.ndarray:
    """(frames, 3) yaw, pitch and roll of a recording's angles.

    From the usual bearing, which tells only where the phone stood; 0 for an angle that is not there.
    """
    degrees, still = recording.angles_deg(), np.zeros(recording.frames)
    turns = np.column_stack([sign * degrees.get(name, still) for name, sign in TURNS.items()])
    return (turns - np.median(turns, axis=0)).clip(-LARGEST_TURN_DEG, LARGEST_TURN_DEG)


def own_turns(angles_deg: np.ndarray) -> np.ndarray:
    """(3, 3) yaw, pitch and roll of head, left and right eye, from the nine angles of a frame in ANGLES' order."""
    return angles_deg.reshape(3, 3) * np.array([(*TURNS.values(),), _EYE_TURNS, _EYE_TURNS], np.float32)


def quaternions(turns: np.ndarray) -> np.ndarray:
    """turns: (frames, 3) degrees → (frames, 4) x, y, z, w, on glTF's axes: roll first, then pitch, then yaw."""
    halves = np.radians(turns * (1, -1, -1)) / 2
    (cy, cx, cz), (sy, sx, sz) = np.cos(halves).T, np.sin(halves).T
    x, y = cy * sx * cz + sy * cx * sz, sy * cx * cz - cy * sx * sz
    z, w = cy * cx * sz - sy * sx * cz, cy * cx * cz + sy * sx * sz
    return np.column_stack([x, y, z, w])


def rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3): the same of one turn."""
    yaw, pitch, roll = np.radians([yaw_deg, -pitch_deg, -roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def neck(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(3,) float32: where a head turns, of the least and the greatest corner (3,) of what is shown of it."""
    middle = (low + high) / 2
    return np.array([middle[0], low[1] + NECK_HEIGHT * (high[1] - low[1]), middle[2]], np.float32)
