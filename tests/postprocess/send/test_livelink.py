"""Live Link Face packets against the golden header, 180 real ones, and a receiver written from the protocol."""

import numpy as np
import pytest

from dataset.blendshapes import ARKIT
from dataset.face_frame import face_frame
from postprocess.send.livelink import LiveLink, packet
from postprocess.send.sender import Address, SendSettings
from tests.helpers import SHARED, needs_shared, refused
from tests.receivers import UdpEar, read_live_link

REAL = SHARED / "livelink_udp" / "packets.bin"
REAL_BYTES = 320


def test_the_golden_header() -> None:
    device = "DEADC0DE-1337-1337-1337-CAFEBABE0000"
    sent = packet(device, "face", 1234, 0.5, (30, 1), np.zeros(61))
    head = f"06 00000024 {device.encode().hex()} 00000004 66616365 000004d2 3f000000 0000001e 00000001 3d"
    assert sent == bytes.fromhex(head) + bytes(244)
    assert len(sent) == 310


@needs_shared(REAL)
def test_real_packets_come_back_byte_for_byte() -> None:
    data = REAL.read_bytes()
    packets = [data[start : start + REAL_BYTES] for start in range(0, len(data), REAL_BYTES)]
    assert len(packets) == 180
    for real in packets:
        read = read_live_link(real)
        assert packet(read.device, read.subject, read.frame_number, read.sub_frame, read.rate, read.values) == real


def test_what_unreal_hears() -> None:
    ear, now_s = UdpEar(), [1234.5 / 30]
    sender = LiveLink(Address("livelink://x", "127.0.0.1", ear.port), SendSettings(30, "嘴"), lambda: now_s[0])
    values, angles_deg = np.linspace(0, 1, 52), np.arange(9) * 10.0 - 40
    sender.send(face_frame(0.0, values, angles_deg))
    now_s[0] += 1 / 30
    sender.send(face_frame(1 / 30, values))
    first, second = map(read_live_link, ear.packets(2))
    assert (first.subject, len(first.device), first.rate) == ("嘴", 36, (30, 1))
    assert (first.frame_number, round(first.sub_frame, 3), second.frame_number) == (1234, 0.5, 1235)
    assert first.device == second.device == first.device.upper()
    np.testing.assert_array_equal(first.values[: len(ARKIT)], values.astype(np.float32))
    np.testing.assert_allclose(first.values[52:], angles_deg * np.pi / 180, rtol=1e-6)
    assert not second.values[52:].any()
    sender.close()


def test_a_sub_frame_is_below_one() -> None:
    ear = UdpEar()
    sender = LiveLink(Address("", "127.0.0.1", ear.port), SendSettings(60), lambda: (7 - 1e-12) / 60)
    sender.send(face_frame(0.0, np.zeros(52)))
    (heard,) = map(read_live_link, ear.packets(1))
    assert heard.sub_frame < 1 and heard.frame_number == 6
    sender.close()


@pytest.mark.parametrize("subject", ["", "嘴" * 86])
def test_names_that_unreal_drops_are_refused(subject: str) -> None:
    address = Address("livelink://x", "127.0.0.1", 11111)
    assert refused(LiveLink, address, SendSettings(30, subject)).startswith("--subject: must have 1 to 255 bytes")
