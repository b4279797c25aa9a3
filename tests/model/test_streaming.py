"""Curves of a stream: those of the whole file, whatever its pieces and its rate, and never of what is not heard yet."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from config.places import ROOT
from config.units import SAMPLE_RATE, frame_count
from dataset.audio import resample_audio
from dataset.blendshapes import ARKIT
from model.causal_model import CausalModel, load_causal
from model.checkpoint import load_decoder
from model.encoders import build_encoder
from model.lookahead import HEARD_STEPS
from model.streaming import StreamingSynthesizer, TimedCurves, push_all, stream_curves
from model.synthesis import Synthesizer
from tests.helpers import CAUSAL, refused

FPS = 25
Make = Callable[..., Path]


@pytest.fixture
def checkpoint(make_streaming_checkpoint: Make) -> Path:
    return make_streaming_checkpoint()


@pytest.fixture
def model(checkpoint: Path) -> CausalModel:
    return load_causal(checkpoint)


def sound(seconds: float, seed: int = 0, rate: int = SAMPLE_RATE) -> np.ndarray:
    """(samples,) float32: noise that comes and goes."""
    random = np.random.default_rng(seed)
    samples = round(seconds * rate)
    loudness = np.interp(np.arange(samples) / rate, 0.15 * np.arange(20), random.random(20))
    return (0.2 * loudness * random.standard_normal(samples)).astype(np.float32)


def streamed(stream: StreamingSynthesizer, pieces: Sequence[np.ndarray]) -> np.ndarray:
    """(frames, 52) of a sound in pieces; their times are checked."""
    told = [frame for piece in pieces for frame in stream.push(piece)] + stream.flush()
    np.testing.assert_allclose([frame.time_s for frame in told], np.arange(len(told)) / stream.model.fps)
    return np.stack([frame.values for frame in told])


def cut(audio: np.ndarray, samples: int) -> list[np.ndarray]:
    return [audio[first : first + samples] for first in range(0, len(audio), samples)]


@pytest.mark.parametrize("lookahead_ms", [0, 50, 100, 200, None])
def test_numpy_tells_what_the_decoder_does(checkpoint: Path, lookahead_ms: float | None) -> None:
    """Features by the encoder, one frame's after another's; what lies before and after the sound is silence."""
    header, decoder = load_decoder(checkpoint)
    model, audio = load_causal(checkpoint), sound(2.0)
    before, after = model.delays.margin
    samples = SAMPLE_RATE // FPS
    padded = np.pad(audio, (before * samples, after * samples))
    features = build_encoder(header.config.features, header.fps)(torch.from_numpy(padded)[None])
    delay = torch.tensor([model.delays.at(lookahead_ms)])
    with torch.no_grad():
        normalised = decoder(features, torch.tensor([0]), delay=delay)[0].numpy()
    expected = normalised * model.scale + model.mean
    curves = stream_curves(model, [audio], None, lookahead_ms)
    assert expected.shape == (2 * FPS, len(model.channels)) and np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(curves[: 2 * FPS, model.places], expected, atol=1e-5)
    others = np.delete(np.arange(len(ARKIT)), model.places)
    assert not curves[:, others].any()


def test_every_cut_gives_the_file_s_curves(checkpoint: Path, model: CausalModel, tmp_path: Path) -> None:
    audio, random = sound(1.3, seed=3), np.random.default_rng(1)
    edges = np.sort(random.integers(0, len(audio), 40))
    cuts = {
        "1 sample": [*cut(audio[:3000], 1), audio[3000:]],
        "7 ms": cut(audio, 112),
        "10 ms": cut(audio, 160),
        "37 ms": cut(audio, 592),
        "1 s": cut(audio, SAMPLE_RATE),
        "random, empty ones too": np.split(audio, edges),
    }
    for lookahead_ms in (0.0, 50.0, 200.0):
        whole = Synthesizer(checkpoint).synthesize(audio, lookahead_ms=lookahead_ms)
        assert len(whole) == frame_count(len(audio), FPS)
        for name, pieces in cuts.items():
            curves = streamed(StreamingSynthesizer(model, lookahead_ms=lookahead_ms), pieces)
            np.testing.assert_allclose(curves[: len(whole), model.places], whole, atol=1e-6, err_msg=name)
            assert 0 <= len(curves) - len(whole) <= 1, name


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_any_rate_gives_the_file_s_curves(rate: int, model: CausalModel) -> None:
    audio = sound(1.1, seed=rate, rate=rate)
    whole = stream_curves(model, [resample_audio(audio, rate)], None, 50)
    for samples in (rate // 100, 997, len(audio)):
        curves = streamed(StreamingSynthesizer(model, lookahead_ms=50, rate=rate), cut(audio, samples))
        np.testing.assert_allclose(curves, whole, atol=1e-6)


def test_a_rate_adds_little_to_the_look_ahead(model: CausalModel) -> None:
    for rate in (8000, 44100, 48000):
        stream = StreamingSynthesizer(model, lookahead_ms=50, rate=rate)
        assert StreamingSynthesizer(model, lookahead_ms=50).lookahead_ms < stream.lookahead_ms < 54
        heard = round((7 / FPS + stream.lookahead_ms / 1000) * rate) + 2
        assert len(stream.push(sound(1.0, rate=rate)[:heard])) == 8


@pytest.mark.parametrize("lookahead_ms", [0, 20, 50, 137, 200])
def test_no_frame_hears_past_its_look_ahead_and_comes_once_that_is_heard(
    lookahead_ms: float, model: CausalModel
) -> None:
    """Another sound from a frame's look-ahead on leaves it as it was; the frame has been told by then, and not long."""
    audio, other = sound(1.6, seed=5), sound(1.6, seed=6)
    for frame in (7, 22):
        heard = SAMPLE_RATE * frame // FPS + round(lookahead_ms * SAMPLE_RATE / 1000)
        stream = StreamingSynthesizer(model, lookahead_ms=lookahead_ms)
        told = stream.push(audio[:heard])
        assert len(told) == frame + 1
        rest = stream.push(other[heard:])
        plain = stream_curves(model, [audio], None, lookahead_ms)
        np.testing.assert_allclose(told[frame].values, plain[frame], atol=1e-6)
        assert np.abs(rest[2].values - plain[frame + 3]).max() > 1e-4
    step_ms = 1000 / FPS / 3
    silent = audio.copy()
    silent[heard - round((step_ms + 1) * SAMPLE_RATE / 1000) :] = 0  # the last step that it may hear
    assert np.abs(stream_curves(model, [silent], None, lookahead_ms)[frame] - plain[frame]).max() > 1e-7


def test_many_streams_share_a_forward(model: CausalModel) -> None:
    """Of different sounds, domains, look-aheads, rates and pieces: each as on its own."""
    settings = [(0.0, 16000), (50.0, 48000), (200.0, 16000), (120.0, 8000)]
    sounds = [sound(1.0 + number / 7, number, rate) for number, (_, rate) in enumerate(settings)]
    streams = [StreamingSynthesizer(model, None, ahead, rate) for ahead, rate in settings]
    told: list[list[TimedCurves]] = [[] for _ in streams]
    for first in range(0, 60_000, 500):
        blocks = [
            audio[(first * (1 + number % 3)) : (first + 500) * (1 + number % 3)] for number, audio in enumerate(sounds)
        ]
        for frames, more in zip(told, push_all(streams, blocks), strict=True):
            frames.extend(more)
    for stream, frames, audio, (ahead, rate) in zip(streams, told, sounds, settings, strict=True):
        alone = streamed(StreamingSynthesizer(model, None, ahead, rate), [audio])
        together = np.stack([frame.values for frame in frames + stream.flush()])
        np.testing.assert_allclose(together, alone, atol=1e-6)


def test_memory_does_not_grow(model: CausalModel) -> None:
    stream = StreamingSynthesizer(model, lookahead_ms=50)
    for number in range(60):
        stream.push(sound(0.21, number))
        ear, window = stream._ear, model.delays.grid.window_size
        assert len(ear._sound) < window + model.delays.grid.spacing and len(ear._steps) < HEARD_STEPS + 3


def test_after_a_day_a_stream_tells_what_a_new_one_does(model: CausalModel) -> None:
    audio, day = sound(1.0, 9), 24 * 3600 * FPS
    stream, fresh = (StreamingSynthesizer(model, lookahead_ms=50) for _ in range(2))
    ear = stream._ear
    ear.frame, ear._step = ear.frame + day, ear._step + 3 * day
    ear._first += SAMPLE_RATE * 24 * 3600
    late, early = stream.push(audio)[model.delays.ahead :], fresh.push(audio)
    assert [frame.time_s for frame in late] == pytest.approx([24 * 3600 + frame.time_s for frame in early])
    np.testing.assert_array_equal([frame.values for frame in late], [frame.values for frame in early])


def test_after_an_interruption_or_the_end_another_sound_begins(model: CausalModel) -> None:
    audio, other = sound(0.7, 1), sound(0.9, 2)
    fresh = streamed(StreamingSynthesizer(model), [other])
    stream = StreamingSynthesizer(model)
    stream.push(audio)
    stream.interrupt()
    np.testing.assert_array_equal(streamed(stream, [other]), fresh)
    np.testing.assert_array_equal(streamed(stream, [other]), fresh)  # flush has ended the one before
    assert stream.flush() == []


def test_a_stream_needs_no_torch(checkpoint: Path) -> None:
    program = (
        "import sys, numpy\nfrom model.streaming import StreamingSynthesizer\n"
        f"told = StreamingSynthesizer({str(checkpoint)!r}, lookahead_ms=50).push(numpy.zeros(8000, numpy.float32))\n"
        "assert len(told) == 12, len(told)\nassert not {'torch', 'numba', 'soundfile'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_refusals(checkpoint: Path, model: CausalModel, make_checkpoint: Make) -> None:
    whole = make_checkpoint(name="whole")
    assert refused(StreamingSynthesizer, whole) == (
        f"{whole}: hears whole windows; to stream, train one with model.lookahead_ms"
    )
    assert refused(StreamingSynthesizer, model, lookahead_ms=201) == (
        "--lookahead_ms 201: the checkpoint is trained for 0 to 200"
    )
    assert "the checkpoint knows" in refused(StreamingSynthesizer, model, "nobody")
    assert "8000 to 48000" in refused(StreamingSynthesizer, model, rate=96_000)
    assert "NaN" in refused(StreamingSynthesizer(model).push, np.array([0, np.nan], np.float32))
    assert "hears whole windows" in refused(Synthesizer(whole).check, None, None, 50.0)
    assert "it has no windows" in refused(Synthesizer(checkpoint).check, None, 5)
    assert "needs every log-mel step in one frame" in refused(
        make_checkpoint, *CAUSAL[:-1], "features.logmel.context_steps=6"
    )
    assert "goes without attention; give model.encoder_layers: 0" in refused(
        make_checkpoint, *CAUSAL, "model.encoder_layers=1"
    )
