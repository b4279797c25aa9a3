"""Curves from a sound, from Python: as many as it lasts, cross-faded, the same in pieces as in one."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from config.errors import UserError
from config.places import ROOT
from config.units import SAMPLE_RATE
from dataset import audio as audio_files
from dataset.audio import read_audio
from dataset.blendshapes import FACE, read_csv
from dataset.windows import fade_weights
from model import hearing
from model.checkpoint import load_checkpoint, save_checkpoint
from model.ensembles import write_ensemble
from model.features import audio_windows
from model.synthesis import Synthesizer
from tests.dataset.test_sound_tracks import tone
from tests.helpers import refused, write_movie

WINDOW = 20  # frames, as trained by the fixtures

Make = Callable[..., Path]
Speech = Callable[..., np.ndarray]


def frames_of(seconds: float) -> int:
    return (round(seconds * SAMPLE_RATE) * 25 + SAMPLE_RATE // 2) // SAMPLE_RATE  # the nearest, halves up


@pytest.mark.parametrize("seconds", [0.021, 0.1, 0.5, 0.79, 0.8, 0.81, 2.2, 3.3333, 7.3])
def test_as_many_frames_as_the_sound_lasts(
    seconds: float, make_checkpoint: Make, speech: Speech, tmp_path: Path
) -> None:
    speech(tmp_path / "a.wav", seconds)
    synthesizer = Synthesizer(make_checkpoint())
    for overlap in (None, 0, 1, 13, 19):
        curves = synthesizer.synthesize(tmp_path / "a.wav", overlap=overlap)
        assert curves.shape == (frames_of(seconds), len(FACE)) and np.isfinite(curves).all(), overlap
        assert curves.dtype == np.float32


def predicting(synthesizer: Synthesizer, prediction: np.ndarray) -> Synthesizer:
    """Every window predicted the same: (WINDOW,) of all channels."""
    curves = torch.from_numpy(np.repeat(prediction[:, None], len(FACE), axis=1))
    (member,) = synthesizer.members
    member.decoder = lambda features, domain: curves.expand(len(features), -1, -1)  # type: ignore[assignment]
    member.mean, member.scale = np.zeros(len(FACE), np.float32), np.ones(len(FACE), np.float32)
    return synthesizer


@pytest.mark.parametrize("overlap", [0, 1, 7, 10, 13, 19])
def test_cross_fade_by_hand(overlap: int, make_checkpoint: Make, speech: Speech, tmp_path: Path) -> None:
    """What agrees stays as it is, what does not is blended: the weighted mean of the windows over each frame."""
    speech(tmp_path / "a.wav", 4.0)
    synthesizer = Synthesizer(make_checkpoint())
    level = predicting(synthesizer, np.full(WINDOW, 0.37, np.float32))
    np.testing.assert_allclose(level.synthesize(tmp_path / "a.wav", overlap=overlap), 0.37, rtol=1e-6)

    ramp = np.arange(WINDOW, dtype=np.float32)
    curves = predicting(synthesizer, ramp).synthesize(tmp_path / "a.wav", overlap=overlap)[:, 0]
    hop, weights = WINDOW - overlap, fade_weights(WINDOW, overlap)
    for frame in range(100):
        places = [frame - start for start in range(0, 100 - overlap, hop) if 0 <= frame - start < WINDOW]
        expected = np.average(ramp[places], weights=weights[places])
        assert curves[frame] == pytest.approx(expected, abs=1e-4)
    if 0 < overlap <= WINDOW // 2:  # across an overlap the ramp falls evenly instead of jumping by a whole hop
        assert np.abs(np.diff(curves)).max() == pytest.approx(max(1, hop / (overlap + 1) - 1), abs=1e-4)


def test_by_default_half_a_window_overlaps(make_checkpoint: Make, speech: Speech, tmp_path: Path) -> None:
    speech(tmp_path / "a.wav", 4.0)
    synthesizer = Synthesizer(make_checkpoint())
    wav = tmp_path / "a.wav"
    default = synthesizer.synthesize(wav)
    np.testing.assert_array_equal(default, synthesizer.synthesize(wav, overlap=WINDOW // 2))
    ramp = predicting(synthesizer, np.arange(WINDOW, dtype=np.float32))
    assert np.abs(np.diff(ramp.synthesize(wav, overlap=0), axis=0)).max() == WINDOW - 1
    assert np.abs(np.diff(ramp.synthesize(wav), axis=0)).max() < 1.001, "no jump at the joints"


@pytest.mark.parametrize("fps", [25, 30, 29.97])
@pytest.mark.parametrize("context", ["clip", "window"])
def test_in_pieces_as_in_one(
    context: str, fps: float, make_checkpoint: Make, speech: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech(tmp_path / "a.wav", 12.34)
    words = (f"features.context={context}", f"data.fps={fps}")
    whole = Synthesizer(make_checkpoint(*words, "features.chunk_s=60.0")).synthesize(tmp_path / "a.wav")
    for seconds, windows in ((1.0, 1), (1.7, 3)):
        monkeypatch.setattr(hearing, "WINDOWS_A_BATCH", windows)
        monkeypatch.setattr("dataset.audio.BLOCK_SECONDS", 1)
        pieces = Synthesizer(make_checkpoint(*words, f"features.chunk_s={seconds}")).synthesize(tmp_path / "a.wav")
        np.testing.assert_allclose(pieces, whole, atol=2e-5)


def test_windows_hear_what_training_heard(make_checkpoint: Make, speech: Speech, tmp_path: Path) -> None:
    """At 30 fps frames stand between samples: windows begin on the same samples wherever a batch begins."""
    speech(tmp_path / "a.wav", 60.0)
    synthesizer = Synthesizer(make_checkpoint("features.context=window", "data.fps=30"))
    heard: list[torch.Tensor] = []
    synthesizer.members[0].encoder.register_forward_pre_hook(lambda encoder, inputs: heard.extend(inputs))
    synthesizer.synthesize(tmp_path / "a.wav", overlap=3)
    starts = np.arange(0, 1800 - 3, WINDOW - 3)
    expected = audio_windows(torch.from_numpy(read_audio(tmp_path / "a.wav")), starts, WINDOW, 30)
    assert torch.equal(torch.cat(heard), expected), "each window once, and nothing else"


def test_a_checkpoint_of_an_encoder_that_has_changed_since(make_checkpoint: Make, tmp_path: Path) -> None:
    header, tensors, _ = load_checkpoint(make_checkpoint())
    save_checkpoint(tmp_path / "old.safetensors", replace(header, encoder="logmel 0: other values"), tensors)
    with pytest.raises(UserError, match="trained on features of another encoder: logmel 0: other values; this one is"):
        Synthesizer(tmp_path / "old.safetensors")


def test_from_python_as_the_readme_has_it(speech: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    speech(Path("a.wav"), 2.0)
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    done: dict[str, Any] = {}
    exec(lines, done)
    synthesizer, curves = done["synthesizer"], done["curves"]
    assert (synthesizer.fps, synthesizer.channels, curves.shape) == (30, FACE, (60, 37))
    np.testing.assert_allclose(read_csv(Path("a.csv")).select(FACE), curves.clip(0, 1), atol=1e-6)


def test_a_files_name_says_its_domain(make_checkpoint: Make, speech: Speech, tmp_path: Path) -> None:
    """Samples have no name, and what all members of an ensemble do not agree on is not known."""
    for name in ("a9", "b9", "hello"):
        speech(tmp_path / f"{name}.wav", 1.0)
    one = make_checkpoint(name="one")
    synthesizer = Synthesizer(one)
    for name, domain in (("a9", "a"), ("b9", "b"), ("hello", "a")):
        expected = synthesizer.synthesize(tmp_path / f"{name}.wav", domain=domain)
        np.testing.assert_array_equal(synthesizer.synthesize(str(tmp_path / f"{name}.wav")), expected)
    audio = read_audio(tmp_path / "b9.wav")
    np.testing.assert_array_equal(synthesizer.synthesize(audio), synthesizer.synthesize(audio, domain="a"))
    swapped = '[{name: a, clips: ["b*"], weight: 1.0}, {name: b, clips: ["a*"], weight: 1.0}]'
    for other, known in (("model.dropout=0.2", "b"), (f"data.domains={swapped}", None)):
        write_ensemble(tmp_path / f"{known}", {"one": one, "other": make_checkpoint(other, name="other")})
        assert Synthesizer(tmp_path / f"{known}").named_domain("b9") == known


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_a_sound_is_opened_once_for_however_many_members(
    name: str, make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three models, of which one hears other windows; a movie's track, which has no length in its header, too."""
    models = {
        "one": make_checkpoint(name="one"),
        "two": make_checkpoint("model.width=12", name="two"),
        "three": make_checkpoint("windows.window_frames=16", "features.context=window", name="three"),
    }
    weights = {"one": 0.5, "two": 0.3, "three": 0.2}
    write_ensemble(tmp_path / "ensemble", models, weights)
    sound = tmp_path / name
    write_movie(sound, tone()[:, None], "pcm_s16le" if name == "a.wav" else "aac", picture=False)
    alone = [weight * Synthesizer(models[of]).synthesize(sound) for of, weight in weights.items()]
    openers = [Mock(wraps=getattr(audio_files, opener)) for opener in ("_opened", "_track_pieces")]
    monkeypatch.setattr(audio_files, "_opened", openers[0])
    monkeypatch.setattr(audio_files, "_track_pieces", openers[1])
    np.testing.assert_allclose(Synthesizer(tmp_path / "ensemble").synthesize(sound), sum(alone), atol=1e-6)
    assert sum(opener.call_count for opener in openers) == 1


def test_curves_that_are_not_finite_are_refused(make_checkpoint: Make, tmp_path: Path, speech: Speech) -> None:
    path = make_checkpoint("model.output=linear")
    header, tensors, _ = load_checkpoint(path)
    tensors["model.head.linear.weight"] = torch.full_like(tensors["model.head.linear.weight"], 3e38)  # finite, yet
    tensors["model.head.linear.bias"] = torch.full_like(tensors["model.head.linear.bias"], 3e38)
    save_checkpoint(path, header, tensors)
    speech(tmp_path / "a.wav", 1.0)
    line = refused(Synthesizer(path).synthesize, tmp_path / "a.wav")
    assert line == f"{tmp_path / 'a.wav'}: the model gives curves that are not finite; take another checkpoint"
