import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from config.load import ROOT, load_config
from dataset.blendshapes import read_csv
from dataset.feature_store import FeatureStore
from dataset.stats import Stats, load_stats
from dataset.transcript import Word, write_tsv
from model import features, run_data, run_state
from model.checkpoint import load_checkpoint, load_decoder
from model.encoders import build_encoder
from model.hubert import HubertEncoder
from model.logmel import LogMelEncoder
from scripts import extract_features, synthesize, train
from tests.helpers import FPS, KILLED_STATUS, Corpus, loudness, refused

Run = Callable[..., Path]
AUGMENTED = (
    "augment.copies=2", "augment.gain_db=6", "augment.noise_snr_db=[10, 30]", "augment.reverb_s=[0.1, 0.3]",
    "augment.speed=0.1", "augment.band_mask_share=0.3", "augment.time_mask_frames=5",
)  # fmt: skip
STEPS_AN_EPOCH = 3  # 4 clips of 12 windows in batches of 16


@pytest.fixture
def run(packed: Path, tmp_path: Path, run_main: Callable[..., None]) -> Run:
    """Train by the command, in this process; the run's folder."""

    def command(*words: str, name: str = "run") -> Path:
        run_main(train, "--config", packed, f"run.dir={tmp_path}", f"run.name={name}", *words)
        return tmp_path / name

    return command


def rows(folder: Path, split: str | None = None) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if split in (None, row["split"])]


def same_tensors(one: Path, two: Path) -> bool:
    first, second = load_file(one), load_file(two)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def assert_same_run(one: Path, two: Path) -> None:
    assert rows(one) == rows(two)
    for name in ("best.safetensors", "last.safetensors"):
        assert same_tensors(one / name, two / name), name
        progress = [load_checkpoint(folder / name)[2].get("progress") for folder in (one, two)]
        assert progress[0] == progress[1]


def test_a_run_learns_and_leaves_all_that_a_later_stage_needs(
    run: Run, packed: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = run("train.epochs=12", "loss.l1=0.5", "loss.velocity=1.0")
    val, steps = rows(folder, "val"), rows(folder, "step")
    assert val[-1]["mse"] < 0.3 < 0.6 < val[0]["mse"], "from the mean face to the curves of an unheard clip"
    assert [row["epoch"] for row in val] == list(range(12))
    assert [row["step"] for row in steps] == list(range(1, 12 * STEPS_AN_EPOCH + 1))
    for row in (*steps, *val, *rows(folder, "train")):
        assert row["total"] == pytest.approx(row["mse"] + 0.5 * row["l1"] + row["velocity"], rel=1e-5)
    first = [row["mse"] for row in steps[:STEPS_AN_EPOCH]]
    assert rows(folder, "train")[0]["mse"] == pytest.approx(np.mean(first))

    config = load_config(folder / "config.yml")
    assert config.train.epochs == 12 and config.loss.l1 == 0.5 and config.data.lmdb == packed.parent / "clips.lmdb"
    header, decoder = load_decoder(folder / "best.safetensors")
    assert header.stats == load_stats(folder / "stats.json") == load_stats(folder / "best.safetensors")
    trained_on = ("a2", "a3", "b1", "b2")
    curves = np.concatenate([read_csv(packed.parent / "bs" / f"{clip}.csv").values for clip in trained_on])
    assert header.stats.clips == trained_on
    np.testing.assert_allclose(header.stats.mean, curves.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(header.stats.std, curves.std(axis=0), atol=1e-6)
    best = 1 + min(range(12), key=lambda epoch: val[epoch]["total"])
    assert header.config.model == config.model and header.step == best * STEPS_AN_EPOCH
    assert list((folder / "tensorboard").glob("events*"))
    assert not list(folder.glob(".*")), "half-written files"
    out = capsys.readouterr().out
    assert f"trained 12 epochs, 36 steps; best: epoch {best}, validation loss" in out and str(folder) in out

    # The feature norm holds the training clips' own mean and std.
    from dataset.audio import to_float
    from dataset.store import ClipStore
    from model.encoders import build_encoder
    from model.speech_encoder import encode_clip

    store, encoder = ClipStore(config.data.lmdb), build_encoder(config.features, 25)
    clips = [torch.from_numpy(to_float(store[clip].audio)) for clip in ("a2", "a3", "b1", "b2")]
    features = torch.cat([encode_clip(encoder, clip, 25) for clip in clips])
    torch.testing.assert_close(decoder.normalise.mean, features.mean(0), atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(decoder.normalise.std, features.std(0, correction=0), atol=2e-3, rtol=1e-3)


class KilledError(Exception):
    pass


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    finish_step = run_state.RunState.finish_step

    def stopping(run: run_state.RunState, losses: Any) -> None:
        finish_step(run, losses)
        if run.step == step:
            raise KilledError

    monkeypatch.setattr(run_state.RunState, "finish_step", stopping)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (2, ()),  # before there is anything to go on from
        (4, ("train.ema=0.9", "train.schedule=cosine", "train.warmup_steps=4")),
        (5, ("train.checkpoint_steps=2", "train.ema=0.9")),
        (8, ("train.checkpoint_steps=1", "train.workers=1", "model.dropout=0.3")),
        (5, ("train.checkpoint_steps=1", "train.workers=1", *AUGMENTED)),
        (7, ("train.checkpoint_steps=5", "data.domains=[{name: a, clips: [a*], weight: 1.7}, {name: b, clips: [b*], "
             "weight: 0.6}]", "loss.dtw=1.0")),
    ],
)  # fmt: skip
def test_resumed_run_equals_an_unbroken_one(step: int, words: tuple[str, ...], run: Run) -> None:
    words = ("train.epochs=3", *words)
    whole = run(*words, name="whole")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        killed_at(step, patch)
        run(*words, name="broken")
    other_workers = "train.workers=1" if "train.workers=1" not in words else "train.workers=0"
    assert_same_run(whole, run(*words, "--resume", other_workers, name="broken"))


@pytest.fixture(scope="module")
def with_phones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of a packed corpus: of three clips it is known which sounds are loud, of one it is not."""
    corpus = Corpus(tmp_path_factory.mktemp("phones"))
    for seed, clip in enumerate(("a1", "a2", "a3", "b1")):
        corpus.buzz(clip, 3.0, seed)
        loud = [Word("a", frame / FPS, (frame + 1) / FPS) for frame in np.flatnonzero(loudness(75, seed) > 0.5)]
        if clip != "b1":
            write_tsv(corpus.folder / "phones" / f"{clip}.tsv", loud)
    config = corpus.configure("phones.yml", run={"name": "phones", "dir": str(corpus.folder / "result")})
    corpus.pack("data.split.by=list", "data.split.val=[a1]")
    return config


def test_sounds_are_learnt_beside_curves_and_only_training_holds_how(
    with_phones: Path, tmp_path: Path, run_main: Callable[..., None]
) -> None:
    def run(name: str, *words: str) -> Path:
        split = ("data.split.by=list", "data.split.val=[a1]")
        run_main(train, "--config", with_phones, f"run.dir={tmp_path}", f"run.name={name}", *split, *words)
        return tmp_path / name

    words = ("loss.phones=0.5", "train.ema=0.9")
    whole = run("whole", *words, "train.epochs=8")
    val, share = rows(whole, "val"), (loudness(75, 0) > 0.5).mean()
    unheard = -(share * np.log(share) + (1 - share) * np.log(1 - share))  # of who only knows how often it is loud
    assert val[-1]["phones"] < 0.9 * unheard < 2 < val[0]["phones"], "of a clip that was not trained on"
    assert val[0]["total"] == pytest.approx(val[0]["mse"] + 0.5 * val[0]["phones"], rel=1e-5)
    run("broken", *words, "train.epochs=4")
    assert_same_run(whole, run("broken", *words, "train.epochs=8", "--resume"))
    best, last = (load_file(whole / f"{name}.safetensors") for name in ("best", "last"))
    assert {name.split(".")[0] for name in best} == {"model"}
    assert last["heads.phones.weight"].shape == last["averaged_heads.phones.weight"].shape
    for name in ("best", "last"):
        assert load_decoder(whole / f"{name}.safetensors")[1](torch.zeros(1, 4, 36), torch.tensor([0])).isfinite().all()
    assert "phones" not in rows(run("without", "train.epochs=1"), "step")[0]
    assert not [name for name in load_file(tmp_path / "without" / "last.safetensors") if "heads" in name]


def test_a_loss_of_phones_needs_some(run: Run, packed: Path) -> None:
    line = f"{packed.parent / 'clips.lmdb'}: loss.phones has a weight, but no training clip has phones; set it to 0"
    assert refused(run, "loss.phones=1") == line


def test_augmentation_is_of_training_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run measures, it measures on the clips as recorded; it has as many steps, and hears something else."""
    plain = run("train.epochs=1", name="plain")
    heard: list[set[str]] = []
    encode = run_data.cache_features

    def listening(*arguments: Any) -> list[Any]:
        encoded = encode(*arguments)
        heard[-1].update(clip.id for clip in encoded)
        return encoded

    monkeypatch.setattr(run_data, "cache_features", listening)
    words = ("train.epochs=1", "run.seed=5", *AUGMENTED)
    for name in ("one", "two"):
        heard.append(set())
        folder = run(*words, name=name)
    copies = {f"{clip}~{number}" for clip in ("a2", "a3", "b1", "b2") for number in (1, 2)}
    assert heard == [copies, set()], "none of the validation clip a1; cached for the second run"
    assert_same_run(folder, folder.with_name("one"))
    assert (folder / "stats.json").read_bytes() == (plain / "stats.json").read_bytes()
    norms = [load_file(path / "last.safetensors")["model.normalise.mean"] for path in (plain, folder)]
    assert torch.equal(*norms)
    assert len(rows(folder, "step")) == len(rows(plain, "step"))

    again = run("train.epochs=1", "--overwrite", name="two")
    assert not list(again.glob("copies-*")), "an earlier run's are cleared away"


def test_masks_alone_change_what_is_heard_and_need_no_copies(run: Run) -> None:
    plain, masked = run(name="plain"), run(*AUGMENTED[-2:], name="masked")
    assert rows(plain, "step") != rows(masked, "step") and not list(masked.glob("copies-*"))
    assert_same_run(masked, run(*AUGMENTED[-2:], name="again"))


@pytest.mark.parametrize("context", ["clip", "window"])
def test_copies_pass_through_a_pretrained_encoder_by_the_same_path(
    context: str, run: Run, make_hubert: Callable[..., Path]
) -> None:
    hubert = ("features.encoder=hubert", f"features.model={make_hubert()}", f"features.context={context}")
    folder = run(*hubert, *AUGMENTED, "train.epochs=1")
    assert_same_run(folder, run(*hubert, *AUGMENTED, "train.epochs=1", name="again"))
    assert len(list(folder.glob("copies-*.lmdb"))) == 1


KILL = """
import os, sys
from scripts import train
from model import run_data, run_state
finish_step = run_state.RunState.finish_step
def kill(run, losses):
    finish_step(run, losses)
    if run.step == 5:
        os._exit(9)
run_state.RunState.finish_step = kill
train.main()
"""


def test_a_run_killed_in_mid_epoch_and_resumed_equals_an_unbroken_one(run: Run, packed: Path, tmp_path: Path) -> None:
    words = ("train.epochs=3", "train.checkpoint_steps=2", "train.ema=0.9", "train.workers=1", "model.head_dropout=0.3")
    whole = run(*words, name="whole")
    overrides = (f"run.dir={tmp_path}", "run.name=killed", *words)
    command = [sys.executable, "-c", KILL, "--config", str(packed), *overrides]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == KILLED_STATUS, ended.stderr
    assert load_checkpoint(tmp_path / "killed" / "last.safetensors")[0].step == 4
    assert len(rows(tmp_path / "killed")) == STEPS_AN_EPOCH + 2
    assert_same_run(whole, run(*words, "--resume", name="killed"))


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_killed_between_the_log_and_the_checkpoint(name: str, run: Run) -> None:
    """The epoch's rows are there, its checkpoint is not: they are written again, not twice."""
    words = ("train.epochs=3", f"train.checkpoint_steps={STEPS_AN_EPOCH}")
    whole = run(*words, name="whole")
    save = run_state.RunState._save

    def stopping(run: run_state.RunState, wanted: str) -> None:
        if run.epoch == 2 and run.batch == 0 and wanted == name:
            raise KilledError
        save(run, wanted)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(run_state.RunState, "_save", stopping)
        run(*words, name="broken")
    with (whole.with_name("broken") / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 1, "st')
    assert_same_run(whole, run(*words, "--resume", name="broken"))


def test_a_second_training_in_a_runs_folder_is_told(run: Run, tmp_path: Path) -> None:
    step = run_state.RunState.finish_step
    lines: list[str] = []

    def stepping(state: run_state.RunState, losses: dict[str, torch.Tensor]) -> None:
        if not lines:
            lines.append(refused(run, "--overwrite"))
        step(state, losses)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_state.RunState, "finish_step", stepping)
        folder = run("train.epochs=1")
    mend = "wait for it, or choose another run.name"
    assert lines == [f"{folder}: another training is running there; {mend}"]
    assert list(tmp_path.iterdir()) == [folder]


def test_another_thread_count_is_said_where_a_run_goes_on(run: Run, capsys: pytest.CaptureFixture) -> None:
    folder = run("train.epochs=1")
    capsys.readouterr()
    run("train.epochs=2", "--resume")
    assert "threads" not in capsys.readouterr().err
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        run("train.epochs=3", "--resume")
    finally:
        torch.set_num_threads(threads)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "threads" in line]
    assert line.startswith(
        f"{folder / 'last.safetensors'}: was trained on {threads} threads, goes on with {threads + 1}"
    )


def test_more_epochs_by_resuming_and_none_left(run: Run) -> None:
    whole = run("train.epochs=3", name="whole")
    short = run("train.epochs=1", name="short")
    assert_same_run(whole, run("train.epochs=3", "--resume", name="short"))
    before = (short / "last.safetensors").read_bytes()
    run("train.epochs=3", "--resume", name="short")
    assert (short / "last.safetensors").read_bytes() == before and rows(short) == rows(whole)


def test_the_seed_alone_decides(run: Run) -> None:
    one, two, other = run(name="one"), run(name="two"), run("run.seed=1", name="other")
    assert_same_run(one, two)
    assert rows(one, "val") != rows(other, "val")


def test_resuming_as_another_run_is_refused(run: Run) -> None:
    folder = run("train.epochs=1")
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    for key, value in (("model.width", 16), ("loss.l1", 1.0), ("run.seed", 3), ("train.learning_rate", 0.1)):
        line = refused(run, "--resume", f"{key}={value}")
        assert f"last.safetensors: trained with {key} " in line and f"the config says {value}" in line
    (folder / "last.safetensors").write_bytes((folder / "best.safetensors").read_bytes())
    assert "last.safetensors: weights only, nothing to resume from" in refused(run, "--resume")
    (folder / "last.safetensors").write_bytes(before[folder / "last.safetensors"])
    assert before == {path: path.read_bytes() for path in folder.glob("*.*")}


def test_a_full_feature_cache_needs_none_of_the_speech_models_weights(
    run: Run, make_hubert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train.epochs=1", "features.encoder=hubert", f"features.model={make_hubert()}")
    first = run(*words, name="first")
    monkeypatch.delattr("model.hubert._load")
    assert_same_run(first, run(*words, name="again"))


def test_resuming_on_other_clips_or_another_speech_model_is_refused(
    run: Run, make_hubert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train.epochs=1", "features.encoder=hubert")
    run(*words, f"features.model={make_hubert('one')}")
    moved = make_hubert("one").rename(make_hubert("one").with_name("moved"))
    run(*words, f"features.model={moved}", "--resume")
    line = refused(run, *words, f"features.model={make_hubert('other', seed=1)}", "--resume")
    assert "trained on other features than there are now" in line
    stats = run_data.training_stats

    def other_clips(*arguments: Any) -> Stats:
        found = stats(*arguments)
        return Stats(found.channels, found.mean + 0.1, found.std, found.min, found.max, found.frames, found.clips)

    monkeypatch.setattr(run_data, "training_stats", other_clips)
    line = refused(run, *words, f"features.model={moved}", "--resume")
    assert "trained on other clips than there are now" in line


def test_a_run_is_never_overwritten_unasked(run: Run) -> None:
    folder = run("train.epochs=1")
    first = rows(folder)
    assert refused(run) == f"{folder}: holds a run; add --resume or --overwrite, or choose another run.name"
    (folder / "notes.txt").write_text("mine")
    assert rows(run("train.epochs=1", "run.seed=7", "--overwrite")) != first
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "last.safetensors").unlink()
    assert "holds a run; it has no last.safetensors to resume from; add --overwrite" in refused(run, "--resume")
    with pytest.raises(SystemExit):
        run("--resume", "--overwrite")


def domains(*names: str, weight: float = 1.0) -> str:
    return "data.domains=" + json.dumps([{"name": name, "clips": [f"{name}*"], "weight": weight} for name in names])


def test_a_run_that_cannot_begin_leaves_the_old_one(run: Run, tmp_path: Path) -> None:
    folder = run("train.epochs=1")
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    for words, reason in (
        (("data.fps=30",), "clips.lmdb: packed at 25 fps, data.fps is 30"),
        ((f"data.lmdb={tmp_path}/no.lmdb",), "no.lmdb: no such database"),
        (
            ("data.split.by=list", "data.split.val=[z*]"),
            "data.split.val names z*, but there is no such clip; take it out or mend it",
        ),
        ((domains("a"),), "clips.lmdb: b1 is of domain b, data.domains has no such name"),
        ((domains("a", "b", weight=1e-9),), "with these weights epoch 1 has no example"),
    ):
        assert reason in refused(run, "--overwrite", *words)
    assert before == {path: path.read_bytes() for path in folder.glob("*.*")}


@pytest.mark.filterwarnings("ignore")
def test_a_loss_that_is_not_finite_stops_the_run(run: Run, tmp_path: Path) -> None:
    line = refused(
        run, "train.learning_rate=1e6", "loss.mse=1e9", "train.clip_norm=0", "model.output=linear", "train.epochs=9"
    )
    assert "the loss is not finite; lower train.learning_rate or clip_norm" in line
    lines = (tmp_path / "run" / "metrics.jsonl").read_text() if (tmp_path / "run" / "metrics.jsonl").exists() else ""
    assert "NaN" not in lines and "Infinity" not in lines


def test_best_is_the_lowest_validation_loss_and_patience_ends_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    losses = iter([0.5, 0.3, 0.4, 0.35, 0.2, 0.3, 0.2, 0.2, 0.0])
    monkeypatch.setattr(run_state.RunState, "validate", lambda run: {"mse": (loss := next(losses)), "total": loss})
    folder = run("train.epochs=9", "train.patience_epochs=3")
    assert [row["total"] for row in rows(folder, "val")] == [0.5, 0.3, 0.4, 0.35, 0.2, 0.3, 0.2, 0.2]
    assert load_checkpoint(folder / "best.safetensors")[0].step == 5 * STEPS_AN_EPOCH
    assert load_checkpoint(folder / "last.safetensors")[0].step == 8 * STEPS_AN_EPOCH
    assert "trained 8 epochs, 24 steps; best: epoch 5, validation loss 0.2000" in capsys.readouterr().out
    run("train.epochs=9", "train.patience_epochs=3", "--resume")
    assert len(rows(folder, "val")) == 8, "out of patience, also when resumed"


@pytest.mark.parametrize("curve_scale", ["channel", "common"])
def test_validation_loss_is_that_of_the_best_checkpoints_weights(curve_scale: str, run: Run, packed: Path) -> None:
    """Computed anew, window by window, from what the files hold."""
    words = ("train.ema=0.8", "model.head_dropout=0.4", "loss.dtw=0.25", "train.batch_size=3")
    folder = run(*words, f"model.curve_scale={curve_scale}")
    header, decoder = load_decoder(folder / "best.safetensors")
    from dataset.audio import to_float
    from dataset.blendshapes import ARKIT, indices
    from dataset.store import ClipStore
    from model.dtw_loss import dtw_loss
    from model.encoders import build_encoder
    from model.speech_encoder import encode_clip

    clip = ClipStore(packed.parent / "clips.lmdb")["a1"]  # fold 0
    features = encode_clip(build_encoder(header.config.features, 25), torch.from_numpy(to_float(clip.audio)), 25)
    stats = header.stats.select(header.channels)
    scale = stats.std if curve_scale == "channel" else np.sqrt((stats.std**2).mean())
    target = (clip.curves[:, indices(ARKIT, header.channels)] - stats.mean) / scale
    mse, dtw = [], []
    for start in (0, 20, 40, 55):  # side by side, the last one at the end
        window = slice(start, start + 20)
        prediction = decoder(features[None, window].half().float(), torch.tensor([0]))
        truth = torch.from_numpy(target[None, window]).float()
        mse.append((prediction - truth).square().mean().item())
        dtw.append(dtw_loss(prediction, truth).item())
    best = min(rows(folder, "val"), key=lambda row: row["total"])
    assert best["mse"] == pytest.approx(np.mean(mse), rel=1e-3)
    assert best["dtw"] == pytest.approx(np.mean(dtw), rel=1e-3)
    assert best["total"] == pytest.approx(best["mse"] + 0.25 * best["dtw"], rel=1e-5)


def test_without_validation_the_last_epoch_is_kept(run: Run, capsys: pytest.CaptureFixture) -> None:
    folder = run("data.split.by=none", "train.patience_epochs=1")
    assert not rows(folder, "val") and len(rows(folder, "train")) == 2
    assert load_stats(folder / "stats.json").clips == ("a1", "a2", "a3", "b1", "b2")
    best, last = load_file(folder / "best.safetensors"), load_file(folder / "last.safetensors")
    assert all(torch.equal(tensor, last[name]) for name, tensor in best.items())
    assert "best: the last epoch" in capsys.readouterr().out


def test_a_domain_is_seen_as_often_as_its_weight_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    batches = run_state.RunState.batches

    def noting(run: run_state.RunState) -> Any:
        for batch in batches(run):
            seen.extend(batch.domain.tolist())
            yield batch

    monkeypatch.setattr(run_state.RunState, "batches", noting)
    domains = "data.domains=[{name: a, clips: [a*], weight: 3.0}, {name: b, clips: [b*], weight: 1.0}]"
    run(domains, "train.epochs=1")
    assert (seen.count(0), seen.count(1)) == (3 * 2 * 12, 2 * 12)


def test_with_a_full_cache_the_encoder_is_never_called(
    run: Run, packed: Path, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    for context in ("clip", "window"):
        words = (f"features.cache={tmp_path}/{context}", f"features.context={context}")
        run_main(extract_features, "--config", packed, *words)
        assert "5 clips encoded, 0 were there" in capsys.readouterr().out
        with pytest.MonkeyPatch.context() as patch:
            patch.delattr(LogMelEncoder, "forward")
            for fold in (0, 3):
                run(*words, f"data.split.fold={fold}", "train.epochs=1", name=f"{context}{fold}")
            run_main(extract_features, "--config", packed, *words)
        assert "0 clips encoded, 5 were there" in capsys.readouterr().out


def test_processes_share_an_extraction(
    packed: Path, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    words = (f"features.cache={tmp_path}/features",)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, clips in (("0", 3), ("1", 2)):
        monkeypatch.setenv("RANK", rank)
        run_main(extract_features, "--config", packed, *words)
        shown = capsys.readouterr().out
        assert f"{clips} clips encoded, 0 were there" in shown and "hours of audio an hour" in shown
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.delenv("RANK")
    run_main(extract_features, "--config", packed, *words)
    assert "0 clips encoded, 5 were there" in capsys.readouterr().out


def test_clips_are_encoded_in_buckets_and_nobody_notices(
    packed: Path, tmp_path: Path, make_hubert: Callable[..., Path], run_main: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    batches: list[int] = []
    forward = HubertEncoder.forward

    def counted(self: HubertEncoder, audio: torch.Tensor, *lengths: torch.Tensor) -> torch.Tensor:
        batches.append(len(audio))
        return forward(self, audio, *lengths)

    monkeypatch.setattr(HubertEncoder, "forward", counted)
    words = ("features.encoder=hubert", f"features.model={make_hubert(norm='layer')}", "features.chunk_s=7")
    caches = []
    for name in ("buckets", "alone"):
        if name == "alone":
            monkeypatch.setattr(features, "buckets", lambda clips, *_: [[clip] for clip in clips])
        caches.append(tmp_path / name)
        run_main(extract_features, "--config", packed, *words, f"features.cache={caches[-1]}")
    assert batches == [2, 2, 1, 1, 1, 1, 1, 1]  # clips of 3 s, two of which fit 7 s
    config = load_config(packed, words)
    store, encoder = features.open_clips(config), build_encoder(config.features, config.data.fps)
    for key in features.feature_keys(store.clips, encoder, config, config.windows).values():
        together, alone = (FeatureStore(cache)[key] for cache in caches)
        np.testing.assert_allclose(together, alone, atol=2e-3)  # kept as float16


def test_a_changed_encoder_misses_the_cache(packed: Path, tmp_path: Path, run_main: Callable[..., None],
                                            capsys: pytest.CaptureFixture) -> None:  # fmt: skip
    words = (f"features.cache={tmp_path}/features",)
    run_main(extract_features, "--config", packed, *words)
    for change, encoded in (
        ("features.logmel.bands=13", 5), ("features.chunk_s=29.0", 5), ("features.context=window", 5),
        ("windows.stride_frames=10", 0), ("model.width=16", 0), ("features.logmel.bands=13", 0),
    ):  # fmt: skip
        run_main(extract_features, "--config", packed, *words, change)
        assert f"\n{encoded} clips encoded" in "\n" + capsys.readouterr().out, change


def test_reference_recipe_trains_and_synthesizes_on_a_speech_model(
    run: Run, tmp_path: Path, make_hubert: Callable[..., Path], run_main: Callable[..., None],
    refusal: Callable[..., str], packed: Path,
) -> None:  # fmt: skip
    words = ("features.context=window", "features.encoder=hubert", f"features.cache={tmp_path}/encoded",
             "model.normalise_features=false", "model.positional=none", "model.output=tanh", "loss.dtw=1")  # fmt: skip
    folder = run(*words, f"features.model={make_hubert()}", "train.epochs=6")
    val = [row["total"] for row in rows(folder, "val")]
    assert val[-1] < val[0]
    moved = (tmp_path / "hubert").rename(tmp_path / "moved")
    wav = packed.parent / "wav" / "a1.wav"
    common = ("--ckpt_path", folder / "best.safetensors", "--wav_path", wav, "--out_path", tmp_path / "a1.csv")
    assert "no folder" in refusal(synthesize, *common)
    run_main(synthesize, *common, "--encoder_path", moved)
    assert read_csv(tmp_path / "a1.csv").values.shape == (75, 52)
    other = make_hubert("other", seed=1)
    assert "trained on features of another encoder" in refusal(synthesize, *common, "--encoder_path", other)


TWO = """
import sys, torch
from pathlib import Path
from scripts import train
from model import run_data, run_state
summary = run_state.RunState.summary
def save(run):
    process = run.accelerator.process_index
    torch.save(run.decoder.state_dict(), run.config.run_dir / f"{process}.pt")
    return summary(run)
run_state.RunState.summary = save
train.main()
"""


LAUNCH = importlib.util.find_spec("accelerate.commands.launch")


@pytest.mark.skipif(LAUNCH is None, reason="accelerate's launcher is absent")
def test_two_processes_train_one_model(run: Run, packed: Path, tmp_path: Path) -> None:
    """Equal weights in both, and those of one process with batches of twice the size."""
    words = ("train.epochs=2", "model.dropout=0", "model.head_dropout=0", "train.ema=0.5", "train.clip_norm=0.1")
    one = run(*words, "train.batch_size=16", name="one")
    script = tmp_path / "two.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + TWO)
    # On CPUs, accelerate starts one process only unless there is MPI; torch's own launcher starts both.
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    both = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script))
    arguments = ("--config", str(packed), f"run.dir={tmp_path}", "run.name=two", *words, "train.batch_size=8")
    ended = subprocess.run([sys.executable, *launch, *both, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.count("trained 2 epochs, 6 steps") == 1
    first, second = (torch.load(tmp_path / "two" / f"{process}.pt") for process in (0, 1))
    single = load_file(one / "last.safetensors")
    assert all(tensor.isfinite().all() and torch.equal(tensor, second[name]) for name, tensor in first.items())
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, single[f"model.{name}"], atol=1e-4, rtol=1e-3)
    for got, expected in zip(rows(tmp_path / "two", "val"), rows(one, "val"), strict=True):
        assert got["total"] == pytest.approx(expected["total"], rel=1e-3)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [("constant", 0, 0.25), ("constant", 3, 1.0), ("constant", 99, 1.0), ("cosine", 1, 0.5), ("cosine", 4, 1.0),
     ("cosine", 12, 0.5), ("cosine", 20, 0.0), ("cosine", 25, 0.0)],
)  # fmt: skip
def test_learning_rate(schedule: str, step: int, expected: float) -> None:
    words = ["train.learning_rate=1.0", "train.warmup_steps=4", f"train.schedule={schedule}"]
    config = load_config(ROOT / "config" / "default.yml", words).train
    assert run_state.learning_rate(step, 20, config) == pytest.approx(expected)


def test_yaml_of_the_run_is_the_run(run: Run, packed: Path, tmp_path: Path, run_main: Callable[..., None]) -> None:
    folder = run("train.epochs=1", "model.width=12")
    tree = yaml.safe_load((folder / "config.yml").read_text())
    assert tree["model"]["width"] == 12
    run_main(train, "--config", folder / "config.yml", "run.name=again")
    assert_same_run(folder, tmp_path / "again")
