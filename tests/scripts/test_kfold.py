import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from config.load import load_config
from dataset.blendshapes import FACE, read_csv
from dataset.stats import load_stats
from model.checkpoint import copy_weights, load_checkpoint
from model.synthesis import Synthesizer
from model.trials import run_trial
from postprocess.score.held_out import HeldOutScorer
from scripts import evaluate, kfold, synthesize
from tests.helpers import KILLED_STATUS, ROOT

SCORER = HeldOutScorer()
CLIPS = {"a1", "a2", "a3", "b1", "b2"}


@pytest.fixture(scope="module")
def result(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """result/tiny_kfold after two variants of five folds each."""
    folder = tmp_path_factory.mktemp("kfold")
    with pytest.MonkeyPatch.context() as patch:
        words = ["--variants", "base", "no_onehot", "--config", packed, f"run.dir={folder}", "train.epochs=1"]
        patch.setattr("sys.argv", ["kfold", *map(str, words)])
        kfold.main()
    return folder / "tiny_kfold"


def words(result: Path, packed: Path, *more: str) -> list[object]:
    return ["--config", packed, f"run.dir={result.parent}", "train.epochs=1", *more]


@pytest.mark.parametrize("variant", ["base", "no_onehot"])
def test_every_clip_is_predicted_by_the_model_that_never_heard_it(result: Path, packed: Path, variant: str) -> None:
    folds = json.loads((result / "kfold.json").read_text())["variants"][variant]["folds"]
    assert [fold["clips"] for fold in folds] == [["a1"], ["a2"], ["a3"], ["b1"], ["b2"]]
    for number, (clip,) in enumerate(fold["clips"] for fold in folds):
        checkpoint = result / variant / f"fold_{number}" / "last.safetensors"
        header = load_checkpoint(checkpoint)[0]
        assert set(header.stats.clips) == CLIPS - {clip}
        assert load_stats(checkpoint) == header.stats
        assert header.config.model.domain_one_hot == (variant == "base")
        wav = packed.parent / "wav" / f"{clip}.wav"
        alone = Synthesizer(checkpoint).synthesize(wav, domain=clip[0]).clip(0, 1)
        csv = read_csv(result / variant / "oof" / f"{clip}.csv").select(FACE)
        np.testing.assert_allclose(csv, alone, atol=1e-4)  # the database holds 16-bit samples


def test_the_scores_are_those_of_the_evaluate_command(
    result: Path, packed: Path, run_main: Callable[..., None], tmp_path: Path
) -> None:
    targets, json_path = packed.parent / "bs", tmp_path / "a.json"
    predictions = result / "base" / "oof"
    run_main(evaluate, "--predictions", predictions, "--targets", targets, "--fps", 25, "--json", json_path)
    theirs, ours = json.loads(json_path.read_text()), json.loads((result / "kfold.json").read_text())
    base = ours["variants"]["base"]
    assert base["clips"].keys() == theirs["clips"].keys() == CLIPS
    for clip in CLIPS:
        assert base["clips"][clip]["contest"] == pytest.approx(theirs["clips"][clip]["contest"], rel=1e-3)
    assert base["mean"]["contest"] == pytest.approx(theirs["mean"]["contest"], rel=1e-3)


def test_the_folds_are_one_ensemble(result: Path, packed: Path, run_main: Callable[..., None], tmp_path: Path) -> None:
    wav = packed.parent / "wav" / "a1.wav"
    ensemble = result / "base" / "ensemble"
    run_main(synthesize, "--ckpt_path", ensemble, "--wav_path", wav, "--out_path", tmp_path / "a.csv", "--no_clamp")
    runs = [result / "base" / f"fold_{fold}" / "last.safetensors" for fold in range(5)]
    expected = np.mean([Synthesizer(run).synthesize(wav) for run in runs], axis=0)
    np.testing.assert_allclose(read_csv(tmp_path / "a.csv").select(FACE), expected, atol=2e-6)
    kept = ensemble / "fold_0.safetensors"
    assert load_stats(kept).clips == load_stats(ensemble).clips == ("a1", "a2", "a3", "b1", "b2")
    assert kept.stat().st_size < 0.6 * runs[0].stat().st_size  # nothing of what only resuming needs
    assert load_checkpoint(kept)[0] == load_checkpoint(runs[0])[0]


def test_what_is_done_is_not_done_again_and_what_is_missing_is(
    result: Path, packed: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (result / "kfold.json").read_text()
    removed = result / "base" / "fold_3" / "scores.json", result / "base" / "oof" / "a2.csv"
    kept = [result / "base" / f"fold_{fold}" / "scores.json" for fold in (0, 2, 4)]
    times = [path.stat().st_mtime_ns for path in kept]
    weights = [(result / "base" / f"fold_{fold}" / "best.safetensors").read_bytes() for fold in range(5)]
    for path in removed:
        path.unlink()
    run_main(kfold, *words(result, packed), "--variants", "base", "no_onehot")
    assert all(path.is_file() for path in removed) and times == [path.stat().st_mtime_ns for path in kept]
    assert weights == [(result / "base" / f"fold_{fold}" / "best.safetensors").read_bytes() for fold in range(5)]
    old, new = json.loads(before)["variants"], json.loads((result / "kfold.json").read_text())["variants"]
    assert {name: variant["clips"] for name, variant in old.items()} == {n: v["clips"] for n, v in new.items()}
    shown = capsys.readouterr().out
    assert "base fold 4" in shown and "no_onehot (mean)" in shown and "(mean face)" in shown
    ridge = json.loads((result / "kfold.json").read_text())["ridge"]
    assert ridge["clips"].keys() == CLIPS == {path.stem for path in (result / "floors" / "ridge").iterdir()}
    (row,) = (line.split() for line in shown.splitlines() if line.startswith("(ridge)"))
    assert row[:3] == ["(ridge)", "5", f"{ridge['mean']['contest']:.4f}"]
    gains = [new["no_onehot"]["clips"][clip]["contest"] - new["base"]["clips"][clip]["contest"] for clip in CLIPS]
    assert f"no_onehot against base: {np.mean(gains):+.4f} (95%: " in shown
    assert f"better on {sum(gain < 0 for gain in gains)} of 5 clips" in shown
    assert "10 models, 5 clips, each scored by models that never heard it" in shown


KILLED = """
import os
from model import run_state
from scripts import kfold
finish_step = run_state.RunState.finish_step
def finish_or_die(run, losses):
    finish_step(run, losses)
    if run.config.run.name == "fold_2" and run.step == 2:
        os._exit(9)
run_state.RunState.finish_step = finish_or_die
kfold.main()
"""


def test_folds_that_were_killed_and_run_again_equal_unbroken_ones(
    result: Path, packed: Path, run_main: Callable[..., None], tmp_path: Path
) -> None:
    folder = tmp_path / "tiny_kfold"
    given = words(folder, packed, "train.checkpoint_steps=1", "--variants", "base")
    killed = subprocess.run([sys.executable, "-c", KILLED, *map(str, given)], cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == KILLED_STATUS, killed.stderr
    assert load_checkpoint(folder / "base" / "fold_2" / "last.safetensors")[0].step == 2
    assert not (folder / "base" / "fold_3").exists()
    run_main(kfold, *given)
    for fold in range(5):
        for name in ("last", "best"):
            file = Path("base") / f"fold_{fold}" / f"{name}.safetensors"
            ours, theirs = load_file(folder / file), load_file(result / file)
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items()), file
    for clip in CLIPS:
        csv = Path("base") / "oof" / f"{clip}.csv"
        assert (folder / csv).read_bytes() == (result / csv).read_bytes()
    new, old = (json.loads((place / "kfold.json").read_text())["variants"]["base"] for place in (folder, result))
    assert new["clips"] == old["clips"] and new["mean"] == old["mean"]


def test_other_settings_are_refused_until_they_may_overwrite(
    result: Path, packed: Path, refusal: Callable[..., str], tmp_path: Path
) -> None:
    line = refusal(kfold, *words(result, packed, "train.learning_rate=0.02"))
    place = result / "base" / "fold_0"
    says = "trained with train.learning_rate 0.01, the config says 0.02"
    assert line == f"{place}: {says}; set it back, or start every trial afresh with --overwrite"
    config = load_config(packed, [f"run.dir={tmp_path}", "train.epochs=1", "data.split.fold=2"])
    first = run_trial(config, tmp_path / "oof", SCORER)
    other = config.model_copy(update={"train": config.train.model_copy(update={"learning_rate": 0.2})})
    assert run_trial(other, tmp_path / "oof", SCORER, overwrite=True)["mean"] != first["mean"]


def test_the_epoch_that_is_asked_for_is_scored_without_training_again(packed: Path, tmp_path: Path) -> None:
    overrides = [f"run.dir={tmp_path}", "data.split.fold=2"]
    config, short = (load_config(packed, [*overrides, *more]) for more in ([], ["train.epochs=1", "run.name=short"]))
    run_trial(config, tmp_path / "last", SCORER)
    run_trial(short, tmp_path / "short", SCORER)
    files = {name: config.run_dir / f"{name}.safetensors" for name in ("best", "last")}
    copy_weights(short.run_dir / "last.safetensors", files["best"])  # as if training had got worse after an epoch
    trained = files["last"].stat().st_mtime_ns
    assert run_trial(config, tmp_path / "best", SCORER, epoch="best")["epoch"] == "best"
    assert files["last"].stat().st_mtime_ns == trained
    wav = packed.parent / "wav" / "a3.wav"
    for name, path in files.items():
        csv = read_csv(tmp_path / name / "a3.csv").select(FACE)
        np.testing.assert_allclose(csv, Synthesizer(path).synthesize(wav, domain="a").clip(0, 1), atol=1e-4)
    assert not np.allclose(csv, read_csv(tmp_path / "best" / "a3.csv").select(FACE), atol=1e-3)


def test_folds_by_speaker_need_a_manifest_that_knows_every_clip(
    packed: Path, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("id,speaker\na1,Li\na2,Wu\na3,Li\nb1,Ma\nb2,Wu\n")
    by = ["--config", packed, "--by", "speaker", f"data.corpus={tmp_path}", "--folds"]
    assert refusal(kfold, *by, "4") == f"--folds 4: {manifest} names 3 speakers"
    manifest.write_text("id,speaker\na1,Li\n")
    assert refusal(kfold, *by, "2") == f"{manifest}: no speaker of a2; --by speaker needs the columns id and speaker"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--folds", "6"], "--folds 6: the corpus has 5 clips"),
        (["--folds", "1"], "--folds 1: must be at least 2"),
        (["--variants", "tanhh"], "--variants: no tanhh in the grid; known: base, no_onehot"),
        (
            ["--variants", "base", "train.epochs=1"],
            "--variants: train.epochs=1 is no name; write section.key=value before --variants",
        ),
        (["--pieces", "0.01"], "--pieces 0.01: must be at least one frame long"),
    ],
)
def test_refusals(packed: Path, refusal: Callable[..., str], given: list[str], message: str) -> None:
    assert refusal(kfold, "--config", packed, *given) == message
