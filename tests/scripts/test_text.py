"""A transcript beside the sound, from training to csv: a corpus whose sound says nothing and whose words say all."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT, read_csv
from dataset.text_stream import text_stream
from dataset.text_units import NONE, UNITS
from dataset.transcript import Word
from model import run_state
from model.ensembles import write_ensemble
from model.synthesis import Synthesizer
from scripts import ablate, synthesize, train
from tests import helpers
from tests.helpers import FPS, Corpus

FRAMES = 75
CLIPS = ("a1", "a2", "a3", "b1", "b2")  # b2 has no transcript, a1 is held out
READS = ("text.stream=phones", "text.drop=0.3")
WELL = ("windows.stride_frames=1", "train.epochs=5")  # steps rather than epochs, which are slow to end


def words_of(seed: int) -> list[Word]:
    """Half a second of 啊 or of 喔 at a time, or of nothing."""
    tokens = np.random.default_rng(seed).choice(["啊", "喔", ""], 6)
    return [Word(token, number / 2, number / 2 + 0.5) for number, token in enumerate(tokens) if token]


def openness(words: list[Word]) -> np.ndarray:
    """(FRAMES,): 1 in 啊, 0.5 in 喔, else 0."""
    unit = text_stream(words, FRAMES, FPS).unit
    return np.select([unit == UNITS.index("-a"), unit == UNITS.index("-o")], [1, 0.5], 0.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a packed corpus and text.yml."""
    made = Corpus(tmp_path_factory.mktemp("text"))
    buzz = np.tile(np.sin(np.arange(SAMPLE_RATE // 100) * 0.3) * 0.3, 300)
    for seed, clip in enumerate(CLIPS):
        words = words_of(seed)
        made.sound(clip, buzz)
        made.curves(clip, openness(words)[:, None] * np.linspace(0.2, 0.9, len(ARKIT)))
        if clip != "b2":
            made.transcribe(clip, words)
    made.configure("text.yml")
    made.pack()
    return made.folder


@pytest.fixture
def run(corpus: Path, tmp_path: Path, run_main: Callable[..., None]) -> Callable[..., Path]:
    """Train by the command; the run's folder."""

    def command(*words: str, name: str = "run") -> Path:
        run_main(train, "--config", corpus / "text.yml", f"run.dir={tmp_path}", f"run.name={name}", *words)
        return tmp_path / name

    return command


@pytest.fixture(scope="module")
def reader(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that has learnt to read."""
    folder = tmp_path_factory.mktemp("reader")
    helpers.run_main(train, "--config", corpus / "text.yml", f"run.dir={folder}", "run.name=run", *READS, *WELL)
    return folder / "run" / "last.safetensors"


def test_curves_follow_the_transcript_and_without_one_the_middle(
    reader: Path, corpus: Path, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--ckpt_path", reader, "--wav_path", corpus / "wav" / "a1.wav", "--out_path")
    run_main(synthesize, *common, tmp_path / "with.csv", "--transcript_path", corpus / "tsv" / "a1.tsv")
    assert "transcript" not in capsys.readouterr().out
    run_main(synthesize, *common, tmp_path / "without.csv")
    hint = f"{reader}: hears the sound alone; with --transcript_path, a tsv for each wav, it does better"
    assert capsys.readouterr().out.splitlines()[0] == hint
    truth = openness(words_of(0))
    jaw, alone = (read_csv(tmp_path / name).select(("JawOpen",))[:, 0] for name in ("with.csv", "without.csv"))
    assert np.corrcoef(jaw, truth)[0, 1] > 0.9 and np.ptp(jaw) > 3 * np.ptp(alone)


def noting(hidden: Callable[..., torch.Tensor], texts: list[tuple[torch.Tensor, ...]]) -> Callable[..., torch.Tensor]:
    """The decoder's `hidden`, which also notes the text streams that it is given."""

    def noted(features: torch.Tensor, domain: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        texts.append(tuple(part for part in more if part is not None))
        return hidden(features, domain, *more)

    return noted


def test_training_and_synthesis_read_alike(
    run: Callable[..., Path], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each window that a decoder was validated on, and the same window when it synthesizes, overlap 0."""
    seen: list[tuple[torch.Tensor, ...]] = []
    read: list[tuple[torch.Tensor, ...]] = []
    validate = run_state.RunState.validate

    def spied(run: run_state.RunState) -> dict[str, float]:
        monkeypatch.setattr(run.decoder, "hidden", noting(run.decoder.hidden, seen))
        return validate(run)

    monkeypatch.setattr(run_state.RunState, "validate", spied)
    folder = run(*READS, "train.epochs=1", "windows.window_frames=25")
    validated = [torch.cat([part.flatten() for part in parts]) for parts in zip(*seen, strict=True)]
    synthesizer = Synthesizer(folder / "last.safetensors")
    decoder = synthesizer.members[0].decoder
    monkeypatch.setattr(decoder, "hidden", noting(decoder.hidden, read))
    synthesizer.synthesize(corpus / "wav" / "a1.wav", overlap=0, words=words_of(0))
    synthesized = [torch.cat([part.flatten() for part in parts]) for parts in zip(*read, strict=True)]
    whole = text_stream(words_of(0), FRAMES, FPS)
    for one, two, three in zip(validated, synthesized, whole, strict=True):
        assert torch.equal(one, two) and np.array_equal(two.numpy(), three)


def test_a_resumed_run_hides_the_same_texts(run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*READS, "train.epochs=2", "train.workers=1", "train.checkpoint_steps=1")
    whole = run(*words, name="whole")
    finish_step = run_state.RunState.finish_step

    def stopping(run: run_state.RunState, losses: dict[str, torch.Tensor]) -> None:
        finish_step(run, losses)
        if run.step == 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_state.RunState, "finish_step", stopping)
        run(*words, name="broken")
    broken = run(*words, "--resume", name="broken")
    first, second = (load_file(folder / "last.safetensors") for folder in (whole, broken))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_clip_without_transcript_is_read_as_none(corpus: Path, run: Callable[..., Path]) -> None:
    folder = run(*READS, "train.epochs=1")
    synthesizer = Synthesizer(folder / "last.safetensors")
    wav = corpus / "wav" / "b2.wav"
    unit = synthesizer.members[0].decoder.text
    assert unit is not None
    before = synthesizer.synthesize(wav)
    unit.units.weight[torch.arange(len(UNITS)) != NONE] += 1
    np.testing.assert_array_equal(synthesizer.synthesize(wav), before)
    assert np.abs(synthesizer.synthesize(wav, words=[Word("…", 0, 1)]) - before).max() > 1e-3, (
        "no transcript is not one"
    )


def test_an_ensemble_of_one_that_reads_and_one_that_does_not(
    reader: Path, run: Callable[..., Path], corpus: Path, tmp_path: Path
) -> None:
    plain = run("train.epochs=1") / "last.safetensors"
    write_ensemble(tmp_path / "both", {"reader": reader, "plain": plain})
    write_ensemble(tmp_path / "plain", {"one": plain})
    both, wav = Synthesizer(tmp_path / "both"), corpus / "wav" / "a1.wav"
    heard: list[int] = []
    both.members[0].encoder.register_forward_pre_hook(lambda encoder, inputs: heard.append(1))
    mixed = both.synthesize(wav, words=words_of(0))
    assert len(heard) == 1
    alone = [Synthesizer(path).synthesize(wav, words=words_of(0)) for path in (reader, plain)]
    np.testing.assert_allclose(mixed, np.mean(alone, axis=0), atol=1e-6)
    assert both.reads_text and not Synthesizer(tmp_path / "plain").reads_text


def test_a_folder_pairs_with_a_folder(
    reader: Path, corpus: Path, tmp_path: Path, run_main: Callable[..., None], refusal: Callable[..., str]
) -> None:
    wavs = tmp_path / "wavs"
    wavs.mkdir()
    for clip in ("a1", "a3"):
        (wavs / f"{clip}.wav").write_bytes((corpus / "wav" / f"{clip}.wav").read_bytes())
    given = ("--ckpt_path", reader, "--wav_path", wavs, "--transcript_path")
    run_main(synthesize, *given, corpus / "tsv", "--out_path", tmp_path / "csvs")
    for seed, clip in ((0, "a1"), (2, "a3")):
        jaw = read_csv(tmp_path / "csvs" / f"{clip}.csv").select(("JawOpen",))[:, 0]
        assert np.corrcoef(jaw, openness(words_of(seed)))[0, 1] > 0.8
    (tmp_path / "tsv").mkdir()
    for name, rows, reason in (
        ("order", "1\t2\t啊\n0\t1\t喔\n", 'order.tsv, line 2: "喔" starts at 0 s, before "啊" ends at 2 s'),
        ("late", "0\t1\t啊\n4\t5\t喔\n", 'late.tsv: "喔" starts at 4 s, but the sound ends at 3.00 s'),
    ):
        (tmp_path / "tsv" / f"{name}.tsv").write_text(rows, encoding="utf-8")
        one = ("--wav_path", wavs / "a1.wav", "--transcript_path", tmp_path / "tsv" / f"{name}.tsv")
        assert reason in refusal(synthesize, "--ckpt_path", reader, *one, "--out_path", tmp_path / "no.csv")
        assert not (tmp_path / "no.csv").exists()


def test_the_ladder_has_a_row_without_transcripts(
    corpus: Path, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "grid.yml").write_text("base: []\ntext: [text.stream=phones]\n")
    grid = ("--config", corpus / "text.yml", "--grid", tmp_path / "grid.yml", "--seeds", 1, f"run.dir={tmp_path}")
    run_main(ablate, *grid, *WELL, "run.name=t")
    shown = capsys.readouterr().out
    assert "2 variants, 2 trainings, 1 held-out clip" in shown
    lines = (tmp_path / "t_ablation" / "ablation.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines if line.startswith("| text")] == ["text", "text (no tsv)"]
    scores = json.loads((tmp_path / "t_ablation" / "text" / "seed_0" / "scores.json").read_text())
    assert scores["mean"]["contest"] < 0.5 * scores["sound_alone"]["contest"]
    assert scores["mean"]["contest"] < 0.5 * scores["mean_face"]["contest"]
    assert "sound_alone" not in json.loads((tmp_path / "t_ablation" / "base" / "seed_0" / "scores.json").read_text())


def test_heads_must_divide_the_embedding(run: Callable[..., Path], refusal: Callable[..., str], corpus: Path) -> None:
    line = refusal(train, "--config", corpus / "text.yml", "text.stream=phones", "text.embedding=5")
    assert "model.heads 2 does not divide text.embedding 5" in line
