from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import savgol_filter

from dataset.blendshapes import ARKIT, FACE, indices, read_csv
from postprocess import smooth as script
from postprocess.smooth import smooth
from tests.helpers import CAPTURES, needs_shared

LIVELINK = CAPTURES / "alex_rom_3.csv"


def noise(frames: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(frames).random((frames, channels))


@pytest.mark.parametrize(("window", "order"), [(9, 4), (5, 2), (3, 0)])
def test_equals_scipy_where_a_whole_window_is_there(window: int, order: int) -> None:
    curves, half = noise(50), window // 2
    expected = savgol_filter(curves, window, order, axis=0)
    np.testing.assert_allclose(smooth(curves, window, order)[half:-half], expected[half:-half], atol=1e-12)


@pytest.mark.parametrize(("frames", "window", "order"), [(50, 9, 2), (50, 9, 4), (8, 9, 3), (3, 9, 1), (1, 9, 4)])
def test_at_the_ends_the_frames_that_are_there_are_fitted(frames: int, window: int, order: int) -> None:
    curves, half = noise(frames, 1), window // 2
    smoothed = smooth(curves, window, order)
    for place in [*range(half + 1), *range(frames - half - 1, frames)]:
        if 0 <= place < frames:
            around = np.arange(max(0, place - half), min(frames, place + half + 1))
            fitted = np.polyfit(around, curves[around, 0], min(order, len(around) - 1))
            assert smoothed[place, 0] == pytest.approx(np.polyval(fitted, place), abs=1e-9)


def test_centre_weights_are_those_of_the_1964_paper() -> None:
    impulse = np.zeros((9, 1))
    impulse[4] = 1
    assert smooth(impulse, 5, 2)[4, 0] == pytest.approx(17 / 35)  # the quadratic table of Savitzky & Golay
    assert smooth(impulse, 9, 4)[4, 0] == pytest.approx(179 / 429)


def test_a_quartic_passes_unchanged_and_jitter_shrinks() -> None:
    time = np.linspace(-1, 1, 40)[:, None]
    quartic = time**4 - 0.5 * time**3 + time
    np.testing.assert_allclose(smooth(quartic), quartic, atol=1e-12)
    curves = noise(300)
    assert np.abs(np.diff(smooth(curves), axis=0)).mean() < 0.7 * np.abs(np.diff(curves, axis=0)).mean()


def test_five_frames_meet_a_quartic_exactly() -> None:
    np.testing.assert_allclose(smooth(noise(5)), noise(5), atol=1e-12)


def test_a_folder_keeps_names_lengths_and_the_columns_outside_the_face(
    tmp_path: Path,
    run_main: Callable[..., None],
    random_csv: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = {name: random_csv(tmp_path / "in" / f"{name}.csv", frames) for name, frames in [("a", 30), ("b", 12)]}
    run_main(script, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.csv", "b.csv"]
    for name, before in values.items():
        after = read_csv(tmp_path / "out" / f"{name}.csv")
        assert after.header == ARKIT
        face = indices(ARKIT, FACE)
        np.testing.assert_allclose(after.select(FACE), smooth(before[:, face]), atol=6e-7)
        np.testing.assert_array_equal(np.delete(after.values, face, 1), np.delete(before, face, 1))
    assert capsys.readouterr().out == f"smoothed 2 files, 42 frames: {tmp_path / 'out'}\n"


def test_one_file_with_chosen_channels(
    tmp_path: Path, run_main: Callable[..., None], random_csv: Callable[..., np.ndarray]
) -> None:
    path = tmp_path / "a.csv"
    before = random_csv(path, 20)
    words = ["--window", 5, "--order", 2, "--channels", "brow", "jaw_open"]
    run_main(script, "--input", path, "--output", tmp_path / "b.csv", *words)
    changed = (read_csv(tmp_path / "b.csv").values != before).any(axis=0)
    assert {name for name, is_changed in zip(ARKIT, changed, strict=True) if is_changed} == {
        "BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "JawOpen",
    }  # fmt: skip


def test_a_file_with_some_of_the_channels_has_those_smoothed(tmp_path: Path, run_main: Callable[..., None]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("eyeBlink_L,Timecode,jawOpen\n" + "".join(f"0.{i},00:00:00:0{i},0.{i * i % 7}\n" for i in range(9)))
    run_main(script, "--input", path, "--output", tmp_path / "b.csv", "--window", 3, "--order", 0)
    before, after = read_csv(path), read_csv(tmp_path / "b.csv")
    assert after.header == before.header
    assert all(after.cells(name) == before.cells(name) for name in ("eyeBlink_L", "Timecode"))
    np.testing.assert_allclose(after.values[4, 1], before.values[3:6, 1].mean(), atol=6e-7)


@needs_shared(CAPTURES)
def test_a_real_live_link_recording_keeps_its_other_columns_to_the_letter(
    tmp_path: Path, run_main: Callable[..., None]
) -> None:
    run_main(script, "--input", LIVELINK, "--output", tmp_path / "out.csv")
    rows = [[line.split(",") for line in path.read_text().splitlines()] for path in (LIVELINK, tmp_path / "out.csv")]
    assert rows[0][0] == rows[1][0]
    assert len(rows[0]) == len(rows[1])
    kept = [column for column, name in enumerate(rows[0][0]) if name not in FACE]
    assert [[row[i] for i in kept] for row in rows[0]] == [[row[i] for i in kept] for row in rows[1]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--window", "8"], "--window 8: must be an odd number of frames"),
        (["--window", "-1"], "--window -1: must be an odd number of frames"),
        (["--order", "9"], "--order 9: must be from 0 to 8, less than --window"),
        (["--order", "-1"], "--order -1: must be from 0 to 8, less than --window"),
        (
            ["--channels", "jawOpn"],
            '--channels: "jawOpn" is no group and no ARKit blendshape; did you mean JawOpen?',
        ),
        (["--channels", "Face", "brows"], '--channels: "Face" is no group and no ARKit blendshape; did you mean face?'),
        (
            ["--channels", "2"],
            '--channels: "2" is no group and no ARKit blendshape; '
            "groups are face, jaw, mouth, brow, cheek_nose, eye, all",
        ),
    ],
)
def test_refusals(
    tmp_path: Path,
    refusal: Callable[..., str],
    random_csv: Callable[..., np.ndarray],
    words: list[str],
    message: str,
) -> None:
    random_csv(tmp_path / "a.csv", 20)
    assert refusal(script, "--input", tmp_path / "a.csv", "--output", tmp_path / "out.csv", *words) == message
    assert not (tmp_path / "out.csv").exists()


def test_refusals_of_files(tmp_path: Path, refusal: Callable[..., str]) -> None:
    out = tmp_path / "out"
    assert refusal(script, "--input", tmp_path / "none", "--output", out).endswith("none: no such file or folder")
    assert (
        refusal(script, "--input", tmp_path, "--output", out)
        == f"{tmp_path}: no .csv or .json or .npy file in this folder"
    )
    eyes = tmp_path / "eyes.csv"
    eyes.write_text("EyeBlinkLeft\n0\n")
    assert refusal(script, "--input", eyes, "--output", out) == (
        f"{eyes}, line 1: none of the channels to change is here (JawForward, JawLeft, JawRight and 34 more)"
    )
    broken = tmp_path / "broken.csv"
    broken.write_text("JawOpen\n0\nabc\n")
    assert refusal(script, "--input", broken, "--output", out) == (f'{broken}, line 3: JawOpen is not a number: "abc"')
    assert not out.exists()
