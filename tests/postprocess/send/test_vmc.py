"""VMC bundles as python-osc reads them, and each thing that receivers trip over."""

import math
import struct
from typing import Any

import numpy as np
import pytest

from dataset.blendshapes import ARKIT
from dataset.face_frame import FaceFrame, face_frame
from postprocess.send.outputs import parse_address
from postprocess.send.sender import SendSettings
from postprocess.send.vmc import Vmc, unity_quaternion
from tests.receivers import UdpEar, read_bundle

Messages = list[tuple[str, list[Any]]]
VALUE = "/VMC/Ext/Blend/Val"


def heard(*frames: FaceFrame, options: str = "", now_s: list[float] | None = None) -> tuple[list[bytes], Messages]:
    """Bundles of the last frame, and their messages."""
    ear, clock = UdpEar(), now_s or [0.0]
    sender = Vmc(parse_address(f"vmc://127.0.0.1:{ear.port}{options}"), SendSettings(30), lambda: clock[0])
    packets: list[bytes] = []
    for frame in frames:
        clock[0] += 0.25
        sender.send(frame)
        packets = ear.packets()
    sender.close()
    ear.close()
    return packets, [message for packet in packets for message in read_bundle(packet)]


def test_a_frame() -> None:
    values = np.linspace(0, 1, 52)
    packets, messages = heard(face_frame(0.0, values))
    assert all(len(packet) <= 1500 for packet in packets)
    assert 2 <= len(packets) <= 3
    assert messages[-1] == ("/VMC/Ext/Blend/Apply", [])
    assert messages[0] == ("/VMC/Ext/OK", [1, 3, 0])
    assert [message for message in messages if message[0] == "/VMC/Ext/T"] == [("/VMC/Ext/T", [0.25])]
    shapes = {arguments[0]: arguments[1] for address, arguments in messages if address == VALUE}
    assert tuple(shapes) == ARKIT
    np.testing.assert_array_equal(list(shapes.values()), values.astype(np.float32))
    assert {address for address, _ in messages} == {
        "/VMC/Ext/OK", "/VMC/Ext/T", "/VMC/Ext/Blend/Val", "/VMC/Ext/Blend/Apply",
    }  # fmt: skip


def test_ints_are_ints_and_floats_are_floats() -> None:
    packets, _ = heard(face_frame(0.0, np.ones(52), np.ones(9)))
    sent = b"".join(packets)
    assert sent.count(b"/VMC/Ext/OK\0,iii\0\0\0\0" + struct.pack(">3i", 1, 3, 0)) == 1
    assert sent.count(b"/VMC/Ext/T\0\0,f\0\0") == 1
    assert sent.count(b"/VMC/Ext/Blend/Val\0\0,sf\0") == 52
    assert sent.count(b"/VMC/Ext/Bone/Pos\0\0\0,sfffffff\0\0\0") == 3


def test_bones_are_sent_from_when_they_turn() -> None:
    straight, turned = face_frame(0.0, np.zeros(52)), face_frame(0.0, np.zeros(52), np.array([90.0, *[0.0] * 8]))
    _, messages = heard(straight, turned, straight)
    bones = {arguments[0]: arguments[1:] for address, arguments in messages if address == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Head"}
    assert bones["Head"][3:] == [0.0, 0.0, 0.0, 1.0]
    _, messages = heard(face_frame(0.0, np.zeros(52), np.arange(1.0, 10.0)))
    assert {arguments[0] for address, arguments in messages if address.endswith("Pos")} == {
        "Head", "LeftEye", "RightEye",
    }  # fmt: skip


def test_turns_are_unitys() -> None:
    half = math.sqrt(0.5)
    assert unity_quaternion(-90, 0, 0) == pytest.approx((0, half, 0, half))
    assert unity_quaternion(0, -90, 0) == pytest.approx((half, 0, 0, half))
    assert unity_quaternion(0, 0, 90) == pytest.approx((0, 0, half, half))
    # Quaternion.Euler(20, 30, 40), as Unity's rule (first about z, then x, then y) gives it by three products.
    about = [(np.radians(angle) / 2, axis) for angle, axis in ((30, 1), (20, 0), (40, 2))]
    product = np.array([0.0, 0.0, 0.0, 1.0])
    for angle, axis in about:
        turn = np.zeros(4)
        turn[axis], turn[3] = np.sin(angle), np.cos(angle)
        vector = product[3] * turn[:3] + turn[3] * product[:3] + np.cross(product[:3], turn[:3])
        product = np.array([*vector, product[3] * turn[3] - product[:3] @ turn[:3]])
    assert unity_quaternion(-30, -20, 40) == pytest.approx(tuple(product))


def test_names() -> None:
    jaw = np.where(np.array(ARKIT) == "JawOpen", 0.7, 0)
    _, messages = heard(face_frame(0.0, jaw), options="?names=camel")
    assert (VALUE, ["jawOpen", float(np.float32(0.7))]) in messages
    blink = np.where(np.array(ARKIT) == "EyeBlinkLeft", 1.0, 0)
    _, messages = heard(face_frame(0.0, jaw), face_frame(0.0, blink), options="?names=vrm0")
    shapes = {arguments[0]: arguments[1] for address, arguments in messages if address == VALUE}
    assert shapes == {"A": 0, "I": 0, "U": 0, "E": 0, "O": 0, "Blink_L": 1, "Blink_R": 0}
