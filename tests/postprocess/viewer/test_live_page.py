"""The live page in a real browser, fed through a WebSocket: it sees and hears the same, at the same time."""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.sync.client import connect

from config.units import SAMPLE_RATE
from dataset.audio import to_float
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.integrations.obs import say
from postprocess.send.live import LiveStream
from postprocess.send.live_server import LiveServer
from postprocess.send.player import SilentPlayer
from postprocess.send.sender import SendSettings
from postprocess.viewer.live_page import live_page
from tests.helpers import write_sound
from tests.loud_jaw import LoudJaw
from tests.receivers import free_port

HEADER = '{"rate": 16000, "channels": 1}'
# Each piece of sound that the page schedules: [time on the audio clock, samples, its loudest].
SCHEDULED = """
window.scheduled = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (time) {
  window.scheduled.push([time, this.buffer.length, this.buffer.getChannelData(0).reduce((a, b) => Math.max(a, b), 0)]);
  start.call(this, time);
};
"""


@pytest.fixture
def place() -> Iterator[str]:
    """Where a server listens, whose jaw is as open as the sound is loud."""
    settings = SendSettings(LoudJaw.fps, "ada", lookahead_ms=LoudJaw.lookahead_ms)
    with LiveServer(f"ws://127.0.0.1:{free_port()}", settings, live_page(read_head(DEFAULT_HEAD), "ada")) as server:
        live = LiveStream(server.pieces(LoudJaw()), LoudJaw.fps, SilentPlayer())
        server.interrupted = live.interrupt
        threading.Thread(target=live.run, args=(lambda *_: None,), daemon=True).start()
        yield f"127.0.0.1:{server.port}"


def speech(seconds: float) -> bytes:
    """Loud and silent by turns of a second, and loud first."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    loud = 0.2 * np.sin(2 * np.pi * 200 * time) * (time % 2 < 1)
    return np.round(loud * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_speaks_when_it_is_heard(width: int, place: str, browser: Any) -> None:
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 800}, device_scale_factor=0.5)
    tab = context.new_page()
    tab.set_default_timeout(90_000)  # a busy machine draws seldom
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.add_init_script(SCHEDULED)
    tab.goto(f"http://{place}/")
    tab.wait_for_function("() => document.querySelector('#state').textContent === 'listening'")
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
    if tab.is_visible("#sound"):
        tab.click("#sound")
    tab.wait_for_selector("#sound", state="hidden")
    with connect(f"ws://{place}/") as agent:
        agent.send(HEADER)
        agent.send(speech(6))
        tab.wait_for_function("() => document.querySelector('#state').textContent === 'speaking'")
        tab.wait_for_function("() => window.scheduled.length > 2")
        times, lengths, loudest = np.array(tab.evaluate("() => window.scheduled")).T
        assert (np.diff(times) - lengths[:-1] / SAMPLE_RATE > -1e-6).all()  # none before the end of the one before
        assert loudest[0] == pytest.approx(0.2, abs=1e-3)
        agent.send('{"interrupt": true}')
        tab.wait_for_function("() => document.querySelector('#state').textContent === 'listening'")
    context.close()
    assert troubles == []


def test_alone_it_is_a_head_on_nothing_that_says_what_an_agent_does(
    place: str, launch_browser: Callable[..., Any], tmp_path: Path, run_main: Callable[..., None]
) -> None:
    sound = to_float(np.frombuffer(speech(4), "<i2"))
    write_sound(tmp_path / "a.wav", sound)
    troubles: list[str] = []
    browser = launch_browser("--autoplay-policy=no-user-gesture-required")  # as OBS has it
    tab = browser.new_page(viewport={"width": 200, "height": 200})
    tab.set_default_timeout(90_000)
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.add_init_script(SCHEDULED)
    tab.goto(f"http://{place}/?alone")
    tab.wait_for_function("() => document.querySelector('#state').textContent === 'listening'")
    run_main(say, "--wav_path", tmp_path / "a.wav", "--to", f"ws://{place}")
    tab.wait_for_function("() => document.querySelector('#state').textContent === 'speaking'")
    assert tab.evaluate("() => [document.body.scrollWidth, document.body.scrollHeight]") == [200, 200]
    alpha = np.asarray(Image.open(io.BytesIO(tab.screenshot(omit_background=True))).convert("RGBA"))[..., 3]
    assert alpha[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [0, 0, 0, 0]
    assert alpha[100, 100] == 255
    assert 0.2 < (alpha > 0).mean() < 0.7
    tab.wait_for_function("() => window.scheduled.length > 2")
    browser.close()
    assert troubles == []
