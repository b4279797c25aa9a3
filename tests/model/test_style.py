"""A style from a few seconds of curves: fitted by the book, the same each time, and nearer to the person."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.audio import read_audio
from dataset.blendshapes import ARKIT, FACE, write_curves
from model.checkpoint import load_decoder
from model.ensembles import write_ensemble
from model.style import PRIOR_S, fit_style, save_style, style_of
from model.synthesis import Synthesizer
from scripts import synthesize
from tests.helpers import refused, refused_file

Make = Callable[..., Path]
ONE = 'data.domains=[{name: all, clips: ["*"], weight: 1.0}]'


@pytest.fixture
def audio(packed: Path) -> np.ndarray:
    return read_audio(packed.parent / "wav" / "a1.wav")


def altered(curves: np.ndarray, seed: int = 0) -> np.ndarray:
    """The curves of another face: each channel a mixture of all, about another rest."""
    random = np.random.default_rng(seed)
    return curves @ (np.eye(curves.shape[1]) + random.normal(0, 0.3, (curves.shape[1],) * 2)) + random.random()


def test_the_head_is_the_ridge_regression_of_the_book(make_checkpoint: Make, audio: np.ndarray) -> None:
    """By least squares with the prior as rows of its own."""
    synthesizer = Synthesizer(make_checkpoint(ONE))
    (member,) = synthesizer.members
    curves = np.random.default_rng(0).random((75, len(FACE)))
    (styled,) = fit_style(synthesizer, audio, curves, FACE).members
    with torch.no_grad():
        features = torch.cat([found for _, found in member.hearing.features(iter([audio]), np.arange(0, 75, 20))])
        seen = member.decoder.hidden(features, torch.zeros(4, dtype=torch.long)).flatten(0, 1)[:75].double().numpy()
    old = member.decoder.head.linear.weight.double().numpy().T * member.scale  # in the curves' own units
    x = seen - seen.mean(axis=0)
    lack = (curves - seen @ old) - (curves - seen @ old).mean(axis=0)
    prior = np.sqrt(PRIOR_S * 25 * np.square(x).mean()) * np.eye(x.shape[1])
    change = np.linalg.lstsq(np.vstack([x, prior]), np.vstack([lack, np.zeros_like(prior @ old)]), rcond=None)[0]
    expected = curves.mean(axis=0) + x @ (old + change)
    with torch.no_grad():
        normalised = styled.decoder(features, torch.zeros(4, dtype=torch.long)).flatten(0, 1)[:75].numpy()
    np.testing.assert_allclose(normalised * styled.scale + styled.mean, expected, atol=1e-5)


@pytest.mark.parametrize("output", ["linear", "tanh"])
def test_another_sound_is_nearer_to_the_person_and_the_base_is_as_it_was(
    output: str, make_checkpoint: Make, packed: Path, audio: np.ndarray
) -> None:
    synthesizer, other = Synthesizer(make_checkpoint(f"model.output={output}")), packed.parent / "wav" / "a2.wav"
    theirs = altered(synthesizer.synthesize(other, domain="b"))
    base = synthesizer.synthesize(other)
    take = altered(synthesizer.synthesize(audio, domain="b"))
    styled = fit_style(synthesizer, audio, take, FACE)
    error, before = (np.square(curves - theirs).mean() for curves in (styled.synthesize(other), base))
    assert error < 0.1 * before
    np.testing.assert_array_equal(synthesizer.synthesize(other), base)
    again = fit_style(synthesizer, audio, take, FACE)
    np.testing.assert_array_equal(styled.synthesize(other), again.synthesize(other))


def test_a_known_style_is_found_among_the_domains(make_checkpoint: Make, audio: np.ndarray) -> None:
    synthesizer = Synthesizer(make_checkpoint())
    take = synthesizer.synthesize(audio, domain="b")
    styled = fit_style(synthesizer, audio, take, FACE)
    (member,) = styled.members
    assert member.header.domains == ["style"] and member.decoder.domain is not None
    vector = member.decoder.domain.weight[0]
    assert (vector - torch.tensor([0.0, 1.0])).norm() < (vector - torch.tensor([1.0, 0.0])).norm()
    assert np.abs(styled.synthesize(audio) - take).max() < 0.2 * take.std()


def test_channels_that_are_lacking_or_still(make_checkpoint: Make, audio: np.ndarray) -> None:
    synthesizer = Synthesizer(make_checkpoint(ONE))
    base = synthesizer.synthesize(audio)
    take = np.column_stack([np.full(75, 0.25), np.linspace(0, 1, 75)])
    curves = fit_style(synthesizer, audio, take, ("JawOpen", "MouthFunnel")).synthesize(audio)
    fitted = [FACE.index("JawOpen"), FACE.index("MouthFunnel")]
    np.testing.assert_allclose(np.delete(curves, fitted, axis=1), np.delete(base, fitted, axis=1), atol=1e-6)
    np.testing.assert_allclose(curves[:, fitted[0]], 0.25, atol=1e-6)
    assert np.corrcoef(curves[:, fitted[1]], take[:, 1])[0, 1] > np.corrcoef(base[:, fitted[1]], take[:, 1])[0, 1]


def test_an_ensembles_members_each_have_it_and_one_alone_is_kept(
    make_checkpoint: Make, tmp_path: Path, audio: np.ndarray
) -> None:
    members = {"one": make_checkpoint(name="one"), "two": make_checkpoint("model.width=12", name="two")}
    write_ensemble(tmp_path / "both", members)
    take = altered(Synthesizer(members["one"]).synthesize(audio))
    styled = [fit_style(Synthesizer(path), audio, take, FACE) for path in (*members.values(), tmp_path / "both")]
    one, two, both = (synthesizer.synthesize(audio) for synthesizer in styled)
    np.testing.assert_allclose(both, (one + two) / 2, atol=1e-6)
    save_style(tmp_path / "me.safetensors", styled[0])
    np.testing.assert_array_equal(Synthesizer(tmp_path / "me.safetensors").synthesize(audio), one)
    assert load_decoder(tmp_path / "me.safetensors")[0].stats.clips == ("style",)
    assert "an ensemble" in refused_file(save_style, tmp_path / "both.safetensors", styled[2])


@pytest.fixture
def take(packed: Path, tmp_path: Path) -> Path:
    """A recording of all 52 channels, and its sound beside it."""
    shutil.copy(packed.parent / "wav" / "a1.wav", tmp_path / "me.wav")
    write_curves(tmp_path / "me.csv", np.random.default_rng(0).random((90, 52)).cumsum(axis=0) / 90)
    return tmp_path / "me.csv"


def test_the_command(make_checkpoint: Make, take: Path, packed: Path, run_main: Callable[..., None]) -> None:
    """The take is at 30 fps, the usual rate, the model at 25; its sound is found beside it, or in the corpus."""
    path, out, wav = make_checkpoint(), take.with_name("out.csv"), packed.parent / "wav" / "a2.wav"
    words = ("--ckpt_path", path, "--wav_path", wav, "--out_path", out)
    run_main(synthesize, *words, "--style_from", take, "--style_out", take.with_name("me.safetensors"))
    curves = style_of(Synthesizer(path), take).synthesize(wav)
    write_curves(take.with_name("expected.csv"), curves.clip(0, 1), FACE)
    assert out.read_text() == take.with_name("expected.csv").read_text()
    run_main(synthesize, "--ckpt_path", take.with_name("me.safetensors"), *words[2:])
    assert out.read_text() == take.with_name("expected.csv").read_text()
    assert style_of(Synthesizer(path), packed.parent / "bs" / "a1.csv").channels == FACE


def test_what_is_no_style_is_refused(
    make_checkpoint: Make, take: Path, packed: Path, refusal: Callable[..., str]
) -> None:
    synthesizer = Synthesizer(make_checkpoint())
    write_curves(take, np.random.default_rng(0).random((60, len(ARKIT))))
    line = refused(style_of, synthesizer, take)
    sound = take.with_suffix(".wav")
    assert line == f"{take}: lasts 2.40 s, but its sound, {sound}, 3.00 s; give the sound of this take"
    line = refused(fit_style, synthesizer, np.zeros(8000, np.float32), np.zeros((12, 37)), FACE, "me")
    assert line == "me: 0.48 s of curves; a style takes 1 s or more"
    sound.unlink()
    line = refused(style_of, synthesizer, take)
    assert line == f"{take}: no sound of this name beside it, such as me.wav; say where"
    wav = packed.parent / "wav" / "a2.wav"
    assert refusal(synthesize, "--wav_path", wav, "--style_wav", wav).startswith("--style_wav needs --style_from")
    assert refusal(synthesize, "--wav_path", wav, "--style_out", "a.safetensors").startswith("--style_out needs")
    line = refusal(synthesize, "--wav_path", wav, "--style_from", take, "--domain", "a")
    assert line == "--domain and --style_from each say whose style it is; leave one out"
