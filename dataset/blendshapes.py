"""The 52 ARKit blendshapes: names, groups, and the curve CSV, always by name and never by position."""

import codecs
import csv
import io
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

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
MAY_LACK = ("TongueOut",)  # what many trackers don't have: where it is not, it is 0
DECIMALS = 6
MOST_CSV_BYTES = 4096 * MEBIBYTE  # 8 million frames
MOST_FRAMES = 4_000_000  # of one file: 37 hours at 30 frames a second
ROWS_AT_ONCE = 8192  # of a csv that are in memory as text cells
HEADER_ROW = -1  # the row that a csv's header is, counted as its frames are


def _key(name: str) -> str:
    return re.sub(r"[\s_.\-]", "", name.lower())


def _keys(name: str) -> tuple[str, ...]:
    """A sided channel is also known by its side's letter: mouthsmileleft, mouthsmilel."""
    key = _key(name)
    return (key, re.sub("(l)eft$|(r)ight$", r"\1\2", key))


def shown(text: str) -> str:
    """A cell or a name as an error quotes it: one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:40]}…"  # a header with other separators is one long name


# What tools put before a name: a node or a namespace (blendShape1.jawOpen, rig:jawOpen, head__jawOpen), and
# iClone's number among the 52 (A25_Jaw_Open).
_PREFIX = re.compile(r"(?:.*(?:[.:]|__))?(?:A(?:0[1-9]|[1-4]\d|5[0-2])_)?", re.IGNORECASE | re.DOTALL)
_LONGEST_NAME = 200
_WHOLE = re.compile(r"\d{1,9}")
_UNTITLED = re.compile(r"|unnamed: ?\d+", re.IGNORECASE)  # what a table's own row numbers are called, also by pandas

_BY_KEY = {key: name for name in ARKIT for key in _keys(name)}
_EXTRA_BY_KEY = {_key(name): name for name in EXTRA_COLUMNS}


def without_prefix(name: str) -> str:
    """A name less what tools put before it, up to the last `.`, `:` or `__`, and less iClone's `A01_` to `A52_`."""
    return name[_PREFIX.match(name).end() :]  # type: ignore[union-attr]  # it may be empty, so there is always one


def canonical(name: str) -> str | None:
    """The ARKit name of a column or shape; None if it is none.

    Whatever its case, its separators and a tool's prefix: `jaw_open`, `mouthSmile_L`, `rig:jawOpen`, `A25_Jaw_Open`. A
    name that only ends like one (`lowerjawOpen`) is none.
    """
    if len(name) > _LONGEST_NAME:
        return None
    return _BY_KEY.get(_key(name)) or _BY_KEY.get(_key(without_prefix(name)))


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


def channel_columns(place: str, header: tuple[str, ...], passed_over: Collection[int] = ()) -> dict[int, str]:
    """Column index → ARKit name, for the columns that are channels. passed_over: indices of columns to leave out.

    Raises UserError, beginning with `place`, for a column that is neither a blendshape nor one of EXTRA_COLUMNS, and
    for two columns of one meaning.
    """
    channels: dict[int, str] = {}
    taken: set[str] = set()
    for index, name in enumerate(header):
        if index in passed_over:
            continue
        arkit = canonical(name)
        meaning = arkit or canonical_extra(name)
        if meaning is None:
            mend = (
                "rename or remove the column" if any(map(canonical, header)) else "the first line must name the columns"
            )
            raise UserError(f'{place}: "{shown(name)}" is no ARKit blendshape; {mend}')
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
    values = np.zeros((len(cells), len(names)))
    for index, row in enumerate(cells):
        for column, (name, cell) in enumerate(zip(names, row, strict=True)):
            number = as_number(cell)
            if number is None:
                raise UserError(f'{place(index)}: {name} is not a number: "{shown(str(cell))}"')
            values[index, column] = number
    return values


def as_number(cell: object) -> float | None:
    """The finite number that a cell of a table or a json is; None for what is none, as for true and for 0_5."""
    if type(cell) not in (float, int, str) or (isinstance(cell, str) and "_" in cell):
        return None
    try:
        number = float(cell)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


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
        kept: list[list[str]] = [[] for _ in columns]
        for record in self.records:  # not all cells at once: a file may have millions
            row = record.split(self.separator)
            for cells, place in zip(kept, places, strict=True):
                cells.append(row[place])
        return dict(zip(columns, kept, strict=True))

    def other_columns(self) -> dict[str, str]:
        """Name among EXTRA_COLUMNS → the header's name, of the columns that are no channels."""
        return {canonical_extra(name) or name: name for name in self.header if canonical(name) is None}

    def cut(self, rows: slice) -> "CurveCsv":
        """The same csv with these of its frames, cells to the letter."""
        return replace(self, values=self.values[rows], records=self.records[rows])

    def write(self, path: Path, changed: Mapping[str, np.ndarray] | None = None) -> None:
        """Write the csv with its own header and columns; changed: channel, or a name among EXTRA_COLUMNS, → its values
        instead, (frames,). Those that are not in the header follow its columns."""
        changed = changed or {}
        meanings = [canonical(name) or canonical_extra(name) or "" for name in self.header]
        columns = [changed.get(meaning) for meaning in meanings]
        added = {name: values for name, values in changed.items() if name not in meanings}

        def pieces() -> Iterator[list[Sequence[str] | np.ndarray]]:
            for start in range(0, len(self.records), ROWS_AT_ONCE):
                piece = slice(start, start + ROWS_AT_ONCE)
                cells = zip(*(record.split(self.separator) for record in self.records[piece]), strict=True)
                own = [kept if column is None else column[piece] for kept, column in zip(cells, columns, strict=True)]
                yield [*own, *(values[piece] for values in added.values())]

        _write_rows(path, [*self.header, *added], pieces())


def read_csv(path: Path, required: tuple[str, ...] = ()) -> CurveCsv:
    """Read a curve csv by column name: any order, case and separators; BOM, CRLF and Live Link columns are fine.

    Raises UserError, with file and line, for a file that is not text or has no header, no frames, an unknown, doubled
    or missing column, a row of another length, or a channel's cell that is not a finite number.
    """
    records, separator = _read_records(path)
    header = tuple(cell.strip() for cell in records[0].split(separator))
    records = records[1:]
    counting = _counting_column(header, records, separator)
    channels = channel_columns(f"{path}, line 1", header, counting)
    names = tuple(channels.values())
    require_channels(f"{path}, line 1", names, required)
    values = np.zeros((len(records), len(names)))
    for start in range(0, len(records), ROWS_AT_ONCE):
        piece = slice(start, start + ROWS_AT_ONCE)
        values[piece] = _parse_rows(path, start, list(records[piece]), separator, header, channels)
    return CurveCsv(path, header, names, values, records, separator)


def _counting_column(header: tuple[str, ...], records: Sequence[str], separator: str) -> list[int]:
    """The index of a column without a title that counts its rows by one, as tables are saved with their row numbers."""
    untitled = [index for index, name in enumerate(header) if _UNTITLED.fullmatch(name)]
    if len(untitled) != 1 or len(records) < 2:
        return []
    first: int | None = None
    for row, record in enumerate(records):
        cell = record.split(separator, untitled[0] + 1)[untitled[0]] if record.count(separator) >= untitled[0] else ""
        if not _WHOLE.fullmatch(cell):
            return []
        first = int(cell) if first is None else first
        if int(cell) != first + row:
            return []
    return untitled


def _parse_rows(
    path: Path, start: int, records: list[str], separator: str, header: tuple[str, ...], channels: Mapping[int, str]
) -> np.ndarray:
    """(records, channels) of some of a csv's frames, the first of which is frame `start`."""
    for line, record in enumerate(records, start + 2):
        cells = record.count(separator) + 1 if record else 0
        if cells != len(header):
            raise UserError(f"{path}, line {line}: {cells} cells, but the header has {len(header)}")
    values = _parse_columns(records, separator, list(channels))
    if values is not None:
        return values
    rows = (record.split(separator) for record in records)
    texts = [[row[column] for column in channels] for row in rows]
    return to_numbers(texts, tuple(channels.values()), lambda row: f"{path}, line {start + row + 2}")


def read_curves(path: Path, names: tuple[str, ...] = ARKIT) -> np.ndarray:
    """The named channels of a curve csv: (frames, len(names)) float64, as written; of MAY_LACK, 0 where there is none.

    Raises UserError as read_csv does, and for a channel that is not there.
    """
    csv = read_csv(path, tuple(name for name in names if name not in MAY_LACK))
    return to_arkit(csv.values, csv.names)[:, indices(ARKIT, names)]


def write_curves(path: str | Path, values: np.ndarray, names: tuple[str, ...] = ARKIT) -> None:
    """Write (frames, len(names)) as a csv of the 52 channels in the contest's order, the channels not named 0."""
    write_columns(path, dict(zip(ARKIT, to_arkit(values, names).T, strict=True)))


def write_columns(path: str | Path, columns: Mapping[str, Sequence[str] | np.ndarray]) -> None:
    """Write a csv of columns by name, (frames,) each: text to the letter, numbers with DECIMALS decimals.

    Whole or not at all. Raises UserError for a number that is not finite, and a place that cannot be written to.
    """
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"columns of {min(lengths)} and {max(lengths)} rows")
    for name, column in columns.items():
        if isinstance(column, np.ndarray) and not np.isfinite(column).all():
            raise UserError(f"{path}: not written: {name} is not finite in frame {np.isfinite(column).argmin() + 1}")
    pieces = (slice(start, start + ROWS_AT_ONCE) for start in range(0, max(lengths, default=0), ROWS_AT_ONCE))
    _write_rows(path, columns, ([column[piece] for column in columns.values()] for piece in pieces))


def _write_rows(
    path: str | Path, header: Collection[str], pieces: Iterable[Sequence[Sequence[str] | np.ndarray]]
) -> None:
    """pieces: the columns of some rows."""
    with rows_written(path, header) as write:
        for columns in pieces:
            write(columns)


@contextmanager
def rows_written(
    path: str | Path, header: Collection[str]
) -> Iterator[Callable[[Sequence[Sequence[str] | np.ndarray]], None]]:
    """What takes the columns of some rows, (rows,) each, and writes them at once to a csv that is whole at the end.

    Numbers have DECIMALS decimals; a text is quoted where csv needs that. Raises UserError as written_whole does.
    """
    with written_whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(map(_quoted, header)) + "\n")

        def write(columns: Sequence[Sequence[str] | np.ndarray]) -> None:
            numbers = [isinstance(column, np.ndarray) for column in columns]
            row = ",".join(f"%.{DECIMALS}f" if number else "%s" for number in numbers) + "\n"  # one format is fast
            cells = [column.tolist() if isinstance(column, np.ndarray) else map(_quoted, column) for column in columns]
            file.writelines(row % of for of in zip(*cells, strict=True))
            file.flush()

        yield write


def _quoted(cell: str) -> str:
    if _TO_QUOTE.search(cell) is None:
        return cell
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


_TO_QUOTE = re.compile(r'[,"\r\n]')


class _Lines(Sequence[str]):
    """A text's lines, held as its bytes: strings of their own would take twice the memory."""

    def __init__(self, data: bytes, starts: np.ndarray, stops: np.ndarray) -> None:
        self._data, self._starts, self._stops = data, starts, stops

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), ROWS_AT_ONCE):
            piece = slice(start, start + ROWS_AT_ONCE)
            places = zip(self._starts[piece].tolist(), self._stops[piece].tolist(), strict=True)
            yield from [self._data[first:last].decode() for first, last in places]

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> "_Lines": ...

    def __getitem__(self, index: int | slice) -> "str | _Lines":
        if isinstance(index, slice):
            return _Lines(self._data, self._starts[index], self._stops[index])
        return self._data[self._starts[index] : self._stops[index]].decode()


def _lines(data: bytes) -> _Lines:
    """The lines of UTF-8, less empty ones at the end. Raises UnicodeDecodeError for other bytes."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.isascii():
        data.decode()
    length = len(data)
    while length:  # a copy without the line ends would take the file's size again
        start = max(0, length - (1 << 16))
        kept = len(data[start:length].rstrip(b"\n"))
        length = start + kept
        if kept:
            break
    places = np.frombuffer(data, np.uint8, length)
    pieces = range(0, len(places), 1 << 24)
    ends = [np.flatnonzero(places[start : start + (1 << 24)] == ord("\n")) + start for start in pieces]
    stops = np.concatenate([*ends, [length]]) if length else np.zeros(0, np.int64)
    return _Lines(data, np.concatenate([[0], stops[:-1] + 1])[: len(stops)].astype(np.int64), stops.astype(np.int64))


_UNIT_SEPARATOR = "\x1f"  # between the cells of a csv that has quotes in it, where a cell may hold a comma


def _read_records(path: Path) -> tuple[Sequence[str], str]:
    """The header's and the frames' records, and what separates their cells. Raises UserError for what is no csv."""
    separator = ","
    try:
        data = regular(path, MOST_CSV_BYTES).read_bytes().removeprefix(codecs.BOM_UTF8)
        records: Sequence[str]
        if b'"' in data:
            separator = _UNIT_SEPARATOR
            text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=None)
            rows = [separator.join(row) for row in csv.reader(text)]
            while rows and not rows[-1]:
                rows.pop()
            records = rows
        else:
            records = _lines(data)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not a csv text file in UTF-8; save it as one") from None
    if not records:
        raise UserError(f"{path}: empty file; expected a header with blendshape names")
    if separator not in records[0] and ";" in records[0]:
        raise UserError(f"{path}, line 1: columns separated by semicolons; export it with commas")
    if len(records) == 1:
        raise UserError(f"{path}: a header but no frames")
    if len(records) - 1 > MOST_FRAMES:
        raise UserError(f"{path}: {len(records) - 1:,} frames, more than the {MOST_FRAMES:,} of one file; split it")
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
