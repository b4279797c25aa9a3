"""A WebSocket of a receiver's: frames as JSON to agents and pages, and what VTube Studio's link stands on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from dataset.face_frame import FaceFrame
from postprocess.send.courier import Courier, Link
from postprocess.send.json_frames import frame_json, header_json
from postprocess.send.sender import Address, Health, Sender, SendSettings

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

OPENING_S, CLOSING_S = 5.0, 0.5


class WebLink:
    """Text over a WebSocket; whatever goes wrong is an OSError."""

    def __init__(self, url: str) -> None:
        self._url, self._opened = url, ExitStack()
        self._connection: ClientConnection | None = None

    def open(self) -> None:
        from websockets.sync.client import connect

        with _as_os_errors():
            opening = connect(self._url, open_timeout=OPENING_S, close_timeout=CLOSING_S, compression=None, proxy=None)
            self._connection = self._opened.enter_context(opening)

    def send(self, text: str) -> None:
        assert self._connection is not None
        with _as_os_errors():
            self._connection.send(text)

    def receive(self, timeout_s: float | None) -> str:
        """The next message. Raises TimeoutError when none comes; None: wait on."""
        assert self._connection is not None
        with _as_os_errors():
            return str(self._connection.recv(timeout_s))

    def drain(self) -> None:
        """Take what was said to us, or the other side is held up."""
        with suppress(TimeoutError):
            while True:
                self.receive(0)

    def close(self) -> None:
        with suppress(OSError), _as_os_errors():
            self._opened.close()


@contextmanager
def _as_os_errors() -> Iterator[None]:
    from websockets.exceptions import ConnectionClosed, WebSocketException

    try:
        yield
    except ConnectionClosed:
        raise ConnectionError("the receiver hung up") from None
    except WebSocketException as error:
        raise ConnectionError(f"no WebSocket there: {error}") from None


class JsonLink(Link):
    """The header once, then a message a frame."""

    def __init__(self, address: Address, settings: SendSettings) -> None:
        self._web, self._settings = WebLink(address.url), settings

    def connect(self, health: Health) -> None:
        self._web.open()
        self._web.send(header_json(self._settings))

    def deliver(self, frame: FaceFrame) -> None:
        self._web.send(frame_json(frame))
        self._web.drain()

    def disconnect(self) -> None:
        self._web.close()


def web_socket(address: Address, settings: SendSettings) -> Sender:
    """A WebSocket server of someone else's."""
    return Courier(address, JsonLink(address, settings), settings.patient)
