import math
from typing import Any

import librosa
import numpy as np
import pytest
import torch

from config.errors import UserError
from config.units import frame_count
from model.mel import FLOOR, mel_filters
from model.speech_encoder import encode_clip
from tests.helpers import logmel_encoder


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    """Coloured noise whose loudness changes, (samples,) float32."""
    random = np.random.default_rng(seed)
    envelope = 0.55 + 0.45 * np.sin(np.arange(samples) / 3000)
    return torch.from_numpy((0.2 * envelope * np.cumsum(random.normal(size=samples)) % 1.0 - 0.5).astype(np.float32))


@pytest.mark.parametrize(
    ("bands", "fft_size", "fmin", "fmax"), [(80, 512, 50, 8000), (40, 1024, 0, 7600), (8, 256, 1200, 4000)]
)
def test_filters_are_slaneys(bands: int, fft_size: int, fmin: float, fmax: float) -> None:
    expected = librosa.filters.mel(
        sr=16000, n_fft=fft_size, n_mels=bands, fmin=fmin, fmax=fmax, htk=False, norm="slaney"
    )
    np.testing.assert_allclose(mel_filters(bands, fft_size, fmin, fmax).T, expected, atol=1e-7, rtol=1e-5)


def test_features_are_librosas_log_mel_where_the_grids_agree() -> None:
    audio, context = noise(16000), 3
    encoder = logmel_encoder(25, bands=64, steps_per_frame=4, context_steps=context, fmin_hz=40, fmax_hz=7600)
    mel = librosa.feature.melspectrogram(
        y=audio.numpy(), sr=16000, n_fft=512, hop_length=160, win_length=400, window="hann", center=True,
        pad_mode="constant", power=2.0, n_mels=64, fmin=40, fmax=7600,
    )  # fmt: skip
    steps = np.log(mel.T + FLOOR)  # 101 steps of 10 ms
    features = encoder(audio[None])[0].reshape(25, 2 * context + 1, 64)
    for frame in range(1, 25):
        np.testing.assert_allclose(features[frame], steps[4 * frame - context : 4 * frame + context + 1], atol=2e-4)
    np.testing.assert_allclose(features[0, context:], steps[: context + 1], atol=2e-4)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 30000 / 1001, 59.94])
def test_steps_stand_at_their_times_for_any_frame_rate(fps: float) -> None:
    audio, steps, context = noise(20000), 3, 2
    encoder = logmel_encoder(fps, bands=20, steps_per_frame=steps, context_steps=context)
    features = encoder(audio[None])[0]
    assert features.shape == (frame_count(20000, fps), 20 * 5)
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=20, fmin=50, fmax=8000)
    padded = np.pad(audio.numpy().astype(np.float64), 4000)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    for frame in (0, 1, 7, len(features) - 1):
        for place, step in enumerate(range(frame * steps - context, frame * steps + context + 1)):
            start = 4000 + math.floor(step * 16000 / (fps * steps) + 0.5) - 200
            power = np.abs(np.fft.rfft(padded[start : start + 400] * hann, 512)) ** 2
            np.testing.assert_allclose(
                features[frame, place * 20 : place * 20 + 20], np.log(filters @ power + FLOOR), atol=2e-4
            )


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 30000 / 1001, 60])
@pytest.mark.parametrize("chunk_s", [0.01, 0.3, 1.0, 100.0])
def test_chunks_equal_the_whole(fps: float, chunk_s: float) -> None:
    audio, encoder = noise(37123), logmel_encoder(fps)
    torch.testing.assert_close(encode_clip(encoder, audio, fps, chunk_s), encoder(audio[None])[0], atol=1e-4, rtol=0)


def test_chunks_equal_the_whole_beyond_the_period_of_a_fractional_rate() -> None:
    """At 29.97 fps only every 2997th frame (100 s) stands on a sample."""
    audio, encoder = noise(16000 * 230), logmel_encoder(29.97, bands=8, steps_per_frame=1, context_steps=1)
    torch.testing.assert_close(encode_clip(encoder, audio, 29.97, 20.0), encoder(audio[None])[0], atol=1e-4, rtol=0)


def test_what_comes_later_changes_nothing_before_the_margin() -> None:
    audio, encoder = noise(32000), logmel_encoder(30)
    whole, prefix = encoder(audio[None])[0], encoder(audio[None, :16000])[0]
    settled = math.floor((1 - encoder.margin_s) * 30)
    assert settled >= 24
    torch.testing.assert_close(whole[:settled], prefix[:settled], atol=1e-5, rtol=0)


def test_values_depend_on_loudness_so_nothing_is_normalised_per_clip() -> None:
    audio, encoder = noise(8000), logmel_encoder(25)
    louder = encoder(2 * audio[None]) - encoder(audio[None])
    torch.testing.assert_close(louder.median(), torch.tensor(math.log(4.0)), atol=1e-2, rtol=0)


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 0), (319, 0), (320, 1), (640, 1), (960, 2), (1600, 3)])
def test_short_audio(samples: int, frames: int) -> None:
    encoder = logmel_encoder(25)
    features = encoder(torch.zeros(2, samples))
    assert features.shape == (2, frames, encoder.size)
    torch.testing.assert_close(features, torch.full_like(features, math.log(FLOOR)))


def test_identity_tells_every_parameter() -> None:
    changes: list[dict[str, Any]] = [
        {}, {"fps": 30}, {"bands": 40}, {"window_ms": 32.0}, {"steps_per_frame": 2}, {"context_steps": 5},
        {"fmin_hz": 60.0}, {"fmax_hz": 7600.0},
    ]  # fmt: skip
    identities = [logmel_encoder(**{"fps": 25, **change}).identity for change in changes]
    assert len(set(identities)) == len(changes)
    assert logmel_encoder(25).identity == logmel_encoder(25.0).identity == identities[0]


def test_too_many_bands_for_the_window() -> None:
    with pytest.raises(UserError, match=r"features\.logmel: a 5 ms window cannot tell 80 bands"):
        logmel_encoder(25, window_ms=5.0)
