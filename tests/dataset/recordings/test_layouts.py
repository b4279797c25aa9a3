import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ANGLES, ARKIT, EXTRA_COLUMNS, canonical
from dataset.recordings.layout_writers import ALPHABETICAL, LIVE_LINK
from dataset.recordings.layouts import find_recordings, preferred_takes, read_recording, take_of
from dataset.recordings.recording import Recording
from tests.helpers import CAPTURES, refused

TONGUELESS = ALPHABETICAL[:-1]


def camel(name: str) -> str:
    return name[0].lower() + name[1:]


def lettered(name: str) -> str:
    """eyeBlink_L, as iFacialMocap and Face Cap spell it; their jawLeft and mouthLeft keep the word."""
    for side in ("Left", "Right"):
        if name.endswith(side) and name not in ("JawLeft", "JawRight", "MouthLeft", "MouthRight"):
            return f"{camel(name).removesuffix(side)}_{side[0]}"
    return camel(name)


def curves(frames: int, names: tuple[str, ...] = ARKIT, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, len(names)))


def csv_file(path: Path, header: list[str], columns: list[list[str]] | np.ndarray) -> Path:
    rows = zip(*columns, strict=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def json_file(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def by_name(recording: Recording, names: tuple[str, ...], values: np.ndarray) -> None:
    """Every channel of `names` holds its column of `values`, wherever the file had it."""
    full = dict(zip(ARKIT, recording.curves().T, strict=True))
    for name, column in zip(names, values.T, strict=True):
        np.testing.assert_allclose(full[name], column, atol=1e-12, err_msg=name)


# Real captures


@pytest.mark.parametrize(
    ("stem", "frames", "dropped", "duration_s", "first"),
    [
        ("alex_rom_3", 4030, {596: 1, 2125: 1, 3619: 1}, 134.4152, 13 * 3600 + 13 * 60 + 4 + 31.652 / 60),
        ("alex_rom_4", 3809, {810: 1, 2309: 1}, 127.0159, 16 * 3600 + 55 * 60 + 51 + 38.453 / 60),
    ],
)
def test_a_real_live_link_capture(stem: str, frames: int, dropped: dict, duration_s: float, first: float) -> None:
    file = CAPTURES / f"{stem}.csv"
    recording = read_recording(file)
    assert recording.layout == "livelink"
    assert recording.names == LIVE_LINK
    assert set(recording.angles) == set(ANGLES)
    assert (recording.fps, recording.frames) == (30, frames)
    assert recording.duration_s == pytest.approx(duration_s, abs=1e-4)
    assert recording.start_s == pytest.approx(first, abs=1e-9)
    missing = recording.dropped_before
    assert {int(row): int(missing[row]) for row in np.flatnonzero(missing)} == dropped
    assert len(recording.doubled_rows) == 0
    # Independent of our reader: the cells of a channel that Live Link Face orders differently than the contest.
    with file.open() as text:
        rows = list(csv.DictReader(text))
    cells = np.array([float(row["JawLeft"]) for row in rows])
    np.testing.assert_array_equal(recording.values[:, recording.names.index("JawLeft")], cells)
    np.testing.assert_array_equal(recording.angles["HeadPitch"], [float(row["HeadPitch"]) for row in rows])
    even = recording.at_rate(30)
    assert even.frames == round(duration_s * 30)
    row = 2000  # a frame after the first dropped one stands one row later on the even grid, at its own time
    assert recording.times_s is not None
    assert abs(recording.times_s[row] - (row + missing[: row + 1].sum()) / 30) < 0.01


# Layouts


def test_contest_csv_in_any_order(tmp_path: Path) -> None:
    names = tuple(np.random.default_rng(1).permutation(ARKIT))
    values = curves(5, names)
    recording = read_recording(csv_file(tmp_path / "a.csv", list(names), values.T.astype(str)))
    assert (recording.layout, recording.fps, recording.times_s, recording.duration_s) == ("arkit", None, None, None)
    by_name(recording, names, values)


def test_case_and_separators_do_not_matter(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    values = curves(3)
    for trial in range(20):
        header = []
        for name in ARKIT:
            words = "".join(f" {letter}" if letter.isupper() else letter for letter in name).split()
            style = random.choice(["snake", "kebab", "space", "lower", "upper", "dot"])
            joint = {"snake": "_", "kebab": "-", "space": " ", "dot": "."}.get(style, "")
            header.append(joint.join(words).upper() if style == "upper" else joint.join(words).lower())
        by_name(read_recording(csv_file(tmp_path / f"{trial}.csv", header, values.T.astype(str))), ARKIT, values)


def test_no_spelling_is_two_channels() -> None:
    spellings = [(spell(name), name) for name in ARKIT for spell in (str, camel, lettered, str.upper)]
    assert all(canonical(spelling) == name for spelling, name in spellings)
    assert all(canonical(name) is None for name in EXTRA_COLUMNS)


@pytest.mark.parametrize("count", ["BlendshapeCount", "BlendShapeCount"])
def test_live_link_columns_in_either_spelling(tmp_path: Path, count: str) -> None:
    values, angles = curves(3, LIVE_LINK), curves(3, ANGLES, 1) - 0.5
    columns = [["1:2:3:4.500", "1:2:3:6.500", "1:2:3:8.500"], ["61"] * 3, *values.T.astype(str), *angles.T.astype(str)]
    recording = read_recording(csv_file(tmp_path / "a.csv", ["Timecode", count, *LIVE_LINK, *ANGLES], columns))
    by_name(recording, LIVE_LINK, values)
    for name, angle in zip(ANGLES, angles.T, strict=True):
        np.testing.assert_array_equal(recording.angles[name], angle)
    assert recording.layout == "livelink"
    assert recording.times_s == pytest.approx([0, 1 / 30, 2 / 30])
    assert recording.start_s == pytest.approx(3723 + 4.5 / 60)


@pytest.mark.parametrize("scale", [1, 100])
def test_ifacialmocap_finds_its_scale(tmp_path: Path, scale: int) -> None:
    values = curves(4)
    header = [lettered(name) for name in ARKIT]
    recording = read_recording(csv_file(tmp_path / "a.csv", header, (values * scale).T.astype(str)))
    by_name(recording, ARKIT, values)
    assert (recording.layout, recording.percent) == ("ifacialmocap", scale == 100)


def test_an_overshoot_is_no_percentage(tmp_path: Path) -> None:
    values = curves(4)
    values[2, 17] = 1.3
    recording = read_recording(csv_file(tmp_path / "a.csv", [lettered(name) for name in ARKIT], values.T.astype(str)))
    by_name(recording, ARKIT, values)


def test_a_glitch_of_a_live_link_take_is_kept(tmp_path: Path) -> None:
    values = curves(4)
    values[2, 17] = 2.5
    columns = [[f"1:2:3:{i}" for i in range(4)], *values.T.astype(str)]
    by_name(read_recording(csv_file(tmp_path / "a.csv", ["Timecode", *ARKIT], columns)), ARKIT, values)


@pytest.mark.parametrize("column", ["timestamp_ms", "time_ms", "time", "time_s"])
def test_mediapipe_csv(tmp_path: Path, column: str) -> None:
    values = curves(30, TONGUELESS)
    times = 5 + np.arange(30) / 25
    cells = [*(times * (1000 if column.endswith("ms") else 1))[None].astype(str), ["0.9"] * 30, *values.T.astype(str)]
    header = [column, "_neutral", *map(camel, TONGUELESS)]
    recording = read_recording(csv_file(tmp_path / "a.csv", header, cells))
    by_name(recording, TONGUELESS, values)
    assert (recording.layout, recording.fps) == ("mediapipe", 25)
    assert "TongueOut" not in recording.names
    assert not recording.curves()[:, ARKIT.index("TongueOut")].any()
    assert recording.times_s == pytest.approx(times - 5)


@pytest.mark.parametrize("form", ["scores", "categories", "lists"])
def test_mediapipe_json(tmp_path: Path, form: str) -> None:
    values = curves(6, TONGUELESS)
    names = ["_neutral", *map(camel, TONGUELESS)]
    rows = [[0.5, *row] for row in values.tolist()]
    document = {
        "scores": [{"timestamp_ms": 40 * i, **dict(zip(names, row, strict=True))} for i, row in enumerate(rows)],
        "categories": {
            "frames": [
                {
                    "timestamp_ms": 40 * i,
                    "categories": [{"categoryName": n, "score": v} for n, v in zip(names, row, strict=True)],
                }
                for i, row in enumerate(rows)
            ]
        },
        "lists": {"names": names, "fps": 25, "frames": rows},
    }[form]
    recording = read_recording(json_file(tmp_path / "a.json", document))
    by_name(recording, TONGUELESS, values)
    assert (recording.layout, recording.fps) == ("mediapipe", 25)


@pytest.mark.parametrize("timed", [True, False])
def test_beat_json(tmp_path: Path, timed: bool) -> None:
    values = curves(90, TONGUELESS)
    times = [{"time": round(i / 60, 4)} if timed else {} for i in range(90)]
    frames = [{"weights": row, "rotation": [], **time} for row, time in zip(values.tolist(), times, strict=True)]
    recording = read_recording(
        json_file(tmp_path / "a.json", {"names": list(map(camel, TONGUELESS)), "frames": frames})
    )
    by_name(recording, TONGUELESS, values)
    assert (recording.layout, recording.fps) == ("beat", 60)
    assert recording.duration_s == pytest.approx(1.5, abs=1e-3)
    assert (recording.times_s is not None) == timed


@pytest.mark.parametrize("names_file", ["a_names.txt", "a_names.json", "a_names.npy", "names.txt"])
def test_npy_with_a_names_file(tmp_path: Path, names_file: str) -> None:
    values = curves(4, TONGUELESS).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    names = [camel(name) for name in TONGUELESS]
    if names_file.endswith(".npy"):
        np.save(tmp_path / names_file, np.array(names))
    else:
        (tmp_path / names_file).write_text(json.dumps(names) if ".json" in names_file else "\r\n".join(names) + "\n")
    recording = read_recording(tmp_path / "a.npy")
    by_name(recording, TONGUELESS, values.astype(float))
    assert recording.layout == "npy"
    assert find_recordings(tmp_path) == [tmp_path / "a.npy"]


def test_npy_in_percent(tmp_path: Path) -> None:
    values = curves(4)
    np.save(tmp_path / "a.npy", values * 100)
    (tmp_path / "a_names.txt").write_text("\n".join(ARKIT))
    by_name(read_recording(tmp_path / "a.npy"), ARKIT, values)


def test_takes_are_told_by_their_names(tmp_path: Path) -> None:
    names = ["s1_raw.csv", "s1_cal.csv", "s1_neutral.csv", "s2.csv", "s2_raw.csv", "s3_RAW.csv", "s4_neutral.csv"]
    files = [tmp_path / name for name in names]
    assert take_of(files[0]) == ("s1", "raw")
    assert take_of(tmp_path / "neutral.csv") == ("neutral", "")
    best = {clip: file.name for clip, file in preferred_takes(files).items()}
    assert best == {"s1": "s1_cal.csv", "s2": "s2.csv", "s3": "s3_RAW.csv"}
    with pytest.raises(UserError, match="the same clip as"):
        preferred_takes([tmp_path / "s1.csv", tmp_path / "s1.json"])


def test_what_live_link_face_writes_about_a_take_is_no_recording(tmp_path: Path) -> None:
    for name in ("s1.csv", "s1.json", "take.json", "video_metadata.json", "frame_log.csv", "s2.json"):
        (tmp_path / name).touch()
    assert [file.name for file in find_recordings(tmp_path)] == ["s1.csv", "s2.json"]


def test_one_frame_is_a_recording(tmp_path: Path) -> None:
    columns = [["1:2:3:4"], *curves(1).T.astype(str)]
    recording = read_recording(csv_file(tmp_path / "a_neutral.csv", ["Timecode", *ARKIT], columns))
    assert (recording.frames, recording.fps, recording.duration_s) == (1, None, None)
    assert recording.at_rate(30).frames == 1


# Resampling a recording


def test_at_rate_bridges_drops_and_doubles_and_carries_angles() -> None:
    times = np.delete(np.arange(121), [30, 31, 77]) / 60
    times = np.insert(times, 50, times[50])
    ramp = np.column_stack([times / 2, 1 - times / 2])
    recording = Recording(("JawOpen", "JawLeft"), ramp, times, 60.0, {"HeadYaw": times}, "livelink", start_s=7.0)
    assert recording.dropped_before.sum() == 3
    assert recording.dropped_before[30] == 2
    np.testing.assert_array_equal(recording.doubled_rows, [51])
    even = recording.at_rate(60)
    assert (even.frames, even.fps, even.times_s, even.start_s) == (121, 60, None, 7)
    np.testing.assert_allclose(even.angles["HeadYaw"], np.arange(121) / 60, atol=1e-6)
    np.testing.assert_allclose(even.values[:, 1], 1 - np.arange(121) / 120, atol=1e-6)
    half = recording.at_rate(30)
    assert half.frames == 61
    np.testing.assert_allclose(half.angles["HeadYaw"][8:-8], np.arange(61)[8:-8] / 30, atol=1e-5)


def test_at_rate_says_the_rate_where_nothing_tells_it() -> None:
    values = curves(10)
    recording = Recording(ARKIT, values, None, None, {}, "arkit")
    said = recording.at_rate(25)
    assert (said.fps, said.duration_s) == (25, 0.4)
    np.testing.assert_array_equal(said.values, values)
    assert said.at_rate(50).frames == 20
    assert said.at_rate(25, frames=7).frames == 7


# Malformed files


def good() -> dict[str, list[str]]:
    """Columns of a contest csv of three frames."""
    return {name: [f"{value:.6f}" for value in column] for name, column in zip(ARKIT, curves(3).T, strict=True)}


def changed(**columns: list[str]) -> dict[str, list[str]]:
    return {**good(), **columns}


def without(*names: str) -> dict[str, list[str]]:
    return {name: cells for name, cells in good().items() if name not in names}


def own(**keys: object) -> dict[str, object]:
    return {"fps": 30, "names": list(ARKIT), "frames": curves(3).tolist(), **keys}


def beat(**frame: object) -> dict[str, object]:
    frames = [{"weights": row, "time": i / 60} for i, row in enumerate(curves(3).tolist())]
    frames[1].update(frame)
    return {"names": list(ARKIT), "frames": frames}


def scores(**keys: object) -> list[dict[str, object]]:
    return [dict.fromkeys(ARKIT, 0.5), {**dict.fromkeys(ARKIT, 0.5), **keys}]


CSV: dict[str, tuple[dict[str, list[str]], str]] = {
    "unknown column": (changed(JawWiggle=["0"] * 3), 'a.csv, line 1: "JawWiggle" is no ARKit blendshape'),
    "two spellings": (changed(jaw_open=["0"] * 3), 'line 1: two columns for JawOpen (the second is "jaw_open")'),
    "two spellings of a side": (changed(mouthSmile_L=["0"] * 3), "line 1: two columns for MouthSmileLeft"),
    "two angles": (changed(HeadYaw=["0"] * 3, head_yaw=["0"] * 3), "line 1: two columns for HeadYaw"),
    "missing channel": (without("CheekPuff"), "line 1: no column for CheekPuff"),
    "missing channels": (without(*ARKIT[:5]), "EyeLookInLeft and 2 more"),
    "text": (changed(JawOpen=["0", "abc", "0"]), 'line 3: JawOpen is not a number: "abc"'),
    "empty cell": (changed(JawOpen=["0", "", "0"]), 'line 3: JawOpen is not a number: ""'),
    "nan": (changed(JawOpen=["0", "0", "nan"]), 'line 4: JawOpen is not a number: "nan"'),
    "infinite": (changed(JawOpen=["-inf", "0", "0"]), 'line 2: JawOpen is not a number: "-inf"'),
    "percent without its names": (changed(JawOpen=["0", "87", "0"]), "line 3: JawOpen is 87; coefficients run from 0"),
    "angle is text": (changed(HeadYaw=["0", "0", "up"]), 'line 4: HeadYaw is not a number: "up"'),
    "three-part timecode": (changed(Timecode=["1:2:3"] * 3), "line 2: Timecode is not hours:minutes:sec"),
    "empty timecode": (changed(Timecode=["1:2:3:4", "", "1:2:3:5"]), "line 3: Timecode is not"),
    "minute 60": (changed(Timecode=["1:2:3:4", "1:60:3:4", "1:2:3:5"]), "line 3: Timecode is not"),
    "hour 24": (changed(Timecode=["24:2:3:4"] * 3), "line 2: Timecode is not"),
    "timecode runs back": (changed(Timecode=["1:2:3:4", "1:2:3:6", "1:2:3:5"]), "line 4: Timecode runs back, from"),
    "timecode stands still": (changed(Timecode=["1:2:3:4"] * 3), "all 3 frames stand at one time"),
    "time is text": (changed(time_s=["0", "soon", "1"]), 'line 3: time_s is not a number: "soon"'),
    "time runs back": (changed(time_ms=["0", "40", "20"]), "line 4: time_ms runs back from 0.04 to 0.02"),
    "frame numbers skip": (changed(frame=["1", "2", "4"]), "line 4: frame skips: add a time_s column"),
}  # fmt: skip
TEXT: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.csv", b"", "empty file"),
    "no frames": ("a.csv", ",".join(ARKIT).encode(), "a header but no frames"),
    "short row": ("a.csv", (",".join(ARKIT) + "\n0,0\n").encode(), "line 2: 2 cells, but the header has 52"),
    "utf-16": ("a.csv", ",".join(ARKIT).encode("utf-16"), "not a csv text file in UTF-8"),
    "semicolons": ("a.csv", (";".join(ARKIT) + "\n0;0\n").encode(), "columns separated by semicolons"),
    "a newline in a name": ("a.csv", b'"Jaw\nOpen!"\n0\n', '"Jaw Open!" is no ARKit blendshape'),
    "another suffix": ("a.fbx", b"", 'curves come as .csv, .json, .npy, not as ".fbx"'),
    "cut json": ("a.json", b'{"names": ["JawOpen"],\n "frames": [[0.', "line 2: not json"),
    "empty json": ("a.json", b"", "line 1: not json"),
    "latin-1 json": ("a.json", '{"é": 1}'.encode("latin-1"), "not a json text file in UTF-8"),
    "key twice": ("a.json", b'[{"jawOpen": 0, "jawOpen": 1}]', '"jawOpen" is there twice'),
    "deep json": ("a.json", b"[" * 100_000, "not"),
    "cut npy": ("a.npy", b"\x93NUMPY\x01\x00v", "not an npy array"),
}
JSON: dict[str, tuple[object, str]] = {
    "a number": (3, 'no "frames" list'),
    "no frames": ({"names": list(ARKIT), "frames": []}, 'no "frames" list with a frame in it'),
    "frames of text": (own(frames=["a"]), "frame 0: not an object, or not a list"),
    "frames of two kinds": (own(frames=[*curves(2).tolist(), {}]), "frame 0: not an object, or not a list"),
    "no names": ({"frames": curves(2).tolist()}, 'no "names" list'),
    "names of numbers": (own(names=list(range(52))), 'no "names" list'),
    "fewer names": (own(names=list(ARKIT[:50])), "frame 0: 52 numbers, but there are 50 names"),
    "ragged": (own(frames=[*curves(2).tolist(), [0.5] * 51]), "frame 2: 51 numbers, but there are 52 names"),
    "unknown name": (own(names=[*ARKIT[:51], "tongue"]), '"tongue" is no ARKit blendshape'),
    "two spellings": (own(names=[*ARKIT[:51], "jaw_open"]), "two columns for JawOpen"),
    "null": (own(frames=[[None] * 52]), 'frame 0: EyeBlinkLeft is not a number: "None"'),
    "nested": (own(frames=[[[0.5]] * 52]), "frame 0: EyeBlinkLeft is not a number"),
    "nan": (own(frames=[[float("nan")] * 52]), 'frame 0: EyeBlinkLeft is not a number: "nan"'),
    "fps 0": (own(fps=0), '"fps" must be a number above 0, found 0'),
    "fps in words": (own(fps="thirty"), "\"fps\" must be a number above 0, found 'thirty'"),
    "times too few": (own(times_s=[0, 1]), "2 values of time_s, but 3 frames"),
    "times no list": (own(times_s=3), "time_s is not a list of numbers"),
    "times run back": (own(times_s=[0, 2, 1]), "frame 2: time_s runs back from 2 to 1"),
    "angles a list": (own(angles=[1, 2]), '"angles" is not an object of lists'),
    "unknown angle": (own(angles={"NeckYaw": [0, 0, 0]}), '"NeckYaw" is no head or eye angle'),
    "angle too short": (own(angles={"HeadYaw": [0]}), "1 values of HeadYaw, but 3 frames"),
    "beat without weights": (beat(weights=None), "frame 1: no list of numbers"),
    "beat without a time": (beat(time=None), 'frame 1: time is not a number: "None"'),
    "beat with another count": (beat(weights=[0.5] * 51), "frame 1: 51 numbers, but there are 52 names"),
    "scores change": (scores(_neutral=0.1), 'frame 1: "_neutral" is here or in frame 0, but not in both'),
    "score is text": (scores(JawOpen="wide"), 'frame 1: JawOpen is not a number: "wide"'),
    "category without score": ([{"categories": [{"categoryName": "jawOpen"}]}], "frame 0: a category without"),
    "category twice": ([{"categories": [{"categoryName": "jawOpen", "score": 0}] * 2}], "frame 0: a category is there"),
}  # fmt: skip


def line_of(path: Path) -> str:
    line = refused(read_recording, path)
    assert line.startswith(str(path.parent)), "names the file"
    return line


@pytest.mark.parametrize("case", CSV)
def test_a_malformed_csv_gets_its_line(tmp_path: Path, case: str) -> None:
    columns, expected = CSV[case]
    assert expected in line_of(csv_file(tmp_path / "a.csv", list(columns), list(columns.values())))


@pytest.mark.parametrize("case", TEXT)
def test_a_malformed_file_gets_its_line(tmp_path: Path, case: str) -> None:
    name, content, expected = TEXT[case]
    (tmp_path / name).write_bytes(content)
    (tmp_path / "names.txt").write_text("\n".join(ARKIT))
    assert expected in line_of(tmp_path / name)


@pytest.mark.parametrize("case", JSON)
def test_a_malformed_json_gets_its_line(tmp_path: Path, case: str) -> None:
    document, expected = JSON[case]
    assert expected in line_of(json_file(tmp_path / "a.json", document))


@pytest.mark.parametrize(
    ("array", "names", "expected"),
    [
        (curves(3), None, "no names of its channels; write them, one a line, to a_names.txt"),
        (curves(3), ARKIT[:51], "52 channels, but"),
        (curves(3), [*ARKIT[:51], "jaw_open"], "two columns for JawOpen"),
        (curves(3)[:, :50], ARKIT[:50], "no column for NoseSneerRight"),
        (curves(3)[0], ARKIT, "expected numbers of shape (frames, channels)"),
        (curves(3).astype(str), ARKIT, "expected numbers of shape (frames, channels)"),
        (curves(0), ARKIT, "expected numbers of shape (frames, channels)"),
        (np.full((2, 52), np.nan), ARKIT, 'frame 0: EyeBlinkLeft is not a number: "nan"'),
        (np.full((2, 52), 2000.0), ARKIT, "frame 0: EyeBlinkLeft is 2000; coefficients run from 0 to 1"),
        (np.array([{"a": 1}]), ARKIT, "not an npy array of numbers or text"),
    ],
)
def test_a_malformed_npy_gets_its_line(
    tmp_path: Path, array: np.ndarray, names: list[str] | None, expected: str
) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    if names is not None:
        (tmp_path / "a_names.txt").write_text("\n".join(names))
    assert expected in line_of(tmp_path / "a.npy")


def test_a_missing_file_gets_its_line(tmp_path: Path) -> None:
    for name in ("a.csv", "a.json"):
        assert "No such file" in line_of(tmp_path / name)


def test_names_that_are_none_get_their_line(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", curves(3))
    breakers: dict[str, Callable[[Path], object]] = {
        "a_names.json": lambda path: path.write_text('{"JawOpen": 1}'),
        "a_names.npy": lambda path: np.save(path, np.arange(52)),
        "a_names.txt": lambda path: path.write_bytes("JawOpen é".encode("latin-1")),
    }
    for name, breaks in breakers.items():
        breaks(tmp_path / name)
        assert "channel names" in line_of(tmp_path / "a.npy")
        (tmp_path / name).unlink()
