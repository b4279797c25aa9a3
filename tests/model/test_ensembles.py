from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.blendshapes import FACE, read_csv
from model.checkpoint import load_checkpoint
from model.ensembles import read_ensemble, write_ensemble
from model.speech_encoder import SpeechEncoder
from model.synthesis import Synthesizer
from scripts import synthesize

Make = Callable[..., Path]
Speech = Callable[..., np.ndarray]


@pytest.fixture
def checkpoints(make_checkpoint: Make) -> dict[str, Path]:
    """Three models; the second and the third differ from the first in their weights, the third in its window too."""
    return {
        "one": make_checkpoint(name="one"),
        "two": make_checkpoint("model.width=12", "model.curve_scale=common", name="two"),
        "three": make_checkpoint("model.width=16", "windows.window_frames=16", name="three"),
    }


def test_weights_are_written_and_read_back(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder, weights = tmp_path / "ensemble", {"one": 0.2, "two": 0.5, "three": 0.3}
    write_ensemble(folder, checkpoints, weights)
    assert read_ensemble(folder) == {folder / f"{name}.safetensors": weight for name, weight in weights.items()}
    for name, checkpoint in checkpoints.items():
        (kept, tensors, _), (header, originals, _) = map(load_checkpoint, (folder / f"{name}.safetensors", checkpoint))
        assert kept == header and tensors.keys() == originals.keys()
        assert all(torch.equal(tensors[key], originals[key]) for key in originals)
    (folder / "ensemble.json").unlink()
    assert list(read_ensemble(folder).values()) == [1 / 3] * 3
    write_ensemble(folder, checkpoints)
    assert list(read_ensemble(folder).values()) == [1 / 3] * 3


def test_an_ensemble_is_the_weighted_mean_of_its_members_curves(
    checkpoints: dict[str, Path], tmp_path: Path, speech: Speech, run_main: Callable[..., None]
) -> None:
    speech(tmp_path / "a.wav", 2.3)
    weights = {"one": 0.2, "two": 0.5, "three": 0.3}
    write_ensemble(tmp_path / "ensemble", checkpoints, weights)
    for domain, overlap in ((None, None), ("b", 3)):
        alone = {
            name: Synthesizer(path).synthesize(tmp_path / "a.wav", domain, overlap)
            for name, path in checkpoints.items()
        }
        expected = np.sum([weight * alone[name] for name, weight in weights.items()], axis=0)
        mixed = Synthesizer(tmp_path / "ensemble").synthesize(tmp_path / "a.wav", domain, overlap)
        np.testing.assert_allclose(mixed, expected, atol=1e-6)
        assert np.abs(alone["one"] - alone["two"]).max() > 1e-3
    words = ("--wav_path", tmp_path / "a.wav", "--out_path", tmp_path / "a.csv", "--domain", "b", "--overlap", "3")
    run_main(synthesize, "--ckpt_path", tmp_path / "ensemble", *words)
    np.testing.assert_allclose(read_csv(tmp_path / "a.csv").select(FACE), expected.clip(0, 1), atol=2e-6)


def test_features_are_computed_once_for_members_that_hear_alike(
    checkpoints: dict[str, Path], tmp_path: Path, speech: Speech
) -> None:
    speech(tmp_path / "a.wav", 2.3)
    del checkpoints["three"]
    write_ensemble(tmp_path / "two", checkpoints)
    ensemble = Synthesizer(tmp_path / "two")
    heard: list[tuple[int, ...]] = []
    encoders: set[SpeechEncoder] = {member.encoder for member in ensemble.members}
    assert len(encoders) == 1
    ensemble.members[0].encoder.register_forward_pre_hook(lambda encoder, inputs: heard.append(inputs[0].shape))
    ensemble.synthesize(tmp_path / "a.wav")
    assert len(heard) == 1


def test_samples_instead_of_a_file(make_checkpoint: Make, tmp_path: Path, speech: Speech) -> None:
    from dataset.audio import read_audio

    speech(tmp_path / "a.wav", 2.3)
    synthesizer = Synthesizer(make_checkpoint())
    from_file = synthesizer.synthesize(tmp_path / "a.wav")
    np.testing.assert_array_equal(synthesizer.synthesize(read_audio(tmp_path / "a.wav")), from_file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2", "{path}: not the weights of checkpoints in this folder; expected "),
        ('{"weights": [1, 2]}', "{path}: not the weights of checkpoints in this folder; expected "),
        (
            '{"weights": {"one.safetensors": "much"}}',
            "{path}: not the weights of checkpoints in this folder; expected ",
        ),
        ('{"weights": {"one.safetensors": -1}}', "{path}: one.safetensors: -1 is not a weight; give numbers from 0 up"),
        ('{"weights": {"one.safetensors": 0.5}}', "{path}: the weights sum to 0.5, not 1"),
        ('{"weights": {"one.safetensors": true}}', "{path}: not the weights of checkpoints in this folder; expected "),
        ('{"weights": {"one.safetensors": "0_5"}}', "{path}: not the weights of checkpoints in this folder; expected "),
        ('{"weights": {"one.safetensors": 1' + "0" * 400 + "}}", "{path}: not the weights of checkpoints in this"),
        ("[" * 9000, "{path}: not the weights of checkpoints in this folder; expected "),
        ('{"weights": {"../../x": 1}}', "{path}: ../../x: no checkpoint in this folder; copy it there"),
        ('{"weights": {"/etc/x.safetensors": 1}}', "{path}: /etc/x.safetensors: no checkpoint in this folder"),
        ('{"weights": {"a\\\\b": 1}}', "{path}: a\\b: no checkpoint in this folder"),
        ('{"weights": {"..": 1}}', "{path}: ..: no checkpoint in this folder"),
        ('{"weights": {"none.safetensors": 1}}', "{folder}/none.safetensors: no such checkpoint"),
    ],
)
def test_refusals_of_an_ensemble(
    content: str,
    message: str,
    checkpoints: dict[str, Path],
    tmp_path: Path,
    speech: Speech,
    refusal: Callable[..., str],
) -> None:
    folder = tmp_path / "ensemble"
    write_ensemble(folder, {"one": checkpoints["one"]})
    path = folder / "ensemble.json"
    path.write_text(content)
    speech(tmp_path / "a.wav", 1.0)
    line = refusal(synthesize, "--ckpt_path", folder, "--wav_path", tmp_path / "a.wav")
    assert line.startswith(message.format(path=path, folder=folder))


def test_members_must_fit_each_other_and_a_run_is_no_ensemble(
    checkpoints: dict[str, Path], make_checkpoint: Make, tmp_path: Path, speech: Speech, refusal: Callable[..., str]
) -> None:
    speech(tmp_path / "a.wav", 1.0)
    words = ("--ckpt_path", tmp_path / "mixed", "--wav_path", tmp_path / "a.wav")
    other = make_checkpoint("model.channels=jaw", name="other")
    write_ensemble(tmp_path / "mixed", {"one": checkpoints["one"], "other": other})
    first, second = (tmp_path / "mixed" / f"{name}.safetensors" for name in ("one", "other"))
    assert refusal(synthesize, *words) == f"{second}: has other channels than {first}; they cannot be mixed"
    (tmp_path / "mixed" / "ensemble.json").unlink()
    first.rename(tmp_path / "mixed" / "last.safetensors")
    message = f"{tmp_path / 'mixed'}: a folder; name the checkpoint in it, such as best.safetensors"
    assert refusal(synthesize, *words) == message
