"""Scores, eyes and mixtures of curves whose files tell another rate, or other drops: by time, never row against row."""

from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT, EYE, read_csv, write_columns
from dataset.recordings.layouts import read_recording
from postprocess import add_eye, ensemble
from postprocess.score.evaluation import Scoring, evaluate
from tests.helpers import CASES, needs_case, printed_by, run_main

CASE = CASES / "19-evaluate-by-time"


def timed(path: Path, times_s: np.ndarray) -> Path:
    """Every channel a slow sine of its time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    curve = 0.5 + 0.4 * np.sin(2 * times_s)
    write_columns(path, {"time_s": times_s, **dict.fromkeys(ARKIT, curve)})
    return path


@needs_case("19-evaluate-by-time")
def test_a_target_of_another_rate_is_met_by_time() -> None:
    scored = evaluate(Scoring(CASE / "pred", CASE / "target"))
    jaw = scored.mean["channels"]["JawOpen"]
    assert jaw["correlation"] == pytest.approx(1, abs=0.005) and jaw["mae"] < 0.01
    assert any("resampled by time" in remark for remark in scored.remarks)


@needs_case("19-evaluate-by-time")
def test_eyes_of_another_rate_are_met_by_time(tmp_path: Path) -> None:
    run_main(add_eye, "--input", CASE / "pred", "--eyes", CASE / "target", "--output", tmp_path)
    eyes = read_recording(CASE / "target" / "x.csv").at_rate(30).select(EYE)
    np.testing.assert_allclose(read_csv(tmp_path / "x.csv").select(EYE), eyes, atol=1e-6)


@needs_case("19-evaluate-by-time")
def test_models_of_two_rates_are_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="60 frames a second, but"):
        run_main(ensemble, "--input", CASE / "pred", CASE / "target", "--output", tmp_path)


def test_a_twin_of_the_case(tmp_path: Path) -> None:
    timed(tmp_path / "pred" / "x.csv", np.arange(60) / 30)
    timed(tmp_path / "target" / "x.csv", np.arange(120) / 60)
    face = evaluate(Scoring(tmp_path / "pred", tmp_path / "target")).mean["groups"]["face"]
    assert face["mae"] < 0.01 and face["correlation"] == pytest.approx(1, abs=0.005)


def test_eyes_stand_at_the_times_of_frames_around_dropped_ones(tmp_path: Path) -> None:
    kept = np.delete(np.arange(60), [10, 11, 12, 40]) / 30
    timed(tmp_path / "in" / "x.csv", kept)
    timed(tmp_path / "eyes" / "x.csv", np.arange(90) / 30)
    run_main(add_eye, "--input", tmp_path / "in", "--eyes", tmp_path / "eyes", "--output", tmp_path / "out")
    found = read_csv(tmp_path / "out" / "x.csv")
    np.testing.assert_allclose(found.select(EYE)[:, 0], 0.5 + 0.4 * np.sin(2 * kept), atol=1e-5)


def test_files_with_other_drops_are_not_mixed(tmp_path: Path) -> None:
    for name, gone in (("one", 10), ("two", 40)):
        timed(tmp_path / name / "x.csv", np.delete(np.arange(60), gone) / 30)
    with pytest.raises(UserError, match="frames are missing at other times than in"):
        run_main(ensemble, "--input", tmp_path / "one", tmp_path / "two", "--output", tmp_path / "out")


def test_weights_are_fitted_by_time(tmp_path: Path) -> None:
    kept = np.delete(np.arange(60), [10, 11, 12]) / 30
    one, two = timed(tmp_path / "one" / "x.csv", kept), timed(tmp_path / "two" / "x.csv", kept)
    noise = np.random.default_rng(0).normal(0, 0.1, (len(kept), 52))
    write_columns(two, {"time_s": kept, **dict(zip(ARKIT, (read_csv(one).values + noise).T, strict=True))})
    timed(tmp_path / "targets" / "x.csv", np.arange(60) / 30)
    words = ("--weights", "auto", "--targets", tmp_path / "targets", "--output", tmp_path / "out")
    printed = printed_by(ensemble, "--input", tmp_path / "one", tmp_path / "two", *words)
    assert f"{tmp_path / 'one'}: 1.0000" in printed or f"{tmp_path / 'one'}: 0.99" in printed
