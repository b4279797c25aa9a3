"""talk.js, which a page holds, tells what model.streaming does, however the sound is cut."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.places import LIVE
from dataset.audio import read_audio
from model.browser_network import BrowserNetwork, browser_network
from model.causal_model import CausalModel, load_causal
from model.streaming import stream_curves
from postprocess.viewer.bundle import packed
from tests.helpers import DEMO, in_node

SAMPLES = 24_000
RUN = """
const arrays = await unpacked(given.block, given.places);
const sound = Float32Array.from(given.sound);
const told = given.runs.map(([domain, lookahead, size]) => {
  const talk = new Talk(given.numbers, arrays, domain, lookahead);
  const frames = [];
  for (let sounds = 0; sounds < 2; sounds++) {
    frames.length = 0;
    for (let i = 0; i < sound.length; i += size) frames.push(...talk.push(sound.subarray(i, i + size)));
    frames.push(...talk.flush());
  }
  return { times: frames.map(({ time }) => time), values: frames.map(({ values }) => Array.from(values)) };
});
let refused = null;
try { new Talk(given.numbers, arrays).push(Float32Array.of(0, NaN)); } catch (error) { refused = error.message; }
console.log(JSON.stringify({ told, refused }));
"""


def told(folder: Path, network: BrowserNetwork, sound: np.ndarray, runs: list[list[int]]) -> dict[str, Any]:
    """What node tells of runs [domain, lookahead, samples a piece], each of two times the sound by one Talk."""
    block, places = packed(network.arrays)
    given = {"numbers": network.numbers, "block": block, "places": places, "sound": sound.tolist(), "runs": runs}
    return in_node(folder, ("bundle", "talk"), RUN, given)


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return load_causal(LIVE)


def test_node_tells_what_numpy_does(model: CausalModel, tmp_path: Path) -> None:
    sound = read_audio(next(iter(sorted((DEMO / "wav").iterdir()))))[:SAMPLES]
    network = browser_network(model)
    assert [choice["ms"] for choice in network.numbers["lookaheads"]] == [0, 50, 100, 200]
    assert network.numbers["usual"] == 2
    runs = [[0, 2, SAMPLES], [0, 2, 1600], [0, 2, 97], [1, 0, 1600], [2, 1, 128], [0, 3, 5000]]
    got = told(tmp_path, network, sound, runs)
    for (domain, lookahead, _), heard in zip(runs, got["told"], strict=True):
        lookahead_ms = network.numbers["lookaheads"][lookahead]["ms"]
        expected = stream_curves(model, [sound], model.header.domains[domain], lookahead_ms)
        np.testing.assert_allclose(heard["times"], np.arange(len(expected)) / model.fps)
        np.testing.assert_allclose(heard["values"], expected, atol=2e-6)
        assert np.ptp(expected, axis=0).max() > 0.1
    assert got["refused"] == "The sound holds samples that are not finite."


def test_weights_are_as_short_as_loses_nothing(model: CausalModel) -> None:
    arrays = browser_network(model).arrays
    assert {arrays[f"weight_{number}"].dtype for number in range(6)} == {np.dtype(np.float16)}
    np.testing.assert_array_equal(arrays["weight_3"].astype(np.float32), model.layers[3].weight.T)
    np.testing.assert_array_equal(arrays["filters"], model.delays.grid.filters)
    assert arrays["filters"].dtype == np.float32
