import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dataset.blendshapes import ANGLES, ARKIT
from dataset.recordings.recording import Recording
from postprocess.face.turning import TURNS, quaternions, rotation, turns_deg
from postprocess.score.upper_face import gaze_deg
from tests.helpers import SHARED, needs_shared

PACKETS = SHARED / "livelink_udp" / "packets.bin"
PACKET_BYTES, VALUES = 320, 61


def turning(angles: dict[str, np.ndarray]) -> Recording:
    frames = len(next(iter(angles.values())))
    return Recording((), np.zeros((frames, 0)), None, 60.0, angles, "livelink")


@needs_shared(PACKETS)
def test_eyes_that_hold_still_say_which_way_the_head_turns() -> None:
    """In real packets the head is shaken before the phone: with the angles read so, the gaze in space moves far less
    than head or eyes, for eyes turn against the head; read the other way round, it would swing twice as far."""
    content = PACKETS.read_bytes()
    rows = [content[at : at + PACKET_BYTES][-4 * VALUES :] for at in range(0, len(content), PACKET_BYTES)]
    values = np.array([struct.unpack(f">{VALUES}f", row) for row in rows])
    columns = dict(zip((*ARKIT, *ANGLES), values.T, strict=True))
    head, gaze = turns_deg(turning({name: columns[name] for name in ANGLES})), gaze_deg(columns)
    assert gaze is not None
    yaw, eyes = head[:, 0], gaze[:, 0]
    assert np.corrcoef(yaw, eyes)[0, 1] < -0.9
    assert (yaw + eyes).std() < 0.5 * yaw.std() < (yaw - eyes).std()
    assert np.corrcoef(head[:, 1], gaze[:, 1])[0, 1] < -0.4


def test_angles_are_turns_from_the_usual_bearing() -> None:
    angles = {"HeadYaw": np.radians([5.0, 5, 15]), "HeadRoll": np.radians([0.0, 0, 10])}
    np.testing.assert_allclose(turns_deg(turning(angles)), [[0, 0, 0], [0, 0, 0], [10, 0, -10]], atol=1e-9)
    assert set(TURNS) == set(ANGLES[:3])


def test_angles_are_told_apart_by_their_size() -> None:
    degrees, radians = turning({"HeadYaw": np.array([0.0, 30])}), turning({"HeadYaw": np.array([0, np.pi / 6])})
    for told in (degrees, radians):
        np.testing.assert_allclose(told.angles_deg()["HeadYaw"], [0, 30])
        np.testing.assert_allclose(told.angles_rad()["HeadYaw"], [0, np.pi / 6])


@pytest.mark.parametrize("turn", [(30.0, 0, 0), (0, 20, 0), (0, 0, 15), (25, -10, 40)])
def test_quaternions_are_the_rotation(turn: tuple[float, float, float]) -> None:
    (found,) = quaternions(np.array([turn]))
    np.testing.assert_allclose(Rotation.from_quat(found).as_matrix(), rotation(*turn), atol=1e-12)
