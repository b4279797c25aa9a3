"""The three.js example: a glb as GLTFLoader gives it moves as Python's curves say, in node and in a real browser."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
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
from postprocess.face.heads import DEFAULT_HEAD
from postprocess.face.names import camel_case
from postprocess.viewer.talk_page import write_network
from tests.helpers import DEMO, ROOT, write_sound

EXAMPLE = ROOT / "postprocess" / "integrations" / "three"
NODE = shutil.which("node")
SECONDS = 2
RUN = """
import {{ readFileSync }} from "node:fs";
import {{ GLTFLoader }} from "three/addons/loaders/GLTFLoader.js";
import {{ Face, framesOf }} from {face};
const told = JSON.parse(readFileSync({network}));
const head = await new GLTFLoader().parseAsync(new Uint8Array(readFileSync({head})).buffer, "");
const face = new Face(head.scene, told.names);
const frames = await framesOf(told, Float32Array.from(JSON.parse(readFileSync({sound}))));
console.log(JSON.stringify(frames.map(({{ values }}) => {{
  face.pose(values);
  return face.meshes.map(({{ name, morphTargetDictionary: places, morphTargetInfluences: influences }}) => [
    name, Object.fromEntries(Object.entries(places).map(([shape, place]) => [shape, influences[place]])),
  ]);
}})));
"""


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return load_causal(LIVE)


@pytest.fixture
def network(model: CausalModel, tmp_path: Path) -> Path:
    told = browser_network(model)
    write_network(tmp_path / "talk.json", told.numbers, told.arrays)
    return tmp_path / "talk.json"


@pytest.fixture
def sound() -> np.ndarray:
    return read_audio(DEMO / "hello.flac")[: SECONDS * SAMPLE_RATE]


@pytest.fixture
def three() -> None:
    if not (ROOT / "node_modules" / "three").is_dir():
        pytest.skip("needs the package three, which is not there: npm install --no-package-lock")


def test_a_glb_s_influences_are_python_s_curves(
    model: CausalModel, network: Path, sound: np.ndarray, tmp_path: Path, three: None
) -> None:
    if NODE is None:
        pytest.skip("needs node, which is not there")
    (tmp_path / "sound.json").write_text(json.dumps(sound.tolist()), encoding="utf-8")
    files = {"face": EXAMPLE / "face.js", "network": network, "head": DEFAULT_HEAD, "sound": tmp_path / "sound.json"}
    program = RUN.format(**{name: json.dumps(str(path)) for name, path in files.items()})
    command = [NODE, "--input-type=module"]
    done = subprocess.run(command, input=program, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    posed = json.loads(done.stdout)
    expected = stream_curves(model, [sound], model.header.domains[0], model.delays.usual_ms).clip(0, 1)
    assert np.ptp(expected, axis=0).max() > 0.3
    assert len(posed) == len(expected)
    assert {"face", "tongue", "lashes"} <= {name for name, _ in posed[0]}
    for frame, values in zip(posed, expected, strict=True):
        curves = dict(zip(map(camel_case, ARKIT), values, strict=True))
        for name, influences in frame:
            assert influences == pytest.approx({shape: curves[shape] for shape in influences}, abs=1e-5), name


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def place() -> Iterator[str]:
    """Where the repository is served, as `python -m http.server` does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ROOT))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_browser_shows_a_mouth_that_moves(
    network: Path, sound: np.ndarray, tmp_path: Path, three: None, place: str, launch_browser: Callable[..., Any]
) -> None:
    write_sound(tmp_path / "hello.wav", sound)
    browser = launch_browser("--autoplay-policy=no-user-gesture-required")
    tab, troubles = browser.new_page(viewport={"width": 240, "height": 240}), list[str]()
    tab.set_default_timeout(90_000)  # a busy machine draws seldom
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.route("**/data/talk.json", lambda route: route.fulfill(path=network))
    tab.goto(f"{place}/{EXAMPLE.relative_to(ROOT).as_posix()}/")
    tab.wait_for_selector("#state:text('ready')")
    still = tab.locator("canvas").screenshot()
    assert tab.locator("canvas").screenshot() == still
    tab.set_input_files("#file", tmp_path / "hello.wav")
    tab.wait_for_selector("#state:text('speaking')")
    shown = {tab.locator("canvas").screenshot() for _ in range(4)}
    tab.wait_for_selector("#state:text('ready')")
    assert shown - {still}
    browser.close()
    assert troubles == []
