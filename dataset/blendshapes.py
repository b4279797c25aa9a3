"""The 52 ARKit blendshapes: names, groups, and the curve CSV, always by name and never by position."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from config.errors import UserError
from config.files import MEBIBYTE, regular, written_whole

# The contest's order, which is also the order of Unreal's Live Link enum.
ARKIT: tuple[str, ...] = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft",
    "EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight",
    "EyeSquintRight", "EyeWideRight", "JawForward", "JawLeft", "JawRight", "JawOpen", "MouthClose", "MouthFunnel",
    "MouthPucker", "MouthLeft", "MouthRight", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft",
    "MouthFrownRight", "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight",
    "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight",
    "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft",
    "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft",
    "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut",
)  # fmt: skip


def _starting(*prefixes: str) -> tuple[str, ...]:
    return tuple(name for name in ARKIT if name.startswith(prefixes))


EYE = _starting("Eye")  # 14
JAW = _starting("Jaw")
MOUTH = _starting("Mouth")
BROW = _starting("Brow")
CHEEK_NOSE = _starting("Cheek", "Nose")
FACE = JAW + MOUTH + BROW + CHEEK_NOSE  # the contest's 37, in its order
GROUPS: dict[str, tuple[str, ...]] = {
    "face": FACE, "jaw": JAW, "mouth": MOUTH, "brow": BROW, "cheek_nose": CHEEK_NOSE, "eye": EYE, "all": ARKIT,
}  # fmt: skip

# The head and eye angles that Live Link Face records beside the blendshapes, in its order.
ANGLES: tuple[str, ...] = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch",
    "RightEyeRoll",
)  # fmt: skip
# Columns that are no blendshape: of Live Link Face, of MediaPipe, and a frame's number or time.
EXTRA_COLUMNS = ("Timecode", "BlendShapeCount", *ANGLES, "_neutral",
                 "frame", "time", "time_s", "time_ms", "timestamp_ms")  # fmt: skip
DECIMALS = 6
MOST_CSV_BYTES = 4096 * MEBIBYTE  # 8 million frames
HEADER_ROW = -1  # the row that a csv's header is, counted as its frames are


def _key(name: str) -> str:
    return re.sub(r"[\s_.\-]", "", name.lower())


def _keys(name: str) -> tuple[str, ...]:
    """A sided channel is also known by its side's letter: mouthsmileleft, mouthsmilel."""
    key = _key(name)
    return (key, re.sub("(l)eft$|(r)ight$", r"\1\2", key))


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:40]}…"  # a header with other separators is one long name


_BY_KEY = {key: name for name in ARKIT for key in _keys(name)}
_EXTRA_BY_KEY = {_key(name): name for name in EXTRA_COLUMNS}


def canonical(name: str) -> str | None:
    """The ARKit name of a column, whatever its case and separators (`jaw_open`, `mouthSmile_L`); None if it is none."""
    return _BY_KEY.get(_key(name))


def canonical_extra(name: str) -> str | None:
    """The name among EXTRA_COLUMNS of a column that is no blendshape (`blendshapecount`); None if it is none."""
    return _EXTRA_BY_KEY.get(_key(name))


def indices(names: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Where each wanted channel stands in `names`. Raises KeyError for one that is not there."""
    place = {name: index for index, name in enumerate(names)}
    return [place[name] for name in wanted]


def to_arkit(values: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(frames, len(names)) placed by name among the 52 channels, the others 0 → (frames, 52), same dtype."""
    full = np.zeros((len(values), len(ARKIT)), values.dtype)
    full[:, indices(ARKIT, names)] = values
    return full


def channel_columns(place: str, header: tuple[str, ...]) -> dict[int, str]:
    """Column index → ARKit name, for the columns that are channels.

    Raises UserError, beginning with `place`, for a column that is neither a blendshape nor one of EXTRA_COLUMNS, and
    for two columns of one meaning.
    """
    channels: dict[int, str] = {}
    taken: set[str] = set()
    for index, name in enumerate(header):
        arkit = canonical(name)
        meaning = arkit or canonical_extra(name)
        if meaning is None:
            mend = (
                "rename or remove the column" if any(map(canonical, header)) else "the first line must name the columns"
            )
            raise UserError(f'{place}: "{_shown(name)}" is no ARKit blendshape; {mend}')
        if meaning in taken:
            raise UserError(f'{place}: two columns for {meaning} (the second is "{name}"); keep one')
        taken.add(meaning)
        if arkit is not None:
            channels[index] = arkit
    return channels


def require_channels(place: str, names: tuple[str, ...], required: tuple[str, ...]) -> None:
    """Raises UserError, beginning with `place`, when a required channel is not among the names."""
    missing = [name for name in required if name not in names]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(f"{place}: no column for {', '.join(missing[:3])}{more}")


def to_numbers(cells: Sequence[Sequence[object]], names: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """Rows of cells → (rows, len(names)) float64. place: a row's index → where that is, in words.

    Raises UserError for a cell that is not a finite number.
    """
    try:
        values = np.array(cells, np.float64)
    except (ValueError, TypeError):
        values = None
    if values is not None and values.ndim == 2 and np.isfinite(values).all():
        return values
    for index, row in enumerate(cells):
        for name, cell in zip(names, row, strict=True):
            if not _is_number(cell):
                raise UserError(f'{place(index)}: {name} is not a number: "{_shown(str(cell))}"')
    raise AssertionError("unreachable: some cell is not a number")


def _is_number(cell: object) -> bool:
    try:
        return bool(np.isfinite(float(cell)))  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False


@dataclass(frozen=True)
class CurveCsv:
    """A curve csv as it is written: its text, a record a frame, and the numbers of its channels.

    What is read to be worked on is a dataset.recordings.recording.Recording; this holds, beside it, what writing the
    same csv again takes: its header, its other columns, and cells to the letter.
    """

    path: Path
    header: tuple[str, ...]  # as written, without spaces around
    names: tuple[str, ...]  # the channels' ARKit names, in the file's order
    values: np.ndarray  # (frames, len(names)) float64, as written
    records: Sequence[str]  # a line a frame
    separator: str = ","

    def place(self, row: int) -> str:
        """Where a row is, in words."""
        return f"{self.path}, line {row + 2}"

    def select(self, wanted: tuple[str, ...]) -> np.ndarray:
        """(frames, len(wanted)), by name. Raises KeyError for a channel that is not there."""
        return self.values[:, indices(self.names, wanted)]

    def cells(self, column: str) -> list[str]:
        """(frames,) the cells of a column of the header, to the letter. Raises ValueError when there is none."""
        return self.cells_of([column])[column]

    def cells_of(self, columns: Sequence[str]) -> dict[str, list[str]]:
        """The same of several columns, by the header's name."""
        if not columns:
            return {}
        places = [self.header.index(column) for column in columns]
        rows = (record.split(self.separator) for record in self.records)
        kept = [[row[place] for place in places] for row in rows]  # not all cells at once: a file may have millions
        return {column: list(cells) for column, cells in zip(columns, zip(*kept, strict=True), strict=True)}

    def other_columns(self) -> dict[str, str]:
        """Name among EXTRA_COLUMNS → the header's name, of the columns that are no channels."""
        return {canonical_extra(name) or name: name for name in self.header if canonical(name) is None}

    def cut(self, rows: slice) -> "CurveCsv":
        """The same csv with these of its frames, cells to the letter."""
        return replace(self, values=self.values[rows], records=self.records[rows])

    def write(self, path: Path, changed: Mapping[str, np.ndarray] | None = None) -> None:
        """Write the csv with its own header and columns; changed: channel → its values instead, (frames,)."""
        columns = {name: (changed or {}).get(canonical(name) or "") for name in self.header}
        kept = self.cells_of([name for name, values in columns.items() if values is None])
        write_columns(path, {name: kept[name] if values is None else values for name, values in columns.items()})


def read_csv(path: Path, required: tuple[str, ...] = ()) -> CurveCsv:
    """Read a curve csv by column name: any order, case and separators; BOM, CRLF and Live Link columns are fine.

    Raises UserError, with file and line, for a file that is not text or has no header, no frames, an unknown, doubled
    or missing column, a row of another length, or a channel's cell that is not a finite number.
    """
    (first, *records), separator = _read_records(path)
    header = tuple(cell.strip() for cell in first.split(separator))
    channels = channel_columns(f"{path}, line 1", header)
    names = tuple(channels.values())
    require_channels(f"{path}, line 1", names, required)
    for line, record in enumerate(records, 2):
        cells = record.count(separator) + 1 if record else 0
        if cells != len(header):
            raise UserError(f"{path}, line {line}: {cells} cells, but the header has {len(header)}")
    values = _parse_columns(records, separator, list(channels))
    if values is None:
        rows = [record.split(separator) for record in records]
        texts = [[row[column] for column in channels] for row in rows]
        values = to_numbers(texts, names, lambda row: f"{path}, line {row + 2}")
    return CurveCsv(path, header, names, values, records, separator)


def read_curves(path: Path, names: tuple[str, ...] = ARKIT) -> np.ndarray:
    """The named channels of a curve csv: (frames, len(names)) float64, as written.

    Raises UserError as read_csv does, and for a channel that is not there.
    """
    return read_csv(path, names).select(names)


def write_curves(path: str | Path, values: np.ndarray, names: tuple[str, ...] = ARKIT) -> None:
    """Write (frames, len(names)) as a csv of the 52 channels in the contest's order, the channels not named 0."""
    write_columns(path, dict(zip(ARKIT, to_arkit(values, names).T, strict=True)))


def write_columns(path: str | Path, columns: Mapping[str, Sequence[str] | np.ndarray]) -> None:
    """Write a csv of columns by name, (frames,) each: text to the letter, numbers with DECIMALS decimals.

    Whole or not at all.
    """
    cells = [
        [f"{value:.{DECIMALS}f}" for value in column.tolist()] if isinstance(column, np.ndarray) else column
        for column in columns.values()
    ]
    with written_whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*cells, strict=True))


_UNIT_SEPARATOR = "\x1f"  # between the cells of a csv that has quotes in it, where a cell may hold a comma


def _read_records(path: Path) -> tuple[list[str], str]:
    """The header's and the frames' records, and what separates their cells. Raises UserError for what is no csv."""
    separator = ","
    try:
        text = regular(path, MOST_CSV_BYTES).read_text(encoding="utf-8-sig")
        if '"' in text:
            separator = _UNIT_SEPARATOR
            records = [separator.join(row) for row in csv.reader(io.StringIO(text, newline=""))]
        else:
            records = text.split("\n")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not a csv text file in UTF-8; save it as one") from None
    while records and not records[-1]:
        records.pop()
    if not records:
        raise UserError(f"{path}: empty file; expected a header with blendshape names")
    if separator not in records[0] and ";" in records[0]:
        raise UserError(f"{path}, line 1: columns separated by semicolons; export it with commas")
    if len(records) == 1:
        raise UserError(f"{path}: a header but no frames")
    return records, separator


def _parse_columns(records: list[str], separator: str, columns: list[int]) -> np.ndarray | None:
    """(records, columns) float64; None where a cell is not a finite number, or only Python would call it one."""
    if not columns:
        return np.zeros((len(records), 0))
    try:
        values = np.loadtxt(records, np.float64, delimiter=separator, usecols=columns, comments=None, ndmin=2)
    except ValueError:
        return None
    return values if len(values) == len(records) and np.isfinite(values).all() else None
