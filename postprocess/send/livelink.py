"""Live Link Face, version 6, over UDP: what Unreal's ARKit source hears, and every tool that knows the phone's app."""

import math
import platform
import struct
import time
import uuid
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from config.errors import UserError
from dataset.face_frame import FaceFrame
from postprocess.send.datagrams import Datagrams
from postprocess.send.sender import Address, Sender, SendSettings

VERSION = 6
LONGEST_NAME = 255  # bytes; Unreal drops a packet with more without a word
HIGHEST_DENOMINATOR = 1001


def packet(
    device: str, subject: str, frame_number: int, sub_frame: float, rate: tuple[int, int], values: np.ndarray
) -> bytes:
    """A frame as the app sends it, big-endian.

    rate: numerator and denominator of frames a second. values: (61,), ARKIT's channels, then ANGLES in radians.
    """
    names = b"".join(struct.pack(">i", len(name)) + name for name in (device.encode(), subject.encode()))
    moment = struct.pack(">ifii", frame_number, sub_frame, *rate)
    return bytes([VERSION]) + names + moment + bytes([len(values)]) + values.astype(">f4").tobytes()


class LiveLink(Sender):
    """A subject of Unreal's Live Link. clock: seconds, which the frames' numbers count.

    Raises UserError for a subject's name that Unreal would drop.
    """

    def __init__(self, address: Address, settings: SendSettings, clock: Callable[[], float] = time.monotonic) -> None:
        if not 0 < len(settings.subject.encode()) <= LONGEST_NAME:
            raise UserError(f"--subject: must have 1 to {LONGEST_NAME} bytes, or Unreal hears nothing")
        self._subject, self._clock, self._fps = settings.subject, clock, settings.fps
        rate = Fraction(settings.fps).limit_denominator(HIGHEST_DENOMINATOR)
        self._rate = rate.numerator, rate.denominator
        # 36 characters: a common decoder takes the length byte of such an id for a part of it, and fails with others.
        # The same for a machine and a subject, by which Unreal knows them again.
        self._device = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{platform.node()}/{settings.subject}")).upper()
        self._datagrams = Datagrams(address)

    def send(self, frame: FaceFrame) -> None:
        sub_frame, number = math.modf(self._clock() * self._fps)
        values = np.concatenate([frame.values, np.radians(frame.angles_deg)])
        number = int(number) % (1 << 31)
        below_one = min(sub_frame, 1 - 2**-24)  # the largest float32 below 1
        self._datagrams.send(packet(self._device, self._subject, number, below_one, self._rate, values))

    def close(self) -> None:
        self._datagrams.close()
