"""Names and groups against the contest's list, and the csv: by name whatever its order, exact, every mistake a line."""

from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import (
    ARKIT,
    EXTRA_COLUMNS,
    EYE,
    FACE,
    GROUPS,
    ROWS_AT_ONCE,
    canonical,
    indices,
    read_csv,
    to_arkit,
    write_columns,
    write_curves,
)
from tests import helpers
from tests.helpers import CAPTURES, needs_shared

# Apple's ARFaceAnchor.BlendShapeLocation, as Apple spells them.
APPLE = """\
browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight
eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight
jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight
mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft
mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight tongueOut"""


def refused(path: Path, required: tuple[str, ...] = ()) -> str:
    """What the line says after the file's name."""
    line = helpers.refused(read_csv, path, required)
    assert line.startswith(str(path))
    return line.removeprefix(str(path))


def test_the_names_are_apples() -> None:
    assert sorted(canonical(name) or name for name in APPLE.split()) == sorted(ARKIT)
    assert len(set(ARKIT)) == 52


def test_the_groups() -> None:
    assert {name: len(group) for name, group in GROUPS.items()} == {
        "face": 37, "jaw": 4, "mouth": 23, "brow": 5, "cheek_nose": 5, "eye": 14, "all": 52,
    }  # fmt: skip
    assert ARKIT[14:51] == FACE
    assert ARKIT[:14] == EYE
    assert GROUPS["jaw"] + GROUPS["mouth"] + GROUPS["brow"] + GROUPS["cheek_nose"] == FACE


@pytest.mark.parametrize(
    ("name", "arkit"),
    [
        ("jawOpen", "JawOpen"),
        ("JAWOPEN", "JawOpen"),
        (" jaw_open ", "JawOpen"),
        ("jaw-open", "JawOpen"),
        ("Jaw Open", "JawOpen"),
        ("mouthSmile_L", "MouthSmileLeft"),
        ("mouthSmile_R", "MouthSmileRight"),
        ("mouth_smile_l", "MouthSmileLeft"),
        ("jaw_L", "JawLeft"),
        ("browInnerUp_L", None),
        ("jawOpener", None),
        ("Timecode", None),
        ("", None),
    ],
)
def test_spellings(name: str, arkit: str | None) -> None:
    assert canonical(name) == arkit


def test_no_extra_column_is_taken_for_a_blendshape() -> None:
    assert not any(map(canonical, EXTRA_COLUMNS))


def test_channels_are_found_by_name() -> None:
    assert indices(ARKIT, ("JawOpen", "EyeBlinkLeft")) == [17, 0]
    with pytest.raises(KeyError):
        indices(FACE, ("TongueOut",))
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    full = to_arkit(values, ("TongueOut", "JawOpen", "EyeBlinkLeft"))
    assert (full.shape, full.dtype) == ((2, 52), np.float32)
    assert full[1, [51, 17, 0]].tolist() == [3, 4, 5]
    assert np.count_nonzero(full) == 5


def test_writing_and_reading_is_exact_to_six_decimals(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(-1.5, 1.5, (40, 52)).round(6)
    write_curves(tmp_path / "a.csv", values)
    table = read_csv(tmp_path / "a.csv", required=ARKIT)
    assert table.header == table.names == ARKIT
    assert np.array_equal(table.values, values)
    table.write(tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_channels_that_are_not_named_are_written_as_zero(tmp_path: Path) -> None:
    write_curves(tmp_path / "a.csv", np.full((3, 37), 0.25), FACE)
    table = read_csv(tmp_path / "a.csv", required=ARKIT)
    assert (table.select(FACE) == 0.25).all()
    assert not table.select((*EYE, "TongueOut")).any()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_any_order_byte_order_mark_and_line_end(tmp_path: Path, encoding: str, line_end: str) -> None:
    values = np.random.default_rng(1).random((5, 52)).round(4)
    order = np.random.default_rng(2).permutation(52)
    rows = [[ARKIT[i][0].lower() + ARKIT[i][1:] for i in order], *values[:, order].astype(str).tolist()]
    text = line_end.join(",".join(row) for row in rows) + 3 * line_end
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    table = read_csv(tmp_path / "a.csv", required=ARKIT)
    assert np.array_equal(table.select(ARKIT), values)


def test_live_links_right_before_left_is_read_by_name(tmp_path: Path) -> None:
    header = "Timecode,BlendShapeCount,JawForward,JawRight,JawLeft,JawOpen,MouthRight,MouthLeft,HeadYaw"
    (tmp_path / "a.csv").write_text(f"{header}\n13:13:04:31.652,61,0,0.1,0.2,0.3,0.4,0.5,-2.5\n")
    table = read_csv(tmp_path / "a.csv")
    assert table.select(("JawLeft", "JawRight", "MouthLeft", "MouthRight")).tolist() == [[0.2, 0.1, 0.5, 0.4]]
    others = {name: table.cells(column) for name, column in table.other_columns().items()}
    assert others == {"Timecode": ["13:13:04:31.652"], "BlendShapeCount": ["61"], "HeadYaw": ["-2.5"]}


@needs_shared(CAPTURES)
def test_real_captures_come_back_to_the_letter(tmp_path: Path) -> None:
    for path in sorted(CAPTURES.glob("*.csv")):
        table = read_csv(path, required=ARKIT)
        assert set(table.names) == set(ARKIT)
        assert table.names.index("JawRight") < table.names.index("JawLeft")
        column = path.read_text(encoding="utf-8-sig").splitlines()[0].lower().split(",").index("jawleft")
        cells = [line.split(",")[column] for line in path.read_text(encoding="utf-8-sig").splitlines()[1:]]
        assert table.select(("JawLeft",))[:, 0].tolist() == [float(cell) for cell in cells]
        table.write(tmp_path / path.name)
        assert (tmp_path / path.name).read_text().split() == path.read_text(encoding="utf-8-sig").split()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ": empty file; expected a header with blendshape names"),
        ("\n\n", ": empty file; expected a header with blendshape names"),
        ("JawOpen,JawLeft\n", ": a header but no frames"),
        ("JawOpen;JawLeft\n0;0\n", ", line 1: columns separated by semicolons; export it with commas"),
        ("JawOpen,Smile\n0,0\n", ', line 1: "Smile" is no ARKit blendshape; rename or remove the column'),
        ("0.1,0.2\n0,0\n", ', line 1: "0.1" is no ARKit blendshape'),
        (",JawOpen\n0,0\n", ', line 1: "" is no ARKit blendshape'),
        ("JawOpen,jaw_open\n0,0\n", ', line 1: two columns for JawOpen (the second is "jaw_open"); keep one'),
        ("JawOpen,JawLeft\n0,0\n0\n", ", line 3: 1 cells, but the header has 2"),
        ("JawOpen,JawLeft\n0,0,0\n", ", line 2: 3 cells, but the header has 2"),
        ("JawOpen\n0\n\n0\n", ", line 3: 0 cells, but the header has 1"),
        ("JawOpen,JawLeft\n0,0\n0,abc\n", ', line 3: JawLeft is not a number: "abc"'),
        ("JawOpen,JawLeft\n0,\n", ', line 2: JawLeft is not a number: ""'),
        ("JawOpen,JawLeft\nnan,0\n", ', line 2: JawOpen is not a number: "nan"'),
        ("JawOpen,JawLeft\n0,0\n0,inf\n", ', line 3: JawLeft is not a number: "inf"'),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert refused(tmp_path / "a.csv").startswith(line)


def test_missing_columns_are_counted(tmp_path: Path) -> None:
    write_curves(tmp_path / "a.csv", np.zeros((1, 52)))
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text("JawOpen\n0\n")
    message = ", line 1: no column for EyeBlinkLeft, EyeLookDownLeft, EyeLookInLeft and 48 more"
    assert refused(tmp_path / "a.csv", required=ARKIT) == message
    (tmp_path / "b.csv").write_text(text.replace("TongueOut", "Timecode"))
    assert refused(tmp_path / "b.csv", required=ARKIT) == ", line 1: no column for TongueOut"


def test_files_that_are_no_text(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.csv") == ": No such file or directory"
    assert refused(tmp_path) == ": Is a directory"
    (tmp_path / "excel.csv").write_text("JawOpen\n0\n", encoding="utf-16")
    assert refused(tmp_path / "excel.csv") == ": not a csv text file in UTF-8; save it as one"
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    assert refused(tmp_path / "binary.csv") == ": not a csv text file in UTF-8; save it as one"


def test_more_rows_than_are_read_at_once(tmp_path: Path) -> None:
    rows = 2 * ROWS_AT_ONCE + 5
    values = np.random.default_rng(0).random((rows, 2)).round(6)
    columns = {"Timecode": [f"a, {row}" if row % 1000 == 0 else f'"{row}"' for row in range(rows)]}
    for name, text in (("plain", [str(row) for row in range(rows)]), ("quoted", columns["Timecode"])):
        path = tmp_path / f"{name}.csv"
        write_columns(path, {"Timecode": text, "JawOpen": values[:, 0], "JawLeft": values[:, 1]})
        table = read_csv(path)
        assert np.array_equal(table.values, values) and table.cells("Timecode") == text
        cut = table.cut(slice(ROWS_AT_ONCE - 1, ROWS_AT_ONCE + 2))
        assert cut.records[0] == table.records[ROWS_AT_ONCE - 1] and len(cut.records) == 3
        table.write(tmp_path / "again.csv")
        assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()
        table.write(tmp_path / "changed.csv", {"JawLeft": values[:, 0]})
        assert np.array_equal(read_csv(tmp_path / "changed.csv").values[:, [0, 0]], values[:, [0, 0]])
    lines = (tmp_path / "plain.csv").read_text().split("\n")
    lines[ROWS_AT_ONCE + 9] = "1,x,0"
    (tmp_path / "plain.csv").write_text("\n".join(lines))
    assert refused(tmp_path / "plain.csv") == f', line {ROWS_AT_ONCE + 10}: JawOpen is not a number: "x"'
    lines[ROWS_AT_ONCE + 9] = "1,0"
    (tmp_path / "plain.csv").write_text("\n".join(lines))
    assert refused(tmp_path / "plain.csv") == f", line {ROWS_AT_ONCE + 10}: 2 cells, but the header has 3"


def test_more_frames_than_a_file_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataset.blendshapes.MOST_FRAMES", 3)
    write_curves(tmp_path / "a.csv", np.zeros((4, 52)))
    assert refused(tmp_path / "a.csv") == ": 4 frames, more than the 3 of one file; split it"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_written(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.csv"
    curves = np.zeros((5, len(ARKIT)))
    curves[3, ARKIT.index("JawOpen")] = value
    assert helpers.refused(write_curves, path, curves) == f"{path}: not written: JawOpen is not finite in frame 4"
    assert not path.exists()
