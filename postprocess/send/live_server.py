"""A WebSocket server for one face: an agent gives it sound, and browsers hear and see it speak.

An agent, at the path /, says {"rate": 24000, "channels": 1} and sends PCM, signed 16-bit little-endian, in binary
messages, as fast as it likes. {"end": true} ends the sound, so that another may begin; {"interrupt": true} drops what
was not heard yet. A watcher, at /watch, is told a header, then frames by audio time, as JSON; sound in binary messages:
the number of its first sample, a little-endian double, and 16-bit samples at 16 kHz; and {"interrupt": true}.
"""

import asyncio
import itertools
import json
import math
import queue
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from config.errors import UserError
from config.units import SAMPLE_RATE
from dataset.audio import to_float, to_int16
from dataset.live_sound import at_16_khz, short_blocks
from postprocess.send.json_frames import frame_json, header_json
from postprocess.send.live import CurveStream, Piece, synthesized
from postprocess.send.sender import SendSettings

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SPEAK, WATCH = "/", "/watch"
RATES_HZ, MOST_CHANNELS = (8_000, 48_000), 8
MOST_MESSAGE_BYTES = 1 << 20
MOST_WAITING_BYTES = 64 << 20  # of sound that an agent sent and that is not heard yet: eleven minutes of stereo
MOST_WATCHERS = 32
MOST_BUFFERED_BYTES = 4 << 20  # of what a watcher has not taken, after which it is dropped
BAD_CLIENT, TRY_LATER = 1008, 1013  # WebSocket close codes
INTERRUPT = json.dumps({"interrupt": True})
HEADER_FORM = '{"rate": 24000, "channels": 1}'


class BadClientError(Exception):
    """Why a client is dropped, as it is told."""


class Utterance:
    """A sound of an agent's, filled by the server's thread and emptied by the one that computes."""

    def __init__(self, header: object, generation: int) -> None:
        told = header if isinstance(header, dict) else {}
        rate, channels = told.get("rate"), told.get("channels")
        lowest, highest = RATES_HZ
        if type(rate) is not int or not lowest <= rate <= highest:
            raise BadClientError(f"rate: a whole number from {lowest} to {highest}, as in {HEADER_FORM}")
        if type(channels) is not int or not 1 <= channels <= MOST_CHANNELS:
            raise BadClientError(f"channels: a whole number from 1 to {MOST_CHANNELS}, as in {HEADER_FORM}")
        self.rate, self.channels, self.generation = rate, channels, generation
        self._messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._taken_bytes = self._heard_bytes = 0  # each changed by one thread

    def take(self, message: bytes) -> None:
        """PCM, of whole samples of all channels; raises BadClientError for another, and for more than may wait."""
        if len(message) % (2 * self.channels):
            raise BadClientError(f"{len(message)} bytes: no whole number of {self.channels} 16-bit samples")
        self._taken_bytes += len(message)
        if self._taken_bytes - self._heard_bytes > MOST_WAITING_BYTES:
            raise BadClientError("too much sound waits to be heard: send it as it is spoken")
        if message:
            self._messages.put(message)

    def end(self) -> None:
        """Nothing more comes."""
        self._messages.put(b"")

    def blocks(self) -> Iterator[np.ndarray]:
        """(samples,) float32 at 16 kHz a block, waited for."""
        yield from short_blocks(at_16_khz(self._mono(), self.rate))

    def _mono(self) -> Iterator[np.ndarray]:
        while message := self._messages.get():
            self._heard_bytes += len(message)
            yield to_float(np.frombuffer(message, "<i2")).reshape(-1, self.channels).mean(axis=1)


class LiveServer:
    """Serves until it is closed. interrupted: called when an agent interrupts.

    Raises UserError for a URL that is none, that other machines would reach though settings.host does not say so, and
    where it is not free. page: what a browser is given at /.
    """

    def __init__(self, url: str, settings: SendSettings, page: str | None = None) -> None:
        self._host, self._port = place_of(url, settings.host)
        self._settings, self._page = settings, page
        self.interrupted: Callable[[], None] = lambda: None
        self._utterances: queue.SimpleQueue[Utterance] = queue.SimpleQueue()
        self._generation = 0  # that goes on by one at an interrupt: utterances of those before are dropped
        self._lock = threading.Lock()
        self._agent: ServerConnection | None = None
        self._watchers: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        try:
            self._server: Server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise UserError(f"--serve {url}: cannot be listened at: {error.strerror}") from None

    @property
    def port(self) -> int:
        return int(next(iter(self._server.sockets)).getsockname()[1])

    def pieces(self, stream: CurveStream) -> Iterator[Piece]:
        """What agents say, one sound after another without end, each from a whole frame on; watchers are told."""
        heard = 0
        while True:
            utterance = self._utterances.get()
            stream.interrupt()
            begins = math.ceil(heard * stream.fps / SAMPLE_RATE) / stream.fps
            silence = Piece((), np.zeros(round(begins * SAMPLE_RATE) - heard, np.float32))
            for frames, sound in itertools.chain([silence], synthesized(utterance.blocks(), stream)):
                piece = Piece([replace(frame, time_s=frame.time_s + begins) for frame in frames], sound)
                with self._lock:
                    if utterance.generation != self._generation:
                        break
                    self._tell(*_messages(piece, heard))
                heard += len(sound)
                yield piece

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()
            await self._server.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def __enter__(self) -> "LiveServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _listen(self) -> "Server":
        from websockets.asyncio.server import serve

        bounds: dict[str, Any] = {"max_size": MOST_MESSAGE_BYTES, "compression": None, "close_timeout": 1}
        return await serve(self._meet, self._host, self._port, process_request=self._answer, **bounds)

    def _answer(self, connection: "ServerConnection", request: "Request") -> "Response | None":
        """A page's request is answered here; None: a WebSocket begins."""
        path, is_page = urlsplit(request.path).path, "Upgrade" not in request.headers
        if not self._is_ours(request):
            return connection.respond(HTTPStatus.FORBIDDEN, "a page of another place\n")
        if path not in ((SPEAK,) if is_page else (SPEAK, WATCH)) or (is_page and self._page is None):
            return connection.respond(HTTPStatus.NOT_FOUND, f"agents speak at {SPEAK}, watchers watch at {WATCH}\n")
        if not is_page:
            return None
        response = connection.respond(HTTPStatus.OK, self._page or "")
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response

    def _is_ours(self, request: "Request") -> bool:
        """Whether no page of elsewhere asks, which a browser lets speak to this machine too."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        is_named = self._host not in LOOPBACK or urlsplit(f"//{host}").hostname in LOOPBACK
        return is_named and (origin is None or urlsplit(origin).netloc == host)

    async def _meet(self, connection: "ServerConnection") -> None:
        from websockets.exceptions import ConnectionClosed

        watches = connection.request is not None and urlsplit(connection.request.path).path == WATCH
        with suppress(ConnectionClosed):
            try:
                await (self._watch(connection) if watches else self._hear(connection))
            except BadClientError as error:
                await connection.close(BAD_CLIENT, str(error))

    async def _watch(self, connection: "ServerConnection") -> None:
        if len(self._watchers) >= MOST_WATCHERS:
            return await connection.close(TRY_LATER, f"{MOST_WATCHERS} watch already")
        await connection.send(header_json(self._settings))
        self._watchers.add(connection)
        try:
            async for _ in connection:
                raise BadClientError(f"a watcher says nothing; agents speak at {SPEAK}")
        finally:
            self._watchers.discard(connection)

    async def _hear(self, connection: "ServerConnection") -> None:
        if self._agent is not None:
            return await connection.close(TRY_LATER, "another agent speaks")
        self._agent, said = connection, None
        try:
            async for message in connection:
                if isinstance(message, str):
                    said = self._order(_read_json(message), said)
                elif said is None:
                    raise BadClientError(f"sound before its header, such as {HEADER_FORM}")
                else:
                    said.take(message)
        finally:
            self._agent = None
            if said is not None:
                said.end()

    def _order(self, order: object, said: Utterance | None) -> Utterance | None:
        """Do what an agent says besides sound; the utterance that sound belongs to then."""
        if said is not None:
            said.end()
        if order == {"interrupt": True}:
            with self._lock:
                self._generation += 1
                self._tell(INTERRUPT)
            self.interrupted()
        if order in ({"interrupt": True}, {"end": True}):
            return None
        begun = Utterance(order, self._generation)
        self._utterances.put(begun)
        return begun

    def _tell(self, *messages: str | bytes) -> None:
        self._loop.call_soon_threadsafe(self._broadcast, messages)

    def _broadcast(self, messages: tuple[str | bytes, ...]) -> None:
        from websockets.asyncio.server import broadcast

        for slow in [each for each in self._watchers if each.transport.get_write_buffer_size() > MOST_BUFFERED_BYTES]:
            self._watchers.discard(slow)
            slow.transport.abort()
        for message in messages:
            broadcast(self._watchers, message)


def place_of(url: str, host: str) -> tuple[str, int]:
    """Where to listen. host: that other machines may reach it by. Raises UserError as LiveServer does."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
        is_plain = parts.scheme == "ws" and parts.path in ("", "/")
    except ValueError:
        name, port, is_plain = "", None, False
    if not is_plain or not name or port is None:
        raise UserError(f"--serve {url}: not understood; ws://{LOOPBACK[0]}:8765")
    if name not in (*LOOPBACK, host):
        raise UserError(f"--serve {url}: other machines would reach it; if they shall, say --host {name} too")
    return name, port


def _read_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadClientError(f"no JSON; say {HEADER_FORM} first") from None


def _messages(piece: Piece, first: int) -> Iterator[str | bytes]:
    """What watchers are told. first: number of the sound's first sample."""
    if len(piece.sound):
        yield struct.pack("<d", first) + to_int16(piece.sound).astype("<i2").tobytes()
    yield from map(frame_json, piece.frames)
