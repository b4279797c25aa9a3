"""How a head is turned, as Live Link Face's csv tells it."""

import numpy as np

NAMES = ("HeadYaw", "HeadPitch", "HeadRoll")


def head_angles(rotations: np.ndarray) -> np.ndarray:
    """(frames, 3, 3) of SeenFace.rotation → (frames, 3) radians: yaw to its own left, pitch up, roll to its right.

    The rotation is taken as roll first, then pitch, then yaw, as postprocess.face.turning turns a head.
    """
    forward = rotations[:, :, 2]
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    pitch = np.arcsin(forward[:, 1].clip(-1, 1))
    roll = np.arctan2(rotations[:, 1, 0], rotations[:, 1, 1])
    return np.column_stack([yaw, pitch, roll])
