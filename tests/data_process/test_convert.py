import csv
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_process import convert
from dataset.blendshapes import ANGLES, ARKIT
from dataset.layout_writers import ALPHABETICAL, WRITERS
from dataset.layouts import read_recording
from dataset.recording import Recording

LAYOUTS = tuple(WRITERS)
# As the app writes it: the contest's order, but right before left for the jaw and the mouth.
LIVE_LINK_HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,"
    "MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)
Main = Callable[..., None]
Refusal = Callable[..., str]


def named(folder: Path, stem: str, layout: str) -> Path:
    return folder / f"{stem}.{'json' if layout == 'json' else 'csv'}"


def recording(seed: int, frames: int = 20, timed: bool = True) -> Recording:
    random = np.random.default_rng(seed)
    values = random.uniform(-0.05, 1.05, (frames, 52))
    times = np.cumsum(random.choice([1, 1, 1, 2], frames)) / 60 if timed else None
    if times is not None:
        times -= times[0]
    angles = {name: random.uniform(-2, 2, frames) for name in ANGLES}
    return Recording(ARKIT, values, times, 60.0, angles, "json", start_s=float(random.integers(86_400)))


def write(folder: Path, stem: str, layout: str, source: Recording) -> Path:
    path = named(folder, stem, layout)
    WRITERS[layout](path, source)
    return path


def header(path: Path) -> str:
    return path.read_text().split("\n")[0]


def columns(path: Path) -> str:
    return ",".join(json.loads(path.read_text())["names"]) if path.suffix == ".json" else header(path)


def rate_of(layout: str) -> list[object]:
    """Two layouts tell no rate, and livelink needs one."""
    return ["--fps", 60] if layout in ("arkit", "alphabetical") else []


@pytest.mark.parametrize(("first", "second"), list(itertools.product(LAYOUTS, LAYOUTS)))
def test_round_trips_leave_values_unchanged_and_left_as_left(
    tmp_path: Path, run_main: Main, first: str, second: str
) -> None:
    for seed in range(3):
        source = recording(seed, timed=False)
        there = write(tmp_path / "1", "a", first, source)
        here, back = named(tmp_path / "2", "a", second), named(tmp_path / "3", "a", first)
        run_main(convert, there, here, "--to", second, *rate_of(first))
        run_main(convert, here, back, "--to", first, *rate_of(second))
        assert columns(back) == columns(there)
        for path in (there, here, back):
            np.testing.assert_allclose(read_recording(path).curves(), source.values, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channel", ARKIT)
def test_each_channel_stands_under_its_own_name(tmp_path: Path, layout: str, channel: str) -> None:
    values = np.zeros((2, 52))
    values[:, ARKIT.index(channel)] = 0.7
    path = write(tmp_path, "a", layout, Recording(ARKIT, values, None, 30.0, {}, "arkit"))
    if layout == "json":
        document = json.loads(path.read_text())
        row = dict(zip(document["names"], document["frames"][1], strict=True))
    else:
        with path.open() as file:
            row = list(csv.DictReader(file))[1]
    moved = {name: float(row[name]) for name in ARKIT if float(row[name])}
    assert moved == {channel: pytest.approx(0.7)}


def test_the_layouts_are_written_as_they_are_known(tmp_path: Path) -> None:
    source = recording(0, frames=3, timed=False)
    livelink = write(tmp_path, "livelink", "livelink", source)
    assert header(livelink) == LIVE_LINK_HEADER
    cells = livelink.read_text().split("\n")[2].split(",")
    assert cells[0].endswith(":01.000")
    assert (cells[1], len(cells)) == ("61", 63)
    assert header(write(tmp_path, "arkit", "arkit", source)) == ",".join(ARKIT)
    assert header(write(tmp_path, "alphabetical", "alphabetical", source)) == ",".join(ALPHABETICAL)
    assert header(write(tmp_path, "alphabetical", "alphabetical", source)).startswith(
        "BrowDownLeft,BrowDownRight,BrowI"
    )
    document = json.loads(write(tmp_path, "json", "json", source).read_text())
    assert set(document) == {"fps", "start_s", "names", "frames", "angles"}
    assert (document["fps"], len(document["names"]), len(document["frames"])) == (60, 52, 3)


def test_angles_and_times_survive_where_there_is_a_place(tmp_path: Path, run_main: Main) -> None:
    source = recording(5, frames=200)
    first = write(tmp_path, "a", "livelink", source)
    run_main(convert, first, tmp_path / "b.json", "--to", "json")
    run_main(convert, tmp_path / "b.json", tmp_path / "c.csv", "--to", "livelink")
    assert (tmp_path / "c.csv").read_bytes() == first.read_bytes()
    back = read_recording(tmp_path / "c.csv")
    for name in ANGLES:
        np.testing.assert_allclose(back.angles[name], source.angles[name], atol=1e-6)
    assert back.times_s is not None
    assert source.times_s is not None
    np.testing.assert_allclose(back.times_s, source.times_s, atol=1e-4)


def test_what_is_left_out_is_said(tmp_path: Path, run_main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    source = recording(6, frames=100)
    dropped = int(source.dropped_before.sum())
    path = write(tmp_path, "a", "livelink", source)
    run_main(convert, path, tmp_path / "b.csv", "--to", "arkit")
    said = capsys.readouterr().out
    assert "converted 1 file to arkit, 100 frames" in said
    assert f"{dropped} dropped and 0 doubled frames in the sources" in said
    assert "head and eye angles left out of 1, for arkit has no place for them" in said
    assert "times left out of 1" in said
    run_main(convert, path, tmp_path / "c.csv", "--to", "livelink", "--fps", 60)
    said = capsys.readouterr().out
    assert f"{100 + dropped} frames" in said
    assert "left out" not in said


def test_resampling_keeps_time(tmp_path: Path, run_main: Main) -> None:
    times = np.arange(300) / 60
    values = np.repeat(0.5 + 0.4 * np.sin(2 * np.pi * times)[:, None], 52, axis=1)
    path = write(tmp_path, "a", "livelink", Recording(ARKIT, values, times, 60.0, {}, "livelink"))
    run_main(convert, path, tmp_path / "b.json", "--to", "json", "--fps", 25)
    back = read_recording(tmp_path / "b.json")
    assert (back.fps, back.frames, back.duration_s) == (25, 125, 5)
    expected = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(125) / 25)
    np.testing.assert_allclose(back.curves()[8:-8, 3], expected[8:-8], atol=0.01)


def test_a_folder_gives_a_folder_and_a_bad_file_is_said(
    tmp_path: Path, run_main: Main, refusal: Refusal, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        write(tmp_path / "in", f"take{number}", LAYOUTS[number], recording(number))
    (tmp_path / "in" / "bad.csv").write_text("JawWiggle\n0\n")
    run_main(convert, tmp_path / "in", tmp_path / "out", "--to", "alphabetical")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"take{number}.csv" for number in range(4)]
    said = capsys.readouterr()
    assert "converted 4 files" in said.out
    assert "1 refused" in said.out
    assert 'bad.csv, line 1: "JawWiggle" is no ARKit blendshape' in said.err
    strict = refusal(convert, tmp_path / "in", tmp_path / "strict", "--to", "alphabetical", "--strict")
    assert strict.startswith(str(tmp_path / "in" / "bad.csv"))


def test_what_cannot_be_done_gets_its_line(tmp_path: Path, refusal: Refusal) -> None:
    arkit = write(tmp_path, "a", "arkit", recording(0))
    assert "say --fps" in refusal(convert, arkit, tmp_path / "b.csv", "--to", "livelink")
    assert "is a source too" in refusal(convert, arkit, arkit, "--to", "alphabetical")
    assert "is a source too" in refusal(convert, tmp_path, tmp_path, "--to", "alphabetical")
    assert "--to json writes .json" in refusal(convert, arkit, tmp_path / "b.csv", "--to", "json")
    assert "above 0" in refusal(convert, arkit, tmp_path / "b.csv", "--to", "arkit", "--fps", 0)
    assert "no such file or folder" in refusal(convert, tmp_path / "none", tmp_path / "b", "--to", "arkit")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.csv").write_text("")
    assert "none of the 1 files" in refusal(convert, tmp_path / "bad", tmp_path / "out", "--to", "arkit")
    assert not (tmp_path / "b.csv").exists()
