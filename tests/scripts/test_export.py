"""The command that takes curves to other tools: what goes where, what is said, what is refused."""

import csv
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ANGLES, ARKIT, write_curves
from dataset.recordings.layout_writers import ALPHABETICAL
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from postprocess.export.formats import FORMATS
from postprocess.face.heads import DEFAULT_HEAD
from scripts import export
from tests.helpers import CASES, needs_case

LAYOUTS = ("arkit", "livelink", "alphabetical", "json")  # the formats that read_recording reads
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
Said = pytest.CaptureFixture[str]


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
    FORMATS[layout].write(path, source)
    return path


def header(path: Path) -> str:
    return path.read_text().split("\n")[0]


def columns(path: Path) -> str:
    return ",".join(json.loads(path.read_text())["names"]) if path.suffix == ".json" else header(path)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(LAYOUTS, LAYOUTS)))
def test_round_trips_leave_values_unchanged_and_left_as_left(
    tmp_path: Path, run_main: Main, first: str, second: str
) -> None:
    for seed in range(3):
        source = recording(seed, timed=False)
        there = write(tmp_path / "1", "a", first, source)
        here, back = named(tmp_path / "2", "a", second), named(tmp_path / "3", "a", first)
        run_main(export, there, "--to", second, "--out", here, "--fps", 60)
        run_main(export, here, "--to", first, "--out", back, "--fps", 60)
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
    run_main(export, first, "--to", "json", "--out", tmp_path / "b.json")
    run_main(export, tmp_path / "b.json", "--to", "livelink", "--out", tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_bytes() == first.read_bytes()
    back = read_recording(tmp_path / "c.csv")
    for name in ANGLES:
        np.testing.assert_allclose(back.angles[name], source.angles[name], atol=1e-6)
    assert back.times_s is not None
    assert source.times_s is not None
    np.testing.assert_allclose(back.times_s, source.times_s, atol=1e-4)


@needs_case("22-mediapipe-results")
def test_lost_frames_are_named(tmp_path: Path, run_main: Main, capsys: Said) -> None:
    run_main(export, CASES / "22-mediapipe-results/lost.json", "--to", "json", "--out", tmp_path / "o.json")
    assert "2 dropped (lost.json 0.100–0.200 s) and 0 doubled frames in the sources" in capsys.readouterr().out


def test_what_is_left_out_is_said(tmp_path: Path, run_main: Main, capsys: Said) -> None:
    source = recording(6, frames=100)
    dropped = int(source.dropped_before.sum())
    path = write(tmp_path, "a", "livelink", source)
    run_main(export, path, "--to", "arkit", "--out", tmp_path / "b.csv")
    said = capsys.readouterr().out
    assert "exported 1 file as arkit, 100 frames" in said
    assert f"{dropped} dropped (a.csv " in said and ", …) and 0 doubled frames in the sources" in said
    assert "head and eye angles left out of 1, for arkit has no place for them" in said
    assert "times left out of 1" in said
    run_main(export, path, "--to", "livelink", "--out_fps", 60, "--out", tmp_path / "c.csv")
    said = capsys.readouterr().out
    assert f"{100 + dropped} frames" in said
    assert "left out" not in said


def test_resampling_keeps_time(tmp_path: Path, run_main: Main) -> None:
    times = np.arange(300) / 60
    values = np.repeat(0.5 + 0.4 * np.sin(2 * np.pi * times)[:, None], 52, axis=1)
    path = write(tmp_path, "a", "livelink", Recording(ARKIT, values, times, 60.0, {}, "livelink"))
    run_main(export, path, "--to", "json", "--out_fps", 25, "--out", tmp_path / "b.json")
    back = read_recording(tmp_path / "b.json")
    assert (back.fps, back.frames, back.duration_s) == (25, 125, 5)
    expected = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(125) / 25)
    np.testing.assert_allclose(back.curves()[8:-8, 3], expected[8:-8], atol=0.01)


def test_the_rate_of_a_csv_that_tells_none(tmp_path: Path, run_main: Main, capsys: Said) -> None:
    write_curves(tmp_path / "a.csv", np.random.default_rng(0).random((50, 52)))
    run_main(export, tmp_path / "a.csv", "--to", "json")
    assert json.loads((tmp_path / "a.json").read_text())["fps"] == 30
    assert "1 told no rate, so it was taken to be 30; --fps says another" in capsys.readouterr().out
    run_main(export, tmp_path / "a.csv", "--to", "json", "--fps", 25, "--out_fps", 50)
    document = json.loads((tmp_path / "a.json").read_text())
    assert (document["fps"], len(document["frames"])) == (50, 100)
    run_main(export, tmp_path / "a.csv", "--to", "alphabetical", "--out", tmp_path / "b.csv")
    assert "told no rate" not in capsys.readouterr().out  # nothing depends on it


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written(name: str, tmp_path: Path, run_main: Main, capsys: Said) -> None:
    write_curves(tmp_path / "a.csv", np.random.default_rng(0).random((4, 52)))
    run_main(export, tmp_path / "a.csv", "--to", name, "--out", tmp_path / "out" / f"b{FORMATS[name].suffix}")
    (written,) = (tmp_path / "out").iterdir()
    assert written.name == f"b{FORMATS[name].suffix}"
    assert capsys.readouterr().out.startswith(f"exported 1 file as {name}, 4 frames, 0.1 s: {written}")


def test_several_files_and_folders_give_a_folder(tmp_path: Path, run_main: Main) -> None:
    for number in range(4):
        write(tmp_path / "in", f"take{number}", LAYOUTS[number], recording(number))
    write(tmp_path, "other", "json", recording(4))
    run_main(export, tmp_path / "in", tmp_path / "other.json", "--to", "vmd", "--out", tmp_path / "out.v2")
    names = ["other", *(f"take{number}" for number in range(4))]
    assert sorted(path.name for path in (tmp_path / "out.v2").iterdir()) == [f"{name}.vmd" for name in names]
    run_main(export, tmp_path / "in", "--to", "vmd")
    assert len(list((tmp_path / "in").glob("*.vmd"))) == 4  # beside each source


def test_a_bad_file_in_a_folder_is_said(tmp_path: Path, run_main: Main, refusal: Refusal, capsys: Said) -> None:
    for number in range(4):
        write(tmp_path / "in", f"take{number}", LAYOUTS[number], recording(number))
    (tmp_path / "in" / "bad.csv").write_text("JawWiggle\n0\n")
    run_main(export, tmp_path / "in", "--to", "alphabetical", "--out", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"take{number}.csv" for number in range(4)]
    said = capsys.readouterr()
    assert "exported 4 files" in said.out
    assert "1 refused" in said.out
    assert 'bad.csv, line 1: "JawWiggle" is no ARKit blendshape' in said.err
    strict = refusal(export, tmp_path / "in", "--to", "alphabetical", "--out", tmp_path / "strict", "--strict")
    assert strict.startswith(str(tmp_path / "in" / "bad.csv"))
    (tmp_path / "bad").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "bad" / name).write_text("")
    assert "none of the 2 files" in refusal(export, tmp_path / "bad", "--to", "json", "--out", tmp_path / "out")


def test_a_head_that_lacks_shapes_is_said(tmp_path: Path, run_main: Main, capsys: Said) -> None:
    (tmp_path / "obj").mkdir()
    for name, lift in (("neutral", 0), ("jawOpen", 1)):
        (tmp_path / "obj" / f"{name}.obj").write_text(f"v 0 0 0\nv 1 0 {lift}\nv 1 1 0\nf 1 2 3\n")
    write_curves(tmp_path / "a.csv", np.zeros((2, 52)))
    run_main(export, tmp_path / "a.csv", "--to", "glb", "--head", tmp_path / "obj")
    assert "the head does not move for EyeBlinkLeft, " in capsys.readouterr().out
    run_main(export, tmp_path / "a.csv", "--to", "glb")
    assert "does not move" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["a.csv", "--to", "livelink"], "a.csv: is a source too; write to another place with --out"),
        (["a.csv", "--to", "alphabetical", "--out", "a.csv"], "is a source too"),
        ([".", "--to", "alphabetical", "--out", "."], "is a source too"),
        (["a.csv", "--to", "json", "--out", "b.csv"], "--out b.csv: json is .json; name it a.json or the like"),
        (["a.csv", "--to", "json", "--out", "b"], "--out b: json is .json"),
        (
            [".", "--to", "json", "--out", "b.json"],
            "--out b.json: names a file, but there may be several; name a folder",
        ),
        (["a.csv", "a.json", "--to", "vmd", "--out", "b"], "a.json: has the same stem as a.csv; keep one of them"),
        (["a.csv", "--to", "json", "--fps", "0"], "--fps 0: must be above 0 and at most 1000 frames a second"),
        (["a.csv", "--to", "json", "--out_fps", "nan"], "--out_fps nan: must be above 0"),
        (
            ["a.csv", "--to", "vmd", "--out_fps", "60"],
            "--out_fps 60: vmd has 30 frames a second, always; leave it away",
        ),
        (["none", "--to", "json"], "none: no such file or folder"),
        (["a.csv", "--to", "unity", "--head", "h.glb"], "--head: has no meaning for unity, only for glb"),
        (["a.csv", "--to", "glb", "--path", "Face"], "--path: has no meaning for glb, only for unity"),
        (["a.csv", "--to", "vmd", "--bone", "Head"], "--bone: has no meaning for vmd, only for unity"),
        (["a.csv", "--to", "json", "--names", "vowels"], "--names: has no meaning for json, only for vrma and vmd"),
        (["a.csv", "--to", "glb", "--head", "h.glb"], "h.glb: no such file or folder"),
        (
            ["a.csv", "--to", "glb", "--head", "a.csv"],
            "a.csv: not a head (.glb, .gltf, .vrm or a folder of OBJ shapes)",
        ),
        (["a.csv", "--to", "glb", "--head", "a.glb"], "a.glb: is a source too"),
    ],
)
def test_what_cannot_be_done_gets_its_line(
    words: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a", "arkit", recording(0))
    if "a.json" in words:
        write(tmp_path, "a", "json", recording(0))
    if "a.glb" in words:
        (tmp_path / "a.glb").write_bytes(DEFAULT_HEAD.read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert line in refusal(export, *words)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
