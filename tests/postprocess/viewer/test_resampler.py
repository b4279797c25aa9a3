"""A page's sound files: their own rate, and how they are brought to the network's, as Python brings them there."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.units import SAMPLE_RATE
from dataset import stream_resampler
from dataset.stream_resampler import StreamResampler
from postprocess.life.constants import constants_of
from tests.helpers import in_node

RUN = """
const sound = Float32Array.from(given.sound);
const resampled = given.runs.map(([rate, outRate, size]) => {
  const resampler = new Resampler(given.constants, rate, outRate);
  const told = [];
  for (let i = 0; i < sound.length; i += size) told.push(...resampler.push(sound.subarray(i, i + size)));
  return [...told, ...resampler.flush()];
});
console.log(JSON.stringify(resampled));
"""
RATES = """
const { readFileSync: read } = await import("node:fs");
const bytes = (path) => new Uint8Array(read(path)).buffer;
console.log(JSON.stringify(given.map((path) => ownRate(bytes(path)))));
"""


def test_a_page_resamples_as_python_does(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).standard_normal(9001).astype(np.float32)
    pieces = {44_100: 4410, 48_000: 777, 32_000: 9001, 8_000: 64, 11_025: 1, SAMPLE_RATE: 500}
    runs = [(rate, SAMPLE_RATE, size) for rate, size in pieces.items()]
    given = {"sound": sound.tolist(), "runs": runs, "constants": constants_of(stream_resampler)}
    for (rate, out_rate, _), heard in zip(runs, in_node(tmp_path, ("resampler",), RUN, given), strict=True):
        resampler = StreamResampler(rate, out_rate)
        expected = np.concatenate([resampler.push(sound), resampler.flush()])
        np.testing.assert_allclose(heard, expected, atol=2e-6, err_msg=str(rate))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_a_file_tells_its_own_rate(rate: int, tmp_path: Path) -> None:
    sound = np.random.default_rng(0).standard_normal((rate // 2, 2)) / 20
    paths, opus = [tmp_path / name for name in ("a.wav", "a.flac", "a.ogg", "a.mp3")], tmp_path / "opus.ogg"
    for path in paths:
        soundfile.write(path, sound, rate)
    soundfile.write(opus, sound, 48_000, subtype="OPUS")
    tagged, other, empty = tmp_path / "tagged.mp3", tmp_path / "a.m4a", tmp_path / "empty.wav"
    tagged.write_bytes(b"ID3\x04\0\0\0\0\x01\x02" + bytes(130) + paths[3].read_bytes())
    other.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    empty.write_bytes(b"RIFF\0\0")
    told = in_node(tmp_path, ("sound_file",), RATES, [*map(str, (*paths, opus, tagged, other, empty))])
    assert told == [rate, rate, rate, rate, 48_000, rate, None, None]
