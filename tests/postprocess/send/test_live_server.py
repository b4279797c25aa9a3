"""A WebSocket server for one face: what agents may say, what watchers are told, and who is dropped."""

import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from config.units import SAMPLE_RATE
from dataset.face_frame import FaceFrame
from postprocess.send import live_server
from postprocess.send.live import LiveStream
from postprocess.send.live_server import LiveServer, place_of
from postprocess.send.player import SilentPlayer
from postprocess.send.sender import SendSettings
from tests.helpers import refused
from tests.loud_jaw import JAW, LoudJaw
from tests.receivers import free_port

HEADER = json.dumps({"rate": SAMPLE_RATE, "channels": 1})
SETTINGS = SendSettings(LoudJaw.fps, "ada", lookahead_ms=LoudJaw.lookahead_ms)


class Served:
    """A server whose stream runs in a thread of its own; what is sent to other tools is kept."""

    def __init__(self, page: str | None = None) -> None:
        self.server = LiveServer(f"ws://127.0.0.1:{free_port()}", SETTINGS, page)
        self.sent: list[FaceFrame] = []
        live = LiveStream(self.server.pieces(LoudJaw()), LoudJaw.fps, SilentPlayer())
        self.server.interrupted = live.interrupt
        threading.Thread(target=live.run, args=(lambda *due: self.sent.extend(due),), daemon=True).start()

    def reach(self, path: str = "/", **options: Any) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.server.port}{path}", **options)


@pytest.fixture
def served() -> Iterator[Served]:
    with closed(Served("<p>a face</p>")) as served:
        yield served


@contextmanager
def closed(served: Served) -> Iterator[Served]:
    try:
        yield served
    finally:
        served.server.close()


def tone(seconds: float, level: float = 0.2) -> np.ndarray:
    return np.round(level * 32768 * np.sin(np.arange(round(seconds * SAMPLE_RATE)))).astype("<i2")


def heard(watcher: ClientConnection, samples: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The sound that a watcher is told until it has so many samples, in its place, and the frames meanwhile."""
    sound, frames = np.zeros(samples, np.int16), []
    last = 0
    while last < samples:
        message = watcher.recv(5)
        if isinstance(message, bytes):
            first = int(struct.unpack("<d", message[:8])[0])
            part = np.frombuffer(message[8:], "<i2")
            sound[first : first + len(part)] = part
            last = first + len(part)
        else:
            frames.append(json.loads(message))
    return sound, frames


def why_closed(client: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed_by:
        client.recv(5)
    assert closed_by.value.rcvd is not None
    return closed_by.value.rcvd.code, closed_by.value.rcvd.reason


def test_watchers_are_told_the_sound_bit_for_bit_and_its_frames(served: Served) -> None:
    sound = tone(1.0)
    with served.reach("/watch") as watcher, served.reach("/watch") as other, served.reach() as agent:
        header = json.loads(watcher.recv(5))
        assert (header["subject"], header["fps"], header["lookahead_ms"]) == ("ada", 25, 40)
        other.recv(5)
        agent.send(HEADER)
        for first in range(0, len(sound), 777):
            agent.send(sound[first : first + 777].tobytes())
        agent.send('{"end": true}')
        told, frames = heard(watcher, len(sound))
        np.testing.assert_array_equal(told, sound)
        np.testing.assert_array_equal(heard(other, len(sound))[0], sound)
    assert [frame["time_s"] for frame in frames[:24]] == pytest.approx(np.arange(24) / 25)
    assert {frame["values"][JAW] for frame in frames[:24]} == {0.8}


def test_the_next_sound_begins_at_a_whole_frame_after_the_last(served: Served) -> None:
    """Stereo at 48 kHz this time: the mean of both channels, at 16 kHz."""
    with served.reach("/watch") as watcher, served.reach() as agent:
        watcher.recv(5)
        agent.send(HEADER)
        agent.send(tone(0.5)[:7777].tobytes())
        agent.send('{"end": true}')
        agent.send('{"rate": 48000, "channels": 2}')
        agent.send(np.repeat(np.full(24_000, 4096, "<i2"), 2).tobytes() + bytes(4 * 24_000))
        agent.send('{"end": true}')
        begins = 13 * 640  # the first whole frame of 25 a second after 7777 samples
        told, frames = heard(watcher, begins + SAMPLE_RATE)
    assert not told[7777:begins].any()
    np.testing.assert_allclose(told[begins + 100 : begins + 7900], 4096, atol=2)
    times = [frame["time_s"] for frame in frames]
    assert times[:13] == pytest.approx(np.arange(13) / 25) and times[13] == pytest.approx(13 / 25)


def test_an_interruption_drops_what_was_said_and_eases_to_rest(served: Served) -> None:
    with served.reach("/watch") as watcher, served.reach() as agent:
        watcher.recv(5)
        agent.send(HEADER)
        agent.send(tone(20).tobytes())  # as a speech synthesizer does: all at once
        while not any(frame.values[JAW] > 0.5 for frame in served.sent):
            time.sleep(0.02)
        agent.send('{"interrupt": true}')
        told = 0.0
        while (message := watcher.recv(5)) != live_server.INTERRUPT:
            if isinstance(message, bytes):
                told = struct.unpack("<d", message[:8])[0] / SAMPLE_RATE
        assert told < 10
        while served.sent[-1].values.any():
            time.sleep(0.02)
        agent.send(HEADER)
        agent.send(tone(0.2).tobytes())
        agent.send('{"end": true}')
        (first,) = struct.unpack("<d", next(part for part in iter(watcher.recv, None) if isinstance(part, bytes))[:8])
        assert told <= first / SAMPLE_RATE < told + 0.1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([b"\0\0"], 'sound before its header, such as {"rate": 24000, "channels": 1}'),
        (["hello"], 'no JSON; say {"rate": 24000, "channels": 1} first'),
        (["[" * 5000], 'no JSON; say {"rate": 24000, "channels": 1} first'),
        (["[1]"], 'rate: a whole number from 8000 to 48000, as in {"rate": 24000, "channels": 1}'),
        (['{"rate": 1e9, "channels": 1}'], "rate: a whole number from 8000 to 48000"),
        (['{"rate": 16000, "channels": true}'], "channels: a whole number from 1 to 8"),
        ([HEADER, b"\0"], "1 bytes: no whole number of 1 16-bit samples"),
        ([HEADER, bytes(9000), bytes(9000)], "too much sound waits to be heard: send it as it is spoken"),
    ],
)
def test_a_bad_agent_is_told_and_the_next_is_heard(
    said: list[str | bytes], told: str, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_server, "MOST_WAITING_BYTES", 8000)
    with served.reach("/watch") as watcher:
        watcher.recv(5)
        with served.reach() as agent:
            for message in said:
                agent.send(message)
            code, reason = why_closed(agent)
            assert code == 1008 and reason.startswith(told)
        with served.reach() as agent:
            agent.send(HEADER)
            agent.send(tone(0.1).tobytes())
            agent.send('{"end": true}')
            while not isinstance(watcher.recv(5), bytes):
                pass


def test_counts_and_sizes_are_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_server, "MOST_WATCHERS", 1)
    with served.reach("/watch") as watcher, served.reach("/watch") as second, served.reach() as agent:
        watcher.recv(5)
        assert why_closed(second) == (1013, "1 watch already")
        agent.send(HEADER)
        with served.reach() as other:
            assert why_closed(other) == (1013, "another agent speaks")
        watcher.send("hello")
        assert why_closed(watcher) == (1008, "a watcher says nothing; agents speak at /")
        agent.send(bytes(live_server.MOST_MESSAGE_BYTES + 2))
        assert why_closed(agent)[0] == 1009


def test_the_page_is_there_and_pages_of_elsewhere_are_kept_out(served: Served) -> None:
    def get(path: str, **headers: str) -> tuple[int, str, str]:
        asked = HTTPConnection("127.0.0.1", served.server.port, timeout=5)
        asked.request("GET", path, headers=headers)
        answer = asked.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()

    assert get("/") == (200, "text/html; charset=utf-8", "<p>a face</p>")
    assert get("/other")[0] == 404
    assert get("/", Host="rebound.example")[0] == 403
    with pytest.raises(InvalidStatus, match="403"):
        served.reach(origin="http://elsewhere.example")
    with pytest.raises(InvalidStatus, match="404"):
        served.reach("/other")


def test_where_it_listens() -> None:
    assert place_of("ws://localhost:1", "127.0.0.1") == ("localhost", 1)
    assert place_of("ws://0.0.0.0:1", "0.0.0.0") == ("0.0.0.0", 1)
    outside = "--serve ws://0.0.0.0:1: other machines would reach it; if they shall, say --host 0.0.0.0 too"
    assert refused(place_of, "ws://0.0.0.0:1", "127.0.0.1") == outside
    for url in (
        "http://127.0.0.1:1",
        "ws://127.0.0.1",
        "ws://:1",
        "ws://127.0.0.1:99999",
        "ws://127.0.0.1:1/a",
        "ws://[",
    ):
        assert refused(place_of, url, "127.0.0.1") == f"--serve {url}: not understood; ws://127.0.0.1:8765"
    with closed(Served()) as first:
        taken = f"ws://127.0.0.1:{first.server.port}"
        assert refused(LiveServer, taken, SETTINGS).startswith(f"--serve {taken}: cannot be listened at: ")
