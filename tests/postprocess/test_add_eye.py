from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, EYE, read_csv, write_curves
from postprocess import add_eye as script
from postprocess.add_eye import choose, fit


@pytest.mark.parametrize(
    ("frames", "clip"),
    [(1, "short"), (10, "short"), (11, "b"), (30, "b"), (31, "long"), (50, "long"), (51, "long")],
)
def test_the_shortest_clip_that_is_long_enough_else_the_longest(frames: int, clip: str) -> None:
    assert choose(frames, {"long": 50, "c": 30, "b": 30, "short": 10}) == clip


def test_of_two_longest_the_first_by_name() -> None:
    assert choose(99, {"z": 50, "a": 50, "m": 50}) == "a"


def test_eyes_are_cut_or_looped() -> None:
    eyes = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(fit(eyes, np.arange(2)), eyes[:2])
    np.testing.assert_array_equal(fit(eyes, np.arange(3)), eyes)
    np.testing.assert_array_equal(fit(eyes, np.arange(7)), eyes[[0, 1, 2, 0, 1, 2, 0]])


def test_only_the_eyes_change_and_their_clip_is_named(
    tmp_path: Path,
    run_main: Callable[..., None],
    random_csv: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {name: random_csv(tmp_path / "in" / f"{name}.csv", frames) for name, frames in [("p", 20), ("q", 70)]}
    eyes = {
        name: random_csv(tmp_path / "bs" / f"{name}.csv", frames, frames)
        for name, frames in [("a", 19), ("b", 30), ("c", 40)]
    }
    run_main(script, "--input", tmp_path / "in", "--eyes", tmp_path / "bs", "--output", tmp_path / "out")
    for name, taken in [("p", eyes["b"][:20]), ("q", np.concatenate([eyes["c"], eyes["c"][:30]]))]:
        after = read_csv(tmp_path / "out" / f"{name}.csv")
        assert after.header == ARKIT
        np.testing.assert_array_equal(after.select(EYE), taken[:, :14])
        np.testing.assert_array_equal(after.values[:, 14:], before[name][:, 14:])
    assert capsys.readouterr().out.splitlines() == [
        "p (20 frames): eyes of b (30 frames)",
        "q (70 frames): eyes of c (40 frames); no clip is long enough, so the longest is looped",
        f"added eyes to 2 files, 90 frames: {tmp_path / 'out'}",
    ]


def test_eyes_are_matched_by_name(tmp_path: Path, run_main: Callable[..., None]) -> None:
    write_curves(tmp_path / "eyes.csv", np.arange(52.0)[None] / 100)
    (tmp_path / "a.csv").write_text("jawOpen,eyeBlink_R,eyeBlink_L\n0.5,0,0\n")
    run_main(script, "--input", tmp_path / "a.csv", "--eyes", tmp_path / "eyes.csv", "--output", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "jawOpen,eyeBlink_R,eyeBlink_L\n0.5,0.070000,0\n"


def test_refusals(tmp_path: Path, refusal: Callable[..., str], random_csv: Callable[..., np.ndarray]) -> None:
    whole, jaw, out = tmp_path / "whole.csv", tmp_path / "jaw.csv", tmp_path / "out.csv"
    random_csv(whole, 5)
    jaw.write_text("JawOpen\n0\n")
    missing = "EyeBlinkLeft, EyeLookDownLeft, EyeLookInLeft and 11 more"
    assert refusal(script, "--input", whole, "--eyes", jaw, "--output", out) == (
        f"{jaw}, line 1: no column for {missing}"
    )
    assert refusal(script, "--input", jaw, "--eyes", whole, "--output", out) == (
        f"{jaw}, line 1: none of the channels to change is here ({missing})"
    )
    assert refusal(script, "--input", whole, "--eyes", tmp_path / "bs", "--output", out) == (
        f"{tmp_path / 'bs'}: no such file or folder"
    )
