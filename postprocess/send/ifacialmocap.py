"""iFacialMocap, where we play the phone: VSeeFace, VTube tools, plugins of Blender and Unity hear it.

A tool asks the phone by a packet to port 49983 and hears at its own port 49983; it also hears who sends unasked. The
second version of the text has & between a name and its number, so that numbers can be negative. Over TCP the same
text goes to port 49986, with an end of its own after each frame.
"""

import re
import socket
import sys

import numpy as np

from config.errors import UserError
from dataset.blendshapes import ARKIT
from dataset.face_frame import FaceFrame
from postprocess.face.names import camel_case
from postprocess.face.turning import own_turns
from postprocess.send.courier import Courier, Link
from postprocess.send.datagrams import Datagrams, why
from postprocess.send.sender import Address, Health, Sender, SendSettings

PORT, TCP_PORT = 49983, 49986
FRAME_END = b"___iFacialMocap"
PATIENCE_S = 5.0  # with a tool that neither answers nor takes what it is sent
ASKS = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
ASKS_V2 = ASKS + b"|sendDataVersion=v2"
SEPARATORS = {"1": "-", "2": "&"}
MOST_LISTENERS = 8
LONGEST_QUESTION = 1024  # bytes


def ifacialmocap_name(name: str) -> str:
    """EyeBlinkLeft → eyeBlink_L; JawLeft and MouthLeft, which are moves and no sides, stay jawLeft and mouthLeft."""
    short = camel_case(name)
    if name in ("JawLeft", "JawRight", "MouthLeft", "MouthRight"):
        return short
    return re.sub("Left$", "_L", re.sub("Right$", "_R", short))


_NAMES = [ifacialmocap_name(name) for name in ARKIT]


def ifacialmocap_text(frame: FaceFrame, version: str) -> str:
    """The frame in that version, "1" or "2", of the protocol.

    Angles are in degrees about x, y and z of ARKit's face, right-handed: down, to the own left, to the right shoulder.
    """
    separator = SEPARATORS[version]
    percent = np.rint(100 * frame.values).astype(int)
    shapes = "".join(f"{name}{separator}{number}|" for name, number in zip(_NAMES, percent, strict=True))
    head, left, right = (f"{-pitch:.4f},{yaw:.4f},{-roll:.4f}" for yaw, pitch, roll in own_turns(frame.angles_deg))
    turns = f"=head#{head},0,0,0|rightEye#{right}|leftEye#{left}|"
    return shapes + turns.replace("-0.0000", "0.0000")


class IFacialMocapPush(Sender):
    """Sends to a tool that has not asked."""

    def __init__(self, address: Address, settings: SendSettings) -> None:
        self._version = address.options["v"]
        self._datagrams = Datagrams(address)

    def send(self, frame: FaceFrame) -> None:
        self._datagrams.send(ifacialmocap_text(frame, self._version).encode())

    def close(self) -> None:
        self._datagrams.close()


class IFacialMocapStream(Link):
    """The text over TCP to a tool that listens."""

    def __init__(self, address: Address) -> None:
        self._place, self._version = (address.host, address.port), address.options["v"]
        self._socket: socket.socket | None = None

    def connect(self, health: Health) -> None:
        self._socket = socket.create_connection(self._place, PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def deliver(self, frame: FaceFrame) -> None:
        assert self._socket is not None
        self._socket.sendall(ifacialmocap_text(frame, self._version).encode() + FRAME_END)

    def disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()


def ifacialmocap_tcp(address: Address, settings: SendSettings) -> Sender:
    """A tool that hears by TCP."""
    return Courier(address, IFacialMocapStream(address), settings.patient)


class IFacialMocapPhone(Sender):
    """Listens at the settings' host and sends to whoever asks, in the version that was asked for.

    port: where we listen. answer_port: where tools hear us. Raises UserError where we cannot listen.
    """

    def __init__(self, address: Address, settings: SendSettings, port: int = PORT, answer_port: int = PORT) -> None:
        self._health = Health(address)
        self._answer_port = answer_port
        self._listeners: dict[str, str] = {}  # address → version
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(settings.host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._socket.bind(place)
        except OSError as error:
            raise UserError(
                f"{address}: cannot listen at {settings.host}:{port}: {why(error)}; where the tool runs on this "
                "machine, send without being asked: ifacialmocap://127.0.0.1"
            ) from None
        print(f"{address}: waits at {settings.host}:{self.port} for a tool that asks", file=sys.stderr)

    @property
    def port(self) -> int:
        """Where we listen."""
        return int(self._socket.getsockname()[1])

    def send(self, frame: FaceFrame) -> None:
        self._hear()
        for listener, version in self._listeners.items():
            try:
                self._socket.sendto(ifacialmocap_text(frame, version).encode(), (listener, self._answer_port))
            except OSError as error:
                self._health.fails(why(error))
            else:
                self._health.works()

    def _hear(self) -> None:
        for _ in range(MOST_LISTENERS):  # no flood holds a frame up
            try:
                question, sender = self._socket.recvfrom(LONGEST_QUESTION)
            except OSError:  # nothing there; on Windows also: the one before is gone
                return
            if question.strip() in (ASKS, ASKS_V2):
                self._welcome(sender[0], "2" if question.strip() == ASKS_V2 else "1")

    def _welcome(self, listener: str, version: str) -> None:
        if listener not in self._listeners:
            if len(self._listeners) >= MOST_LISTENERS:
                return
            self._health.say(f"{listener} asks, and is sent version {version}")
        self._listeners[listener] = version

    def close(self) -> None:
        self._socket.close()
