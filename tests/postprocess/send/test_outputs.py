"""Places by URL, several at once; files; and that no receiver that is slow, dead or absent holds the others up."""

import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from dataset.blendshapes import ANGLES, ARKIT
from dataset.face_frame import FaceFrame, face_frame
from dataset.recordings.layouts import read_recording
from postprocess.send import courier, sender
from postprocess.send.courier import QUEUED, Courier, Link
from postprocess.send.outputs import SCHEMES, Outputs, parse_address
from postprocess.send.sender import Address, Health, SendSettings
from tests.helpers import KILLED_STATUS, ROOT, random_curves, refused, run_command
from tests.receivers import UdpEar, free_port, read_live_link, web_server

Said = pytest.CaptureFixture[str]


def frames_of(count: int, fps: float = 30) -> list[FaceFrame]:
    return [face_frame(index / fps, row, np.arange(9)) for index, row in enumerate(random_curves(count))]


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (
            "out.csv",
            "--to out.csv: no place that frames go to; did you mean csv?; one of livelink://HOST[:11111], vmc://",
        ),
        ("livelnk://a", "--to livelnk://a: no place that frames go to; did you mean livelink?; one of livelink://"),
        ("csv:", "--to csv:: names no file; csv:FILE"),
        ("livelink://", "--to livelink://: not understood; livelink://HOST[:11111]"),
        ("livelink:a", "--to livelink:a: not understood; livelink://HOST[:11111]"),
        ("livelink://a:99999", "--to livelink://a:99999: not understood; livelink://HOST[:11111]"),
        ("ifacialmocap://?v=2", "--to ifacialmocap://?v=2: not understood; ifacialmocap://[HOST[:49983][?v=1|2]]"),
        ("vmc://a?names=x", "--to vmc://a?names=x: names=x is not understood; vmc://HOST[:39539][?names=pascal|ca"),
        ("vmc://a?name=pascal", "--to vmc://a?name=pascal: name=pascal is not understood; vmc://"),
    ],
)
def test_what_is_no_place(url: str, line: str) -> None:
    assert refused(parse_address, url).startswith(line)


def test_places() -> None:
    assert parse_address("vmc://[::1]").host == "::1"
    assert parse_address("vmc://h").options == {"names": "pascal"}
    assert parse_address("CSV:C:\\a.csv").path == "C:\\a.csv"
    assert [parse_address(f"{name}://h").port for name, kind in SCHEMES.items() if kind.port] == [
        11111, 39539, 49983, 49986, 8001, 80,
    ]  # fmt: skip
    assert refused(Outputs, ["csv:a.csv", "csv:a.csv"], SendSettings(30)).startswith("--to csv:a.csv: is there twice")
    assert refused(Outputs, ["vmc://no.such.host.invalid"], SendSettings(30)).endswith(
        "no such host; give its name or number, such as 127.0.0.1"
    )


def test_csv_and_json_lines(tmp_path: Path) -> None:
    csv, lines, frames = tmp_path / "a" / "out.csv", tmp_path / "b" / "out.jsonl", frames_of(20)
    with Outputs([f"csv:{csv}", f"jsonl:{lines}"], SendSettings(30, "bob")) as outputs:
        for frame in [*frames[:10], replace(frames[9], is_held=True), *frames[10:]]:
            outputs.send(frame)
        assert not csv.exists()
        (partial,) = csv.parent.glob(".out.csv.*.partial")
        assert len(partial.read_text(encoding="utf-8").splitlines()) == 21
    read = read_recording(csv)
    assert (read.frames, read.fps, list(read.angles)) == (20, 30.0, list(ANGLES))
    np.testing.assert_allclose(read.curves(), [frame.values for frame in frames], atol=5e-7)
    np.testing.assert_allclose(read.angles_deg()["RightEyeRoll"], 8, atol=1e-4)
    header, *rows = map(json.loads, lines.read_text(encoding="utf-8").splitlines())
    assert header == {"subject": "bob", "names": list(ARKIT), "angles": list(ANGLES), "fps": 30, "lookahead_ms": 0}
    assert [row["time_s"] for row in rows] == [round(frame.time_s, 6) for frame in [*frames[:10], *frames[9:]]]
    np.testing.assert_allclose(rows[3]["values"], frames[3].values, atol=6e-5)
    assert rows[3]["angles_deg"] == list(range(9))


def test_a_csv_whose_writer_is_killed_is_beside_its_place(tmp_path: Path) -> None:
    code = f"""
import os
import sys
sys.path.insert(0, {str(ROOT)!r})
from dataset.face_frame import neutral_frame
from postprocess.send.outputs import Outputs
from postprocess.send.sender import SendSettings
outputs = Outputs(["csv:out.csv"], SendSettings(30))
for index in range(5):
    outputs.send(neutral_frame(index / 30))
os._exit({KILLED_STATUS})
"""
    assert run_command(tmp_path, "-c", code).returncode == KILLED_STATUS
    assert not (tmp_path / "out.csv").exists()
    (partial,) = tmp_path.glob(".out.csv.*.partial")
    assert len(partial.read_text(encoding="utf-8").splitlines()) == 6


def test_a_csv_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(Outputs, [f"csv:{tmp_path}/file/out.csv"], SendSettings(30))
    assert line.startswith(f"{tmp_path}/file/out.csv: cannot be written: ")
    assert refused(Outputs, ["csv:a.json"], SendSettings(30)) == "--to a.json: curves are written as csv; call it a.csv"


def test_a_web_socket_hears_a_header_then_frames() -> None:
    heard: list[dict[str, Any]] = []

    def handle(connection: Any) -> None:
        for text in connection:
            heard.append(json.loads(text))
            with suppress(ConnectionClosed):
                connection.send("thank you")  # which no one reads

    frames = frames_of(60)
    settings = SendSettings(30, patient=True)
    with web_server(handle) as port, Outputs([f"ws://127.0.0.1:{port}/face?key=1"], settings) as outputs:
        for frame in frames:
            outputs.send(frame)
    assert heard[0]["names"] == list(ARKIT)
    assert [message["time_s"] for message in heard[1:]] == [round(frame.time_s, 6) for frame in frames]


def test_a_dead_udp_port_is_said_once_and_once_when_it_is_back(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BACK_AFTER_S", 0.05)
    ear = UdpEar()
    port, frames = ear.port, frames_of(3)
    ear.close()
    with Outputs([f"livelink://127.0.0.1:{port}"], SendSettings(30)) as outputs:
        for _ in range(50):
            outputs.send(frames[0])
            time.sleep(0.001)
        said = capsys.readouterr().err
        ear = UdpEar(port=port)
        outputs.send(frames[0])  # which may be told of the last refusal
        ear.packets(1)
        time.sleep(0.06)
        for frame in frames:
            outputs.send(frame)
        heard = ear.packets(3)
    place = f"livelink://127.0.0.1:{port}"
    if said:  # a system that tells of a refusal
        assert said.splitlines()[0] == f"{place}: no one listens there; frames go on, and it is said when it is back"
        assert capsys.readouterr().err == f"{place}: there again\n"
    np.testing.assert_array_equal(read_live_link(heard[2]).values[:52], frames[2].values)


def test_an_absent_web_socket_is_said_once_and_found_when_it_comes(
    capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BACK_AFTER_S", 0.0)
    monkeypatch.setattr(courier, "RETRY_S", 0.02)
    port, heard = free_port(), threading.Event()

    def handle(connection: Any) -> None:
        for _ in connection:
            heard.set()

    frame = frames_of(1)[0]
    with Outputs([f"ws://127.0.0.1:{port}"], SendSettings(30)) as outputs:
        for _ in range(20):
            outputs.send(frame)
            time.sleep(0.01)
        with web_server(handle, port):
            ends = time.monotonic() + 5
            while not heard.is_set() and time.monotonic() < ends:
                outputs.send(frame)
                time.sleep(0.01)
            for _ in range(5):
                outputs.send(frame)
                time.sleep(0.01)
    lines = capsys.readouterr().err.splitlines()
    assert heard.is_set()
    assert lines == [
        f"ws://127.0.0.1:{port}: no one listens there; frames go on, and it is said when it is back",
        f"ws://127.0.0.1:{port}: there again",
    ]


class StuckLink(Link):
    """Takes the first frame and no more until it is let go."""

    def __init__(self) -> None:
        self.go_on, self.taken = threading.Event(), list[float]()

    def connect(self, health: Health) -> None: ...

    def deliver(self, frame: FaceFrame) -> None:
        self.taken.append(frame.time_s)
        self.go_on.wait(5)

    def disconnect(self) -> None: ...


@pytest.mark.parametrize("patient", [False, True])
def test_a_receiver_that_is_stuck_gets_the_newest(patient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "PATIENCE_S", 0.02)
    link = StuckLink()
    stuck = Courier(Address("x"), link, patient)
    frames = frames_of(1000)
    for frame in frames:
        stuck.send(frame)
        while not link.taken:
            time.sleep(0.001)
    link.go_on.set()
    stuck.close()
    assert link.taken == [frames[0].time_s, *(frame.time_s for frame in frames[-QUEUED:])]


def test_one_that_takes_nothing_holds_no_other_up() -> None:
    """A server that takes the connection and never reads, beside one that hears."""
    ear, frames = UdpEar(), frames_of(3)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        urls = [f"ws://127.0.0.1:{deaf.getsockname()[1]}", f"livelink://127.0.0.1:{ear.port}"]
        outputs = Outputs(urls, SendSettings(30))
        for frame in frames:
            outputs.send(frame)
        assert len(ear.packets(3)) == 3
    outputs.__exit__()
