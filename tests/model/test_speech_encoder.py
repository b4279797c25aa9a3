import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from config.load import load_config
from config.units import frame_count
from model.encoders import build_encoder
from model.speech_encoder import SpeechEncoder, encode_clip, encode_stream, encode_windows, to_motion_rate
from tests.helpers import ROOT, logmel_encoder


class Receptive(SpeechEncoder):
    """50 features a second, each the mean of its 400 samples and of those of its neighbours, like a small HuBERT."""

    rate_hz, size, identity, margin_s = 50.0, 2, "test", 0.06

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        self.dropout = torch.nn.Dropout(0.5)
        self.requires_grad_(False).eval()

    def forward(self, audio: Tensor) -> Tensor:
        means = audio.unfold(1, 400, 320).mean(dim=2)
        smoothed = torch.nn.functional.avg_pool1d(means[:, None], 3, 1, padding=1)[:, 0]
        return self.dropout(smoothed[:, :, None] * self.gain)


def test_reference_rate_takes_every_second_feature() -> None:
    features = torch.randn(3, 109, 5)
    motion = to_motion_rate(features, 50.0, 55, 25.0)
    assert torch.equal(motion, features[:, ::2])
    aligned = interpolate(features.transpose(1, 2), 55, mode="linear", align_corners=True).transpose(1, 2)
    torch.testing.assert_close(motion, aligned, atol=1e-5, rtol=0)


def test_equal_rates_change_nothing() -> None:
    features = torch.randn(2, 40, 3)
    assert torch.equal(to_motion_rate(features, 29.97, 40, 29.97), features)


def test_frames_between_features_and_past_the_last() -> None:
    features = (torch.arange(10.0) * 10)[None, :, None]
    motion = to_motion_rate(features, 50.0, 8, 30.0)[0, :, 0]  # frame i at feature i · 5/3
    expected = torch.tensor([0.0, 50 / 3, 100 / 3, 50.0, 200 / 3, 250 / 3, 90.0, 90.0])
    torch.testing.assert_close(motion, expected)
    assert to_motion_rate(features, 50.0, 0, 30.0).shape == (1, 0, 1)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 50, 60])
@pytest.mark.parametrize("chunk_s", [0.2, 0.5, 30])
def test_clip_in_chunks_equals_clip_as_a_whole(fps: float, chunk_s: float) -> None:
    audio, encoder = torch.randn(33333), Receptive()
    frames = frame_count(33333, fps)
    rows = encode_clip(encoder, audio, fps, chunk_s)
    assert rows.shape == (frames, 2)
    torch.testing.assert_close(rows, to_motion_rate(encoder(audio[None]), 50.0, frames, fps)[0])


def test_stream_reads_forward_in_bounded_pieces() -> None:
    total, chunk_s, encoder = 16000 * 60, 2.0, Receptive()
    audio, reads = torch.randn(total), []

    def read(start: int, stop: int) -> np.ndarray:
        reads.append((start, stop))
        return audio[start:stop].numpy()

    pieces = list(encode_stream(encoder, read, total, 25, chunk_s))
    torch.testing.assert_close(torch.cat(pieces), encode_clip(encoder, audio, 25, 60.0))
    assert [len(piece) for piece in pieces] == [50] * 30
    starts, stops = zip(*reads, strict=True)
    assert list(starts) == sorted(starts) and list(stops) == sorted(stops)
    assert starts[0] == 0 and stops[-1] == total
    assert max(stop - start for start, stop in reads) < (chunk_s + 0.25) * 16000


@pytest.mark.parametrize("samples", [0, 1, 319])
def test_clip_too_short_for_a_frame(samples: int) -> None:
    encoder = logmel_encoder(25)
    assert encode_clip(encoder, torch.zeros(samples), 25).shape == (0, encoder.size)


def test_windows_are_encoded_each_on_its_own() -> None:
    windows, encoder = torch.randn(5, 35200), logmel_encoder(25)
    encoded = encode_windows(encoder, windows, 55, 25, batch=2)
    assert encoded.shape == (5, 55, encoder.size)
    for window, rows in zip(windows, encoded, strict=True):
        torch.testing.assert_close(rows, encoder(window[None])[0], atol=1e-5, rtol=0)


def test_encoder_stays_frozen_in_a_model_that_trains() -> None:
    encoder = Receptive()
    model = torch.nn.ModuleDict({"encoder": encoder, "head": torch.nn.Linear(2, 1)}).train()
    assert model.training and not any(module.training for module in encoder.modules())
    model["head"](encode_clip(encoder, torch.randn(8000), 25)).sum().backward()
    assert model["head"].weight.grad is not None and encoder.gain.grad is None


def test_build_logmel_from_config() -> None:
    words = ("features.logmel={bands: 32, window_ms: 20.0, steps_per_frame: 2, context_steps: 3, fmin_hz: 80.0}",)
    encoder = build_encoder(load_config(ROOT / "config" / "default.yml", words).features, 30.0)
    changes = {"bands": 32, "window_ms": 20.0, "steps_per_frame": 2, "context_steps": 3, "fmin_hz": 80.0}
    assert encoder.identity == logmel_encoder(30.0, **changes).identity
    assert (encoder.rate_hz, encoder.size) == (30.0, 32 * 7)
