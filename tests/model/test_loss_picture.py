import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from config.load import load_config
from model.loss_picture import draw, read_losses, write_loss_picture
from scripts import train


@pytest.fixture
def run(packed: Path, tmp_path: Path, run_main: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Train by the command, pictures and all; the run's folder."""
    monkeypatch.setattr("model.loss_picture.write_loss_picture", write_loss_picture)

    def command(*words: str) -> Path:
        run_main(train, "--config", packed, f"run.dir={tmp_path}", "run.name=run", *words)
        return tmp_path / "run"

    return command


def test_a_run_ends_with_a_picture_of_every_epoch_before_and_after_a_stop(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("loss.l1=0.5", "loss.velocity=2.0", "train.learning_rate=0.1")  # so high that it gets worse again
    run("train.epochs=3", *words)
    first = (folder := run("train.epochs=3", "--resume", *words)) / "loss.png"
    before = imread(first)
    run("train.epochs=9", "--resume", *words)
    assert imread(first).shape == (750, 1330, 4) and not np.array_equal(imread(first), before)

    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    totals = [row["total"] for row in rows if row["split"] == "val"]
    best = 1 + int(np.argmin(totals))
    assert f"best: epoch {best}, " in capsys.readouterr().out.splitlines()[-2]
    figure = draw(read_losses(folder / "metrics.jsonl"), load_config(folder / "config.yml"), best)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert list(panels) == ["total = 1 × mse + 0.5 × l1 + 2 × velocity", "mse", "l1", "velocity"]
    for name, axes in zip(("total", "mse", "l1", "velocity"), panels.values(), strict=True):
        lines = {str(line.get_label()): line for line in axes.get_lines()}
        for split, label in (("train", "training"), ("val", "validation")):
            expected = [row[name] for row in rows if row["split"] == split]
            np.testing.assert_allclose(np.asarray(lines[label].get_xydata(), float), list(enumerate(expected, 1)))
    (star,) = (line for line in figure.axes[0].get_lines() if line.get_label() == "best epoch")
    np.testing.assert_allclose(np.asarray(star.get_xydata(), float), [(best, min(totals))])


def test_one_loss_and_no_validation_clips(run: Callable[..., Path]) -> None:
    folder = run("train.epochs=1", "data.split.by=none")
    losses, config = read_losses(folder / "metrics.jsonl"), load_config(folder / "config.yml")
    figure = draw(losses, config, 1)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["total = 1 × mse"]
    assert "no validation clips" in figure.get_suptitle()


def test_a_picture_that_cannot_be_drawn_fails_no_run(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ImportError("no matplotlib here")

    monkeypatch.setattr("model.loss_picture.write_loss_picture", broken)
    folder = run("train.epochs=1")
    assert (folder / "best.safetensors").is_file() and not (folder / "loss.png").exists()
    out = capsys.readouterr().out
    assert f"{folder / 'loss.png'}: not drawn: no matplotlib here\n" in out and "trained 1 epochs" in out


def test_a_run_leaves_no_thread_behind(run: Callable[..., Path]) -> None:
    before = set(threading.enumerate())
    run("train.epochs=1")
    assert set(threading.enumerate()) <= before
