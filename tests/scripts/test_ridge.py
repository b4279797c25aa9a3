from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from config.load import load_config
from dataset.audio import read_audio
from dataset.blendshapes import FACE, read_csv
from dataset.corpus import Corpus as CorpusFolder
from dataset.split import split_clips
from model import ridge_regression
from model.encoders import build_encoder
from model.features import audio_windows
from model.ridge_regression import SHRINKAGE, Example, fit_ridge
from model.speech_encoder import encode_clip, encode_windows
from postprocess.score.metrics import clip_scores
from scripts import ridge
from tests.helpers import Corpus


def by_least_squares(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Ridge as least squares with a row a feature more, each asking for a weight of 0."""
    mean, std = x.mean(axis=0), np.where(x.std(axis=0) > 1e-6, x.std(axis=0), 1)
    asked = np.sqrt(SHRINKAGE * len(x)) * np.eye(x.shape[1])
    rows = np.concatenate([(x - mean) / std, asked])
    values = np.concatenate([y - y.mean(axis=0), np.zeros((x.shape[1], y.shape[1]))])
    return (new - mean) / std @ np.linalg.lstsq(rows, values, rcond=None)[0] + y.mean(axis=0)


def test_the_fit_is_that_of_shrunk_least_squares() -> None:
    random = np.random.default_rng(0)
    x = random.normal(3, random.uniform(0.1, 5, 6), (80, 6))
    y = x[:, :2] @ random.random((2, 3)) + random.normal(0, 0.1, (80, 3))
    x[:, 5] = 7  # never changes: weighs nothing, whatever it is elsewhere
    all_of = np.ones(3, bool)
    fitted = fit_ridge([Example(x[:30], y[:30], all_of), Example(x[30:], y[30:], all_of)])
    new = random.random((5, 6))
    np.testing.assert_allclose(fitted.predict(new), by_least_squares(x, y, np.where(np.arange(6) == 5, 7, new)))


def test_a_channel_is_fitted_to_the_clips_that_capture_it() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(1, 2, (90, 4)), random.random((90, 4))
    captures = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], bool)  # none the last channel
    clips = [slice(0, 20), slice(20, 60), slice(60, 90)]
    shown = y.copy()
    for clip, captured in zip(clips, captures, strict=True):
        shown[clip, ~captured] = np.nan
    fitted = fit_ridge(Example(x[clip], shown[clip], of) for clip, of in zip(clips, captures, strict=True))
    new = random.random((5, 4))
    first_and_last = np.r_[clips[0], clips[2]]
    expected = [by_least_squares(x, y[:, :1], new), by_least_squares(x[first_and_last], y[first_and_last, 1:2], new),
                by_least_squares(x[clips[1]], y[clips[1], 2:3], new), np.zeros((5, 1))]  # fmt: skip
    np.testing.assert_allclose(fitted.predict(new), np.hstack(expected), atol=1e-12)


def test_what_a_manifest_marks_as_uncaptured_is_not_fitted(tmp_path: Path, run_main: Callable[..., None]) -> None:
    corpus = Corpus(tmp_path / "corpus")
    for seed, clip in enumerate(("a1", "a2", "a3")):
        corpus.buzz(clip, 2.0, seed)
    config = corpus.configure("tiny.yml")
    corpus.pack()
    given = ("--config", config, "data.split.by=list", "data.split.val=[a3]", "--out")
    run_main(ridge, *given, tmp_path / "all")
    CorpusFolder(corpus.folder).write_manifest(
        {clip: {"speaker": "me", "uncaptured": "CheekPuff" if clip == "a1" else "CheekPuff MouthPucker"}
         for clip in ("a1", "a2", "a3")}
    )  # fmt: skip
    corpus.pack()
    run_main(ridge, *given, tmp_path / "masked")
    before, after = (read_csv(tmp_path / name / "a3.csv") for name in ("all", "masked"))
    assert before.select(("CheekPuff",)).any() and not after.select(("CheekPuff",)).any()
    assert not np.array_equal(before.select(("MouthPucker",)), after.select(("MouthPucker",)))  # of a1 alone
    others = tuple(name for name in FACE if name not in ("CheekPuff", "MouthPucker"))
    np.testing.assert_allclose(after.select(others), before.select(others), atol=1e-6)


@pytest.mark.parametrize("words", [(), ("features.context=window", "windows.stride_frames=7")], ids=["clip", "window"])
def test_held_out_clips_are_predicted_from_the_training_clips(
    words: tuple[str, ...], packed: Path, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    given = ("data.split.fold=1", "windows.window_frames=30", *words)
    run_main(ridge, "--config", packed, *given, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a2.csv"]
    config = load_config(packed, given)
    encoder = build_encoder(config.features, 25)

    def material(clip: str) -> tuple[np.ndarray, np.ndarray]:
        audio = torch.from_numpy(read_audio(packed.parent / "wav" / f"{clip}.wav"))
        features = encode_clip(encoder, audio, 25)
        if words:  # 75 frames: the third window ends with the clip
            pieces = encode_windows(encoder, audio_windows(audio, np.array([0, 30, 45]), 30, 25), 30, 25)
            features = torch.cat([pieces[0], pieces[1][:15], pieces[2]])
        one_hot = np.tile([clip[0] == "a", clip[0] == "b"], (75, 1))
        curves = read_csv(packed.parent / "bs" / f"{clip}.csv").select(FACE)
        return np.hstack([features.numpy(), one_hot]), curves

    clips = [material(clip) for clip in ("a1", "a3", "b1", "b2")]
    x, y = (np.concatenate(part) for part in zip(*clips, strict=True))
    new, target = material("a2")
    expected = by_least_squares(x, y, new).clip(0, 1)
    predicted = read_csv(tmp_path / "a2.csv")
    np.testing.assert_allclose(predicted.select(FACE), expected, atol=2e-3)  # features are kept as float16
    scores = clip_scores(predicted.select(FACE), target, FACE, 25)
    correlation = scores["channels"]["JawOpen"]["correlation"]
    assert correlation is not None and correlation > 0.8
    shown = capsys.readouterr().out
    row = next(line for line in shown.splitlines() if line.startswith("a2")).split()
    assert float(row[1]) == pytest.approx(scores["contest"], abs=2e-4)
    assert "1 held-out clip: " in shown


def test_of_a_large_corpus_every_so_many_clips_are_taken(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    material = ridge_regression.RidgeMaterial(load_config(packed))
    train = split_clips(material.store.clips, material.config.data)[0]
    monkeypatch.setattr(ridge_regression, "MOST_FRAMES", 2 * 75)
    taken = list(material.examples(train))
    assert len(taken) == 2
    np.testing.assert_array_equal(taken[1].features, material.features(train[2]))


def test_refusals(packed: Path, tmp_path: Path, refusal: Callable[..., str]) -> None:
    line = refusal(ridge, "--config", packed, "--out", tmp_path, "data.split.by=none")
    assert line == "data.split: by: none holds out no clip to score; by: fold does"
