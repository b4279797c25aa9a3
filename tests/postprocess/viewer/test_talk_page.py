"""The page that needs no server, in a real browser, opened from a file: what it is given to hear moves its face."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from config.places import LIVE
from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT
from dataset.stream_resampler import StreamResampler
from model.browser_network import browser_network
from model.causal_model import CausalModel, load_causal
from model.streaming import stream_curves
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.life.enlivener import HEAD, Enlivener, Manner, enliven, living_face
from postprocess.life.mood import Mood
from postprocess.viewer.talk_page import write_talk_page
from scripts import synthesize
from tests.helpers import DEMO, run_main, write_sound

WIDTH = 390
COLUMNS = (*ARKIT, *HEAD)
SAVED = "() => !document.querySelector('#save').disabled"
SET = """settings => {
  for (const [id, value] of Object.entries(settings)) document.getElementById(id).value = value;
  document.getElementById("seed").dispatchEvent(new Event("input", { bubbles: true }));
}"""
DROP = """([name, text]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
  document.querySelector("#timeline").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}"""
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
    """Three seconds of speech, which Chromium's microphone says once."""
    path = tmp_path_factory.mktemp("sound") / "hello.wav"
    write_sound(path, read_audio(DEMO / "hello.flac")[: 3 * SAMPLE_RATE])
    return path


@pytest.fixture(scope="module")
def tab(model: CausalModel, wav: Path, launch_browser: Callable[..., Any], tmp_path_factory: Any) -> Iterator[Any]:
    """The page, whose microphone is the wav."""
    page, network = tmp_path_factory.mktemp("page") / "talk.html", browser_network(model)
    write_talk_page(page, read_head(DEFAULT_HEAD), "talk", network.numbers, network.arrays)
    microphone = "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={wav}%noloop"
    browser = launch_browser(*microphone, "--use-fake-ui-for-media-stream")
    context = browser.new_context(viewport={"width": WIDTH, "height": 800}, device_scale_factor=0.5)
    tab, troubles = context.new_page(), list[str]()
    tab.set_default_timeout(90_000)  # a busy machine draws seldom
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.goto(page.as_uri())
    tab.wait_for_selector("#state:text('ready')")
    tab.click("h1")  # a browser gives sound once somebody has touched the page
    yield tab
    context.close()
    browser.close()
    assert troubles == []


def saved(tab: Any, path: Path) -> tuple[str, np.ndarray]:
    """What the page saves: the name, and (frames, 55) by the csv at this path."""
    tab.wait_for_function(SAVED)
    with tab.expect_download() as download:
        tab.click("#save")
    download.value.save_as(path)
    assert path.read_text(encoding="utf-8").startswith(",".join(COLUMNS) + "\n")
    return download.value.suggested_filename, np.loadtxt(path, delimiter=",", skiprows=1)


def swings(curves: np.ndarray, *names: str) -> np.ndarray:
    """(len(names),): how far they go."""
    return np.ptp(curves[:, [COLUMNS.index(name) for name in names]], axis=0)


def drop(tab: Any, path: Path) -> None:
    """Drop the file upon the page."""
    tab.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])


def test_a_file_gives_the_curves_that_synthesize_does(tab: Any, wav: Path, tmp_path: Path) -> None:
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= WIDTH
    tab.set_input_files("#file", wav)
    name, curves = saved(tab, tmp_path / "page.csv")
    asked = ("--ckpt_path", LIVE, "--lookahead_ms", 100, "--domain", "clear", "--enliven")
    run_main(synthesize, *asked, "--wav_path", wav, "--out_path", tmp_path / "ours.csv")
    assert name == "hello.csv"
    # Chromium scales 16-bit samples by 32767, not by 32768.
    np.testing.assert_allclose(curves, np.loadtxt(tmp_path / "ours.csv", delimiter=",", skiprows=1), atol=1e-4)
    assert swings(curves, "JawOpen", "EyeBlinkLeft").min() > 0.1
    assert not tab.is_visible("#trouble")


def test_the_settings_are_pythons(tab: Any, model: CausalModel, wav: Path, tmp_path: Path) -> None:
    tab.evaluate(SET, {"lookahead": 0, "domain": 1, "seed": 7, "liveliness": 1.5, "mood": "joy", "strength": 0.4})
    drop(tab, wav)
    _, curves = saved(tab, tmp_path / "page.csv")
    tab.evaluate(SET, {"lookahead": 2, "domain": 0, "seed": 0, "liveliness": 1, "mood": "neutral", "strength": 1})
    mouth = stream_curves(model, [read_audio(wav)], model.header.domains[1], 0.0).clip(0, 1)
    enlivener = Enlivener(7, "hello", model.fps, Manner(1.5, 1.5, 1.5, 1.5), [Mood("joy", 0.4)])
    np.testing.assert_allclose(curves, enliven(mouth, ARKIT, living_face(wav, enlivener, len(mouth))), atol=1e-4)


def hissing_stereo(sound: np.ndarray, rate: int) -> np.ndarray:
    """(samples, 2) at another rate, with noise up to its own highest frequency."""
    resampler = StreamResampler(SAMPLE_RATE, rate)
    sound = np.concatenate([resampler.push(sound), resampler.flush()])
    return np.column_stack([sound, sound / 2]) + np.random.default_rng(0).standard_normal((len(sound), 2)) / 200


@pytest.mark.parametrize(("suffix", "rate"), [("ogg", SAMPLE_RATE), ("mp3", SAMPLE_RATE), ("wav", 44_100)])
def test_a_dropped_file_is_spoken(
    tab: Any, model: CausalModel, wav: Path, tmp_path: Path, suffix: str, rate: int
) -> None:
    path, sound = tmp_path / f"hello.{suffix}", read_audio(wav)
    soundfile.write(path, sound if rate == SAMPLE_RATE else hissing_stereo(sound, rate), rate)
    drop(tab, path)
    _, curves = saved(tab, tmp_path / "page.csv")
    mouth = stream_curves(model, [read_audio(path)], "clear", 100.0).clip(0, 1)
    alive = enliven(mouth, ARKIT, living_face(path, Enlivener(0, "hello", model.fps), len(mouth)))
    np.testing.assert_allclose(curves, alive, atol=1e-3)  # decoders of a lossy sound round each in its own way
    tab.wait_for_function("() => parseFloat(document.querySelector('#time').textContent) > 0.5")


def test_what_is_no_sound_is_said_in_a_line(tab: Any) -> None:
    tab.set_input_files("#file", files=[{"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"}])
    tab.wait_for_selector("#trouble", state="visible")
    expected = "a.txt: no sound that this browser can decode; take a wav, mp3, ogg, flac or m4a."
    assert tab.inner_text("#trouble") == expected


def test_a_microphone_moves_the_face(tab: Any, tmp_path: Path) -> None:
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
    assert len(curves) > 40
    assert swings(curves, "JawOpen").min() > 0.1
    assert swings(curves, "EyeLookInLeft", *HEAD).min() > 1e-3
    tab.click("#microphone")
    tab.wait_for_selector("#state:text('ready')")
