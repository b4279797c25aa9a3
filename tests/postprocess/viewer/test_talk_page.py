"""The page that needs no server, in a real browser, opened from a file: what it is given to hear moves the mouth."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.places import LIVE
from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT
from model.browser_network import browser_network
from model.causal_model import CausalModel, load_causal
from model.streaming import stream_curves
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.viewer.talk_page import write_talk_page
from tests.helpers import DEMO, write_sound

WIDTH = 390
SAVED = "() => !document.querySelector('#save').disabled"
REFUSE = "name => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('busy', name)); }"
REFUSALS = {
    "NotAllowedError": "The microphone was refused: allow it for this page beside the browser's address,"
    " and try again.",
    "NotFoundError": "There is no microphone: plug one in, or drop a sound file.",
    "UnknownError": "The microphone cannot be opened: busy",
}


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return load_causal(LIVE)


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of speech; Chromium's microphone says it again and again."""
    path = tmp_path_factory.mktemp("sound") / "hello.wav"
    write_sound(path, read_audio(DEMO / "hello.flac")[: 3 * SAMPLE_RATE])
    return path


@pytest.fixture
def tab(model: CausalModel, wav: Path, launch_browser: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    """The page, whose microphone is the wav."""
    network = browser_network(model)
    write_talk_page(tmp_path / "talk.html", read_head(DEFAULT_HEAD), "talk", network.numbers, network.arrays)
    microphone = "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={wav}"
    browser = launch_browser(*microphone, "--use-fake-ui-for-media-stream")
    context = browser.new_context(viewport={"width": WIDTH, "height": 800}, device_scale_factor=0.5)
    tab, troubles = context.new_page(), list[str]()
    tab.set_default_timeout(90_000)  # a busy machine draws seldom
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.goto((tmp_path / "talk.html").as_uri())
    tab.wait_for_selector("#state:text('ready')")
    yield tab
    context.close()
    browser.close()
    assert troubles == []


def saved(tab: Any, path: Path) -> tuple[str, np.ndarray]:
    """What the page saves: the name, and (frames, 52) by the csv at this path."""
    with tab.expect_download() as download:
        tab.click("#save")
    download.value.save_as(path)
    return download.value.suggested_filename, np.loadtxt(path, delimiter=",", skiprows=1)


def test_a_file_gives_the_curves_that_python_does(tab: Any, model: CausalModel, wav: Path, tmp_path: Path) -> None:
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= WIDTH
    tab.set_input_files("#file", files=[{"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"}])
    tab.wait_for_selector("#trouble", state="visible")
    expected = "a.txt: no sound that this browser can decode; take a wav, mp3, ogg, flac or m4a."
    assert tab.inner_text("#trouble") == expected
    for lookahead_ms, domain in ((100.0, "clear"), (0.0, "pucker")):
        tab.evaluate("place => { document.querySelector('#lookahead').value = place; }", 2 if lookahead_ms else 0)
        tab.select_option("#domain", label=domain)
        tab.set_input_files("#file", wav)
        tab.wait_for_function(SAVED)
        name, curves = saved(tab, tmp_path / "page.csv")
        ours = stream_curves(model, [read_audio(wav)], domain, lookahead_ms).clip(0, 1)
        assert name == "hello.csv"
        assert (tmp_path / "page.csv").read_text(encoding="utf-8").startswith(",".join(ARKIT) + "\n")
        np.testing.assert_allclose(curves, ours, atol=1e-4)  # Chromium scales 16-bit samples by 32767, not 32768
    assert not tab.is_visible("#trouble")


def test_a_microphone_moves_the_mouth(tab: Any, tmp_path: Path) -> None:
    for error, line in REFUSALS.items():
        tab.evaluate("() => { window.given ??= navigator.mediaDevices.getUserMedia; }")
        tab.evaluate(REFUSE, error)
        tab.click("#microphone")
        tab.wait_for_function("line => document.querySelector('#trouble').textContent === line", arg=line)
    tab.evaluate("() => { navigator.mediaDevices.getUserMedia = window.given; }")
    tab.click("#microphone")
    tab.wait_for_function("() => parseFloat(document.querySelector('#time').textContent) > 1.5")
    assert tab.inner_text("#state") == "hearing you"
    name, curves = saved(tab, tmp_path / "page.csv")
    assert name == "microphone.csv"
    assert len(curves) > 45
    assert np.ptp(curves[:, ARKIT.index("JawOpen")]) > 0.1
    tab.click("#microphone")
    tab.wait_for_selector("#state:text('ready')")
