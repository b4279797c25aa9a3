"""Frozen speech encoders behind one interface, and what turns their features into one row per motion frame."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from config.units import SAMPLE_RATE, frame_count, samples_per


class SpeechEncoder(nn.Module):
    """Audio → features. Frozen: no gradients, always in eval mode.

    rate_hz: features a second; feature k stands at time k / rate_hz.
    size: values a feature.
    identity: kind and everything that changes the values; equal strings mean equal features.
    margin_s: seconds of audio on either side of a feature that its value depends on (or nearly so).
    steps_stacked: time steps whose bands, size / steps_stacked of them, stand one after another in a motion frame's
    feature; steps_per_frame: how many steps the next frame's begin later.
    batches: clips of unequal length may share a forward, and gain by it (BatchingEncoder).
    forward: audio (B, samples) float32, 16 kHz, in [-1, 1] → (B, N, size) float32.
    """

    rate_hz: float
    size: int
    identity: str
    margin_s: float
    batches: bool = False
    steps_stacked: int = 1
    steps_per_frame: int = 1

    def train(self, mode: bool = True) -> "SpeechEncoder":
        """Stay in eval mode, also inside a model that trains."""
        return super().train(False)

    @property
    def device(self) -> torch.device:
        """Where the encoder's tensors are."""
        return next(tensor.device for tensors in (self.parameters(), self.buffers()) for tensor in tensors)


class BatchingEncoder(SpeechEncoder):
    """A speech encoder that hears several clips at once.

    forward: its `lengths` (B,) say how many samples of each item are sound, zeros after that; an item's first
    feature_count(length) features, and at least one, are those that it would have on its own.
    """

    def forward(self, audio: Tensor, lengths: Tensor | None = None) -> Tensor:
        """audio: (B, samples), 16 kHz; lengths: (B,) samples of sound, None: all → (B, N, size)."""
        raise NotImplementedError

    def feature_count(self, samples: int) -> int:
        """How many features hear nothing past so many samples."""
        raise NotImplementedError


def to_motion_rate(features: Tensor, rate_hz: float, frames: int, fps: float) -> Tensor:
    """Features (B, N, D) at rate_hz → (B, frames, D) at fps, interpolated linearly; the last one is held at the end."""
    if rate_hz == fps and frames <= features.shape[1]:
        return features[:, :frames]
    return _interpolate(features, torch.arange(frames, dtype=torch.float64) * (rate_hz / fps))


def _interpolate(features: Tensor, positions: Tensor) -> Tensor:
    """(B, N, D) read at M fractional positions, float64 and clamped to the last feature → (B, M, D)."""
    last = features.shape[1] - 1
    positions = positions.clamp(max=last)
    below = positions.long()
    above = (below + 1).clamp(max=last)
    weight = (positions - below)[:, None].to(features)
    return torch.lerp(features[:, below], features[:, above], weight)


def encode_clip(encoder: SpeechEncoder, audio: Tensor, fps: float, chunk_s: float = 30.0) -> Tensor:
    """Audio (samples,) of a whole clip → (frame_count(samples, fps), size), one row per motion frame."""
    rows = list(encode_stream(encoder, lambda start, stop: audio[start:stop], len(audio), fps, chunk_s))
    return torch.cat(rows) if rows else torch.zeros(0, encoder.size, device=encoder.device)


def encode_stream(
    encoder: SpeechEncoder,
    read: Callable[[int, int], np.ndarray | Tensor],
    total_samples: int,
    fps: float,
    chunk_s: float = 30.0,
) -> Iterator[Tensor]:
    """Audio of any length → its rows per motion frame, in pieces (frames, size) of equal length, at most chunk_s each.

    read(start, stop) gives those samples, 0 ≤ start < stop ≤ total_samples; neither ever goes back, so that a reader
    may forget what lies before start. Every piece is encoded with the encoder's margin of audio on both sides.
    """
    frames = frame_count(total_samples, fps)
    pieces = math.ceil(frames / max(1, math.floor(chunk_s * fps)))
    for piece in range(pieces):
        first, end = frames * piece // pieces, frames * (piece + 1) // pieces
        start_s, stop_s = first / fps - encoder.margin_s, (end - 1) / fps + encoder.margin_s
        skipped, start = _grid_point_before(start_s, encoder.rate_hz)
        # One feature more than the last frame's time asks for, to interpolate towards.
        stop = min(total_samples, math.ceil((stop_s + 1 / encoder.rate_hz) * SAMPLE_RATE))
        audio = torch.as_tensor(read(start, stop), dtype=torch.float32, device=encoder.device)
        positions = torch.arange(first, end, dtype=torch.float64) * (encoder.rate_hz / fps) - skipped
        yield _interpolate(_encode(encoder, audio[None]), positions)[0]


def _grid_point_before(time_s: float, rate_hz: float) -> tuple[int, int]:
    """The last feature at or before time_s that stands exactly on a sample → (its number, that sample).

    Audio cut there has its features at the same times as the whole clip, also where features stand between samples
    (30 fps: every third one, on each 1600th sample).
    """
    spacing = samples_per(rate_hz)
    feature = max(0, math.floor(time_s * rate_hz)) // spacing.denominator * spacing.denominator
    return feature, int(feature * spacing)


def encode_clips(encoder: BatchingEncoder, audios: Sequence[Tensor], fps: float) -> list[Tensor]:
    """Audio (samples,) of several clips in one forward → what encode_clip gives for each, in one chunk."""
    lengths = torch.tensor([len(audio) for audio in audios], device=encoder.device)
    with torch.no_grad():
        features = encoder(pad_sequence(list(audios), batch_first=True).to(encoder.device), lengths)
    rows = []
    for length, heard in zip(lengths.tolist(), features, strict=True):
        positions = torch.arange(frame_count(length, fps), dtype=torch.float64) * (encoder.rate_hz / fps)
        rows.append(_interpolate(heard[None, : max(1, encoder.feature_count(length))], positions)[0])
    return rows


def encode_windows(encoder: SpeechEncoder, windows: Tensor, window_frames: int, fps: float, batch: int = 16) -> Tensor:
    """Audio windows (N, samples), each on its own, as the reference method hears them → (N, window_frames, size)."""
    encoded = torch.empty(len(windows), window_frames, encoder.size, device=encoder.device)
    for start in range(0, len(windows), batch):
        audio = windows[start : start + batch].to(encoder.device)
        encoded[start : start + batch] = to_motion_rate(_encode(encoder, audio), encoder.rate_hz, window_frames, fps)
    return encoded


# Not inference_mode: a decoder that trains on the features has to save them for its backward pass.
@torch.no_grad()
def _encode(encoder: SpeechEncoder, audio: Tensor) -> Tensor:
    return encoder(audio)
