"""VMC: OSC over UDP, which VSeeFace, VNyan, Warudo and many more VRM tools hear as a performer's.

What receivers trip over (https://protocol.vmc.info; EVMC4U): a state that is not "calibrated" hides the model, more
than 30 packets an engine frame are dropped, an int where a float is due raises, a partial body pose resets the body.
"""

import struct
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from dataset.blendshapes import ARKIT
from dataset.face_frame import FaceFrame
from postprocess.export.expressions import vrm_expressions
from postprocess.face.turning import own_turns
from postprocess.send.datagrams import Datagrams
from postprocess.send.sender import Address, Sender, SendSettings

LARGEST_BUNDLE = 1472  # bytes: with the headers of IP and UDP a packet of 1500, which no network cuts
CALIBRATED = (1, 3, 0)  # loaded, calibration done, mode: normal
NAMES = ("pascal", "camel", "vrm0")
_VRM0 = {"aa": "A", "ih": "I", "ou": "U", "ee": "E", "oh": "O", "blinkLeft": "Blink_L", "blinkRight": "Blink_R"}
# Unity's bone → metres from the bone that holds it on a usual model (receivers may want both), in own_turns' order
_BONES = {"Head": (0.0, 0.09, 0.0), "LeftEye": (-0.03, 0.06, 0.03), "RightEye": (0.03, 0.06, 0.03)}
_START = b"#bundle\0" + struct.pack(">Q", 1)  # to be done at once


def bundles(messages: Iterable[bytes]) -> Iterator[bytes]:
    """OSC messages in their order, in as few bundles of LARGEST_BUNDLE as hold them."""
    bundle = _START
    for message in messages:
        element = struct.pack(">i", len(message)) + message
        if len(bundle) + len(element) > LARGEST_BUNDLE:
            yield bundle
            bundle = _START
        bundle += element
    yield bundle


def unity_quaternion(yaw_deg: float, pitch_deg: float, roll_deg: float) -> tuple[float, float, float, float]:
    """x, y, z, w of a turn to the own left, upwards, and to the left shoulder.

    Unity's turns about y, x and z (left-handed, y up, the face towards z) are to the right, down, and to the left
    shoulder, and are done in the order z, x, y.
    """
    (sin_y, cos_y), (sin_x, cos_x), (sin_z, cos_z) = (
        (np.sin(half), np.cos(half)) for half in np.radians([-yaw_deg, -pitch_deg, roll_deg]) / 2
    )
    return (
        float(cos_y * sin_x * cos_z + sin_y * cos_x * sin_z),
        float(sin_y * cos_x * cos_z - cos_y * sin_x * sin_z),
        float(cos_y * cos_x * sin_z - sin_y * sin_x * cos_z),
        float(cos_y * cos_x * cos_z + sin_y * sin_x * sin_z),
    )


class Vmc(Sender):
    """A VMC performer. clock: seconds, from any start."""

    def __init__(self, address: Address, settings: SendSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._datagrams = Datagrams(address)
        self._names = address.options["names"]
        self._clock, self._began = clock, clock()
        # What the library makes once; each frame, only the floats at the end are others, which takes 2 ms less.
        self._state = _message("/VMC/Ext/OK", *CALIBRATED)
        self._time = _message("/VMC/Ext/T", 0.0)
        self._apply = _message("/VMC/Ext/Blend/Apply")
        self._shapes = [_message("/VMC/Ext/Blend/Val", name, 0.0)[:-4] for name in self._weights(np.zeros(len(ARKIT)))]
        self._bones = {bone: _message("/VMC/Ext/Bone/Pos", bone, *[0.0] * 7)[:-28] for bone in _BONES}
        self._turned: set[str] = set()

    def send(self, frame: FaceFrame) -> None:
        for bundle in bundles(self._messages(frame)):
            self._datagrams.send(bundle)

    def _messages(self, frame: FaceFrame) -> Iterator[bytes]:
        yield self._state
        yield self._time[:-4] + struct.pack(">f", self._clock() - self._began)
        yield from self._turns(frame.angles_deg)
        for start, weight in zip(self._shapes, self._weights(frame.values).values(), strict=True):
            yield start + struct.pack(">f", weight)
        yield self._apply

    def _turns(self, angles_deg: np.ndarray) -> Iterator[bytes]:
        """Bones that have turned since the start: one that never does is left to others."""
        for (bone, place), turn in zip(_BONES.items(), own_turns(angles_deg).tolist(), strict=True):
            if any(turn):
                self._turned.add(bone)
            if bone in self._turned:
                yield self._bones[bone] + struct.pack(">7f", *place, *unity_quaternion(*turn))

    def _weights(self, values: np.ndarray) -> dict[str, float]:
        if self._names == "vrm0":
            found = vrm_expressions(values[None].astype(np.float64), "vowels")
            return {_VRM0[name]: float(weights[0]) for name, weights in found.items()}
        found = vrm_expressions(values[None], {"pascal": "JawOpen", "camel": "jawOpen"}[self._names])
        return {name: float(weights[0]) for name, weights in found.items()}

    def close(self) -> None:
        self._datagrams.close()


def _message(address: str, *arguments: str | int | float) -> bytes:
    """With true tags: an int is an int, a float a float."""
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument, {str: "s", int: "i", float: "f"}[type(argument)])
    return builder.build().dgram
