import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import dataset.phone_recogniser as recogniser
from config.load import DEFAULT, load_config
from dataset.audio import read_audio
from model.encoders import build_encoder
from model.phone_encoder import FLOOR, PhoneEncoder
from model.speech_encoder import encode_clip
from scripts import train
from tests.helpers import DEMO, logmel_encoder

FPS = 30.0


@pytest.fixture
def encoder() -> PhoneEncoder:
    pytest.importorskip("hama", reason="the extra of requirements-phones.txt is not installed")
    built = build_encoder(load_config(DEFAULT, ["features.encoder=phones"]).features, FPS)
    assert isinstance(built, PhoneEncoder)
    return built


def test_bands_first_then_what_is_heard_at_each_frames_time(encoder: PhoneEncoder) -> None:
    audio = read_audio(DEMO / "hello.flac")[:40_000]
    features = encode_clip(encoder, torch.from_numpy(audio), FPS).numpy()
    bands, logmel = logmel_encoder(FPS), encode_clip(logmel_encoder(FPS), torch.from_numpy(audio), FPS).numpy()
    assert features.shape == (75, encoder.size) and encoder.size == bands.size + len(recogniser.symbols())
    np.testing.assert_array_equal(features[:, : bands.size], logmel)
    heard = recogniser.log_probabilities(audio).clip(FLOOR)
    times_s = np.arange(75) / FPS
    expected = np.stack([np.interp(times_s, np.arange(len(heard)) / 50, column) for column in heard.T], axis=1)
    np.testing.assert_allclose(features[:, bands.size :], expected, atol=1e-4)


def test_the_identity_says_all_that_a_value_depends_on(encoder: PhoneEncoder) -> None:
    assert recogniser.recogniser_name() in encoder.identity and logmel_encoder(FPS).identity in encoder.identity
    assert encoder.margin_s >= logmel_encoder(FPS).margin_s
    other = build_encoder(load_config(DEFAULT, ["features.encoder=phones", "features.logmel.bands=40"]).features, FPS)
    assert other.identity != encoder.identity


@pytest.mark.parametrize("samples", [0, 1, 300, 16_000])
def test_any_length(encoder: PhoneEncoder, samples: int) -> None:
    frames = encode_clip(logmel_encoder(FPS), torch.zeros(samples), FPS).shape[0]
    assert encode_clip(encoder, torch.zeros(samples), FPS).shape == (frames, encoder.size)


def test_a_run_hears_phones(encoder: PhoneEncoder, packed: Path, tmp_path: Path, run_main: Callable[..., None]) -> None:
    places = (f"run.dir={tmp_path}", f"features.cache={tmp_path / 'features'}")
    run_main(train, "--config", packed, *places, "features.encoder=phones", "train.epochs=1")
    assert (tmp_path / "tiny" / "best.safetensors").is_file()


def test_without_the_package_it_says_how_to_install_it(
    packed: Path, refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setitem(sys.modules, "hama", None)
    line = refusal(train, "--config", packed, "features.encoder=phones")
    assert line == "hearing phones needs the package hama: pip install -r requirements-phones.txt"
