"""UDP packets to one receiver: never waited for; a failure is said once and else passed over."""

import socket
from collections.abc import Callable

from config.errors import UserError
from postprocess.send.sender import Address, Health


def why(error: OSError) -> str:
    """What an error of a connection says to a person."""
    if isinstance(error, ConnectionRefusedError):
        return "no one listens there"
    return error.strerror or str(error) or type(error).__name__


class Datagrams:
    """A socket of one receiver. Raises UserError for a host that has no address."""

    def __init__(self, address: Address) -> None:
        self._health = Health(address)
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError):
            raise UserError(f"{address}: no such host; give its name or number, such as 127.0.0.1") from None
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._connect: Callable[[], object] = lambda: self._socket.connect(place)  # connected, it hears of refusals
        self._connected = False

    def send(self, packet: bytes) -> None:
        try:
            self._try(packet)
        except OSError as error:
            self._health.fails(why(error))
            try:
                self._try(packet)  # the error was of the packet before
            except OSError:
                return
        self._health.works()

    def _try(self, packet: bytes) -> None:
        if not self._connected:  # without a network even this fails, and may not later
            self._connect()
            self._connected = True
        self._socket.send(packet)

    def close(self) -> None:
        self._socket.close()
