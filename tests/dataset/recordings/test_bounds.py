"""Curves that are damaged or made to harm: one line each, before memory is taken or time spent."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT, MOST_FRAMES, to_numbers
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from tests.helpers import CASES, needs_case, refused

HOSTILE = CASES / "hostile"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("c_epoch.csv", "line 5: time_s jumps by 1,700,000,000 s; 4 frames may span 600 s"),
        ("j_catnum.json", 'frame 0: a category without "categoryName" and "score"'),
        ("j_timecode.json", "stand at one time"),
        ("j_digits.json", "a number of 5,000 digits"),
        ("npt/n.npy", "not an npy array of numbers or text"),
        ("nph/n.npy", "its header says (99999999999, 52) of float64, but 3,338 bytes follow"),
    ],
)
@needs_case("hostile")
def test_a_hostile_file_gets_its_line(name: str, expected: str) -> None:
    assert expected in refused(read_recording, HOSTILE / name)


def timed(path: Path, times: list[object]) -> Path:
    rows: list[list[object]] = [["time_s", *ARKIT], *([time, *["0.1"] * 52] for time in times)]
    path.write_text("\n".join(",".join(str(cell) for cell in row) for row in rows))
    return path


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 0.04, 1.7e9], "line 4: time_s jumps by"),
        ([-1e308, 0, 1e308], "line 4: time_s jumps by"),
        ([0, 1e-9, 2e-9, 10], "frames a second; at most 1,000"),
        (list(range(0, 3600 * 40, 3600)), "time_s jumps by 3,600 s"),
    ],
)
def test_times_that_span_too_much_are_refused(tmp_path: Path, times: list[object], expected: str) -> None:
    assert expected in refused(read_recording, timed(tmp_path / "a.csv", times))


def test_a_break_of_minutes_is_no_mistake(tmp_path: Path) -> None:
    assert read_recording(timed(tmp_path / "a.csv", [0, 0.04, 0.08, 500])).dropped_before.sum() == 12_497


def test_a_rate_may_not_ask_for_more_frames_than_there_is_room_for() -> None:
    recording = Recording(("JawOpen",), np.zeros((3, 1)), None, 0.1, {}, "json")
    assert recording.at_rate(30).frames == 900
    with pytest.raises(UserError, match="more than 4,000,000; take a lower rate"):
        recording.at_rate(MOST_FRAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"fps": 1e-6, "names": NAMES, "frames": [ROW]}', "1 frames over 1,000,000 s"),
        ('{"names": NAMES, "frames": [[true, ROW]]}', 'EyeBlinkLeft is not a number: "True"'),
        ('{"names": NAMES, "frames": [["0_5", ROW]]}', 'EyeBlinkLeft is not a number: "0_5"'),
        ('{"names": NAMES, "frames": [[1' + "0" * 399 + ", ROW]]}", "EyeBlinkLeft is not a number"),
        ('{"names": NAMES, "frames": [[1e999, ROW]]}', 'EyeBlinkLeft is not a number: "inf"'),
        ('{"names": NAMES, "frames": [[[], ROW]]}', 'EyeBlinkLeft is not a number: "[]"'),
        ('{"names": ["Timecode", NAMES], "frames": [["00:00:00:00", ROW], [5, ROW]]}', "Timecode is not hours:"),
        ('{"a":' * 100_000, "not a json"),
    ],
)
def test_a_json_that_no_tool_writes_gets_its_line(tmp_path: Path, text: str, expected: str) -> None:
    names, row = json.dumps(ARKIT)[1:-1], ", ".join(["0.1"] * 52)
    short = ", ".join(["0.1"] * 51) if '"Timecode"' not in text else row
    bracketed = text.replace('"names": NAMES', f'"names": [{names}]').replace("[ROW]", f"[[{row}]]")
    (tmp_path / "a.json").write_text(bracketed.replace("NAMES", names).replace("ROW", short))
    assert expected in refused(read_recording, tmp_path / "a.json")


def test_one_key_of_very_many_that_is_there_twice_is_found(tmp_path: Path) -> None:
    keys = [f'"key{index}": 0' for index in range(30_000)]
    (tmp_path / "a.json").write_text("{" + ", ".join([*keys, keys[-1]]) + "}")
    assert '"key29999" is there twice' in refused(read_recording, tmp_path / "a.json")


def test_a_number_is_what_tables_write_as_one() -> None:
    good = to_numbers([["0.5", 1, 2.5, "1e-3", " 3 "]], "abcde", str)
    assert good.tolist() == [[0.5, 1, 2.5, 0.001, 3]]
    for cell in (True, "0_5", "", None, "nan", float("inf"), 10**400, [1], b"1"):
        with pytest.raises(UserError, match="row 0: a is not a number"):
            to_numbers([[cell]], "a", lambda row: f"row {row}")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (10**9, 52), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 52), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 52), }",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1, 52), }",
        "{('descr': '<f8'",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }",
        "[" * 3000,
        "",
    ],
)
def test_an_npy_header_is_held_against_the_file(tmp_path: Path, header: str) -> None:
    text = header.encode() + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 416)
    (tmp_path / "names.txt").write_text("\n".join(ARKIT))
    tracemalloc.start()
    assert (tmp_path / "a.npy").as_posix() in refused(read_recording, tmp_path / "a.npy").replace("\\", "/")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
