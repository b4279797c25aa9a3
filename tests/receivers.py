"""What hears live frames in tests, written from the protocols' pages and not from what sends."""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np


class UdpEar:
    """A UDP port of the loopback. port: 0 for any that is free."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.port = int(self._socket.getsockname()[1])

    def packets(self, count: int | None = None) -> list[bytes]:
        """So many packets, waited for; or all that are there."""
        self._socket.settimeout(5 if count is not None else 0.05)
        heard: list[bytes] = []
        while count is None or len(heard) < count:
            try:
                heard.append(self._socket.recv(65536))
            except TimeoutError:
                assert count is None, f"{len(heard)} packets of {count}"
                break
        return heard

    def ask(self, question: bytes, place: tuple[str, int]) -> None:
        self._socket.sendto(question, place)

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class LivePacket:
    """A Live Link Face packet, version 6."""

    device: str
    subject: str
    frame_number: int
    sub_frame: float
    rate: tuple[int, int]
    values: np.ndarray  # (61,) float32


def read_live_link(packet: bytes) -> LivePacket:
    assert packet[0] == 6
    place, names = 1, []
    for _ in range(2):
        (length,) = struct.unpack_from(">i", packet, place)
        names.append(packet[place + 4 : place + 4 + length].decode())
        place += 4 + length
    number, sub_frame, numerator, denominator, count = struct.unpack_from(">ifiiB", packet, place)
    values = np.frombuffer(packet, ">f4", offset=place + 17).astype(np.float32)
    assert count == len(values) == 61
    return LivePacket(names[0], names[1], number, sub_frame, (numerator, denominator), values)


def read_bundle(packet: bytes) -> list[tuple[str, list[Any]]]:
    """The messages of an OSC bundle by python-osc: (address, arguments)."""
    from pythonosc.osc_bundle import OscBundle
    from pythonosc.osc_message import OscMessage

    messages = list(OscBundle(packet))
    assert all(isinstance(message, OscMessage) for message in messages)
    return [(message.address, message.params) for message in messages]


def read_ifacialmocap(text: str, separator: str) -> tuple[dict[str, int], dict[str, list[float]]]:
    """Shapes in percent, and head and eyes as the text has them."""
    shapes, _, turns = text.partition("|=")
    percent = {name: int(number) for name, number in (part.split(separator, 1) for part in shapes.split("|"))}
    assert turns.endswith("|")
    angles = dict(re.findall(r"(\w+)#([^|]*)\|", turns))
    return percent, {name: [float(number) for number in numbers.split(",")] for name, numbers in angles.items()}


@contextmanager
def ifacialmocap_receiver() -> Iterator[tuple[int, Callable[[int], list[str]]]]:
    """A tool that hears iFacialMocap by TCP on the loopback: its port, and what waits for so many whole frames."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def frames(count: int) -> list[str]:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                heard = b""
                while heard.count(b"___iFacialMocap") < count:
                    part = connection.recv(700)
                    assert part, f"hung up after {heard!r}"
                    heard += part
            return heard.decode().split("___iFacialMocap")[:count]

        yield int(server.getsockname()[1]), frames


class VTubeStudioMock:
    """Answers as VTube Studio's public API does. clicks: whether its user lets a plugin in; taken: names that others
    made."""

    def __init__(self, clicks: bool = True, taken: tuple[str, ...] = ()) -> None:
        self.clicks, self.taken = clicks, taken
        self.kinds: list[str] = []
        self.created: dict[str, dict[str, Any]] = {}
        self.injected: list[dict[str, Any]] = []

    def __call__(self, connection: Any) -> None:
        is_in = False
        for text in connection:
            request = json.loads(text)
            assert (request["apiName"], request["apiVersion"]) == ("VTubeStudioPublicAPI", "1.0")
            assert re.fullmatch(r"[A-Za-z0-9]{1,64}", request["requestID"])
            kind, data = request["messageType"], request["data"]
            self.kinds.append(kind)
            answer, error = {}, None
            if kind == "AuthenticationTokenRequest":
                assert all(3 <= len(data[name]) <= 32 for name in ("pluginName", "pluginDeveloper"))
                answer, error = {"authenticationToken": "open sesame"}, None if self.clicks else "User has denied"
            elif kind == "AuthenticationRequest":
                is_in = data["authenticationToken"] == "open sesame"
                answer = {"authenticated": is_in, "reason": "because"}
            elif not is_in:
                error = "not authenticated"
            elif kind == "ParameterCreationRequest":
                error = self._create(data)
            elif kind == "InjectParameterDataRequest":
                error = self._inject(data)
            else:
                error = f"unknown {kind}"
            sent = {"errorID": 1, "message": error} if error else answer
            name = "APIError" if error else kind.replace("Request", "Response")
            head = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "timestamp": 0}
            connection.send(json.dumps({**head, "requestID": request["requestID"], "messageType": name, "data": sent}))

    def _create(self, data: dict[str, Any]) -> str | None:
        assert re.fullmatch(r"[A-Za-z0-9]{4,32}", data["parameterName"])
        if data["parameterName"] in ("CheekPuff", "TongueOut", *self.taken):
            return "already there"
        self.created[data["parameterName"]] = data
        assert len(self.created) <= 100
        return None

    def _inject(self, data: dict[str, Any]) -> str | None:
        own = {"CheekPuff", "TongueOut", "MouthOpen", "EyeOpenLeft", "EyeOpenRight"}
        own |= {"FaceAngleX", "FaceAngleY", "FaceAngleZ"}
        assert data["faceFound"] is True and data["mode"] == "set"
        values = {part["id"]: part["value"] for part in data["parameterValues"]}
        if unknown := set(values) - own - set(self.created):
            return f"no parameter {sorted(unknown)}"
        self.injected.append(values)
        return None


@contextmanager
def web_server(handle: Callable[[Any], None], port: int = 0) -> Iterator[int]:
    """A WebSocket server on the loopback; yields its port."""
    from websockets.sync.server import serve

    with serve(handle, "127.0.0.1", port) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield int(server.socket.getsockname()[1])
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """Of the loopback, where no one listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
