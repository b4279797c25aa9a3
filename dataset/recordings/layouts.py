"""Read a face recording of any layout in the wild, by name: the file tells its layout, and never by its order.

layout        what it is                                                 its times
arkit         csv of the 52 names: the contest's, alphabetical, any      a time column
livelink      Live Link Face csv: Timecode, BlendShapeCount, 61 columns  Timecode
ifacialmocap  csv with eyeBlink_L: iFacialMocap, Face Cap; 0–1 or 0–100  a time column
mediapipe     csv or json with _neutral, which is dropped                a time column
beat          json: names, frames[].weights                              frames[].time, else 60 fps
a2f           json of Audio2Face: facsNames, weightMat                   exportFps
azure         json of Azure's speech service: FrameIndex, BlendShapes    60 fps
json          json: names, frames of numbers; what export.py writes      times_s, fps
npy           (frames, channels), names beside it                        none
facecap       Face Cap's txt: a line `bs,<names>`, then `k,<ms>,…`       its milliseconds

A time column is `time`, `time_s` or Audio2Face's `timeCode` in seconds, `time_ms` or `timestamp_ms`; a `frame` column
must count by one; a column without a title that does is passed over. TongueOut may be lacking in each, and then is 0.
An ifacialmocap or npy file with a value above 1.5 is in percent and is divided by 100; elsewhere a value further from 0
than 10 is refused. The names of `a.npy` are in `a_names.txt` (a name a line), `a_names.json` or `a_names.npy`, or, for
a whole folder, in `names.txt`, `names.json` or `names.npy`. No file has more than MOST_FRAMES frames, lasts more than a
day, or stands on average at less than a frame in ten seconds.
"""

import json
import math
import re
import tokenize
from pathlib import Path

import numpy as np

from config.errors import UserError
from config.files import find, regular
from dataset.blendshapes import ANGLES, HEADER_ROW, MOST_FRAMES, canonical, canonical_extra, channel_columns, read_csv
from dataset.recordings.columns import SECONDS, Place, Required, make_recording
from dataset.recordings.layout_facecap import is_facecap, read_facecap
from dataset.recordings.layout_json import read_json
from dataset.recordings.recording import Recording

MOST_NPY_BYTES = MOST_FRAMES * 8 * 64
SUFFIXES = (".csv", ".json", ".npy")
TAKES = ("cal", "", "raw")  # Live Link Face's exports of one take, the best first; a _neutral is no performance
TAKE_FILES = ("take.json", "video_metadata.json", "audio_metadata.json", "depth_metadata.json", "frame_log.csv")
_TAKE = re.compile(r"(.+)_(cal|raw|neutral)", re.IGNORECASE)


def read_recording(path: Path, required: Required = None) -> Recording:
    """The recording in a file of any layout above.

    required: the channels that must be there; by default those of the file's layout, and () for whatever is there.
    Raises UserError, in one line with file and place, for a file of no layout, an unknown, doubled or missing channel,
    a cell that is no finite number or no coefficient, and times that run backwards.
    """
    readers = {".csv": _read_csv, ".json": read_json, ".npy": _read_npy}
    reader = readers.get(path.suffix.lower())
    if path.suffix.lower() == ".txt" and is_facecap(path):
        reader = read_facecap
    if reader is None:
        raise UserError(f'{path}: curves come as {", ".join(SUFFIXES)}, not as "{path.suffix}"')
    return reader(path, required)


def find_recordings(path: Path) -> list[Path]:
    """The file itself, or a folder's files that may hold curves, sorted.

    Left out: names of npy files, and what Live Link Face writes about a take, which includes a json beside its csv.
    Raises UserError when the path does not exist or a folder holds no such file.
    """
    if path.is_file():
        return [path]
    found = find(path, SUFFIXES)
    tables = {file.stem for file in found if file.suffix.lower() == ".csv"}
    files = [file for file in found if not _is_about_others(file, tables)]
    if not files:
        raise UserError(f"{path}: no recording in this folder, only files about others, such as {found[0].name}")
    return files


def take_of(path: Path) -> tuple[str, str]:
    """(stem of the clip, take): take is "cal", "raw" or "neutral" as Live Link Face ends its names, else ""."""
    match = _TAKE.fullmatch(path.stem)
    return (match[1], match[2].lower()) if match else (path.stem, "")


def preferred_takes(files: list[Path]) -> dict[str, Path]:
    """Stem of the clip → its best take: calibrated, plain, raw; neutral poses are left out.

    Raises UserError for two files of one clip and take.
    """
    takes: dict[str, dict[str, Path]] = {}
    for file in files:
        clip, take = take_of(file)
        other = takes.setdefault(clip, {}).setdefault(take, file)
        if other is not file:
            raise UserError(f"{file}: the same clip as {other}; keep one of them")
    found = {clip: [of[take] for take in TAKES if take in of] for clip, of in takes.items()}
    return {clip: best[0] for clip, best in found.items() if best}


def _read_csv(path: Path, required: Required) -> Recording:
    csv = read_csv(path)
    others = csv.other_columns()
    telling = {name: column for name, column in others.items() if name in _TELLING}
    cells = csv.cells_of(list(telling.values()))
    columns = {name: cells[column] for name, column in telling.items()}
    layout, place = _csv_layout(csv.header, set(others)), Place(csv.place(HEADER_ROW), csv.place)
    return make_recording(layout, csv.names, csv.values, columns, place, required, csv=csv)


_TELLING = ("Timecode", "frame", *SECONDS, *ANGLES)  # the other columns say nothing that a Recording holds


def _csv_layout(header: tuple[str, ...], extras: set[str]) -> str:
    if any((canonical(name) or "").endswith(("Left", "Right")) and name.strip()[-1] in "lLrR" for name in header):
        return "ifacialmocap"
    if "_neutral" in extras:
        return "mediapipe"
    return "livelink" if {"Timecode", "BlendShapeCount"} & extras else "arkit"


def _read_npy(path: Path, required: Required) -> Recording:
    file = _names_file(path)
    names = _read_names(file)
    channels = channel_columns(str(file), names)
    values = _load_array(path)
    if values.ndim != 2 or values.dtype.kind not in "fiu" or not len(values):
        raise UserError(f"{path}: {values.dtype} of shape {values.shape}; expected numbers of shape (frames, channels)")
    if values.shape[1] != len(names):
        raise UserError(f"{path}: {values.shape[1]} channels, but {file} names {len(names)}")

    place, present = Place(str(file), lambda row: f"{path}, frame {row}"), tuple(channels.values())
    numbers = values[:, list(channels)].astype(np.float64)
    if not np.isfinite(numbers).all():
        row, column = np.argwhere(~np.isfinite(numbers))[0]
        raise UserError(f'{place.row(row)}: {present[column]} is not a number: "{numbers[row, column]}"')
    extras = {canonical_extra(name) or name: values[:, i].tolist() for i, name in enumerate(names) if i not in channels}
    return make_recording("npy", present, numbers, extras, place, required)


def _is_about_others(path: Path, tables: set[str]) -> bool:
    names = path.stem.lower() == "names" or path.stem.lower().endswith("_names")
    return names or path.name in TAKE_FILES or (path.suffix.lower() == ".json" and path.stem in tables)


def _names_file(path: Path) -> Path:
    stems, suffixes = (f"{path.stem}_names", "names"), (".txt", ".json", ".npy")
    for candidate in [path.with_name(stem + suffix) for stem in stems for suffix in suffixes]:
        if candidate.is_file():
            return candidate
    raise UserError(f"{path}: no names of its channels; write them, one a line, to {path.stem}_names.txt beside it")


def _read_names(path: Path) -> tuple[str, ...]:
    try:
        if path.suffix == ".npy":
            names = _load_array(path).tolist()
        elif path.suffix == ".json":
            names = json.loads(regular(path).read_text(encoding="utf-8-sig"))
        else:
            names = regular(path).read_text(encoding="utf-8-sig").split("\n")
            names = [name.strip() for name in names if name.strip()]
    except (OSError, ValueError, RecursionError):
        raise UserError(f"{path}: not a {path.suffix[1:]} file of channel names in UTF-8") from None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: not a list of channel names")
    return tuple(names)


def _load_array(path: Path) -> np.ndarray:
    """An npy file's array, its header checked against the file's own length before memory is taken."""
    try:
        with regular(path, MOST_NPY_BYTES).open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read_header is None:
                raise ValueError(f"version {version}")
            shape, _, dtype = read_header(file)
            size = path.stat().st_size - file.tell()
        if dtype.hasobject or not dtype.itemsize:
            raise ValueError(dtype)
        if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize > size:
            raise UserError(f"{path}: its header says {shape} of {dtype}, but {size:,} bytes follow; save it again")
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or 'not a readable npy file'}") from None
    except (ValueError, TypeError, EOFError, SyntaxError, RecursionError, tokenize.TokenError):
        raise UserError(f"{path}: not an npy array of numbers or text; save it again with numpy.save") from None
