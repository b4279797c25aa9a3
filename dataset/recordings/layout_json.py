"""The json layouts: our own, BEAT's and MediaPipe's.

json       {"fps": 30 or null, "start_s": 0, "names": […], "frames": [[0.1, …], …], "times_s": [0, …],
           "angles": {"HeadYaw": [0.1, …], …}}; names and frames are needed, the rest is not
beat       {"names": […], "frames": [{"weights": […], "time": 0.0167}, …]}; 60 frames a second where there is no time
mediapipe  a list of frames, or {"frames": […]}; a frame is {"_neutral": 0.1, "browDownLeft": 0.2, …} or
           {"categories": [{"categoryName": "browDownLeft", "score": 0.2}, …]}, either with or without "timestamp_ms"
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.errors import UserError
from config.files import regular
from dataset.blendshapes import ANGLES, canonical_extra, channel_columns, to_numbers
from dataset.recordings.columns import SECONDS, Place, Required, make_recording
from dataset.recordings.recording import Recording

BEAT_FPS = 60.0


def read_json(path: Path, required: Required = None) -> Recording:
    """required: as make_recording's.

    Raises UserError, with file and frame, for what is no json and for what is in none of the three layouts.
    """
    document = _load(path)
    if isinstance(document, list):
        document = {"frames": document}
    frames = document.get("frames") if isinstance(document, dict) else None
    if not isinstance(frames, list) or not frames:
        raise UserError(
            f'{path}: no "frames" list with a frame in it; dataset/recordings/layout_json.py shows the json layouts'
        )
    if all(isinstance(frame, list) for frame in frames):
        return _read_own(path, document, frames, required)
    stray = next((index for index, frame in enumerate(frames) if not isinstance(frame, dict)), None)
    if stray is not None:
        raise UserError(f"{path}, frame {stray}: not an object, or not a list of numbers, as the other frames are")
    return (_read_beat if "weights" in frames[0] else _read_mediapipe)(path, document, frames, required)


def _read_own(path: Path, document: dict[str, Any], frames: list[Any], required: Required) -> Recording:
    names, extras = _names(path, document), _document_extras(path, document)
    return _recording(path, "json", names, frames, extras, document, required)


def _read_beat(path: Path, document: dict[str, Any], frames: list[Any], required: Required) -> Recording:
    rows = [frame.get("weights") for frame in frames]
    names = _names(path, document)
    if "time" in frames[0]:
        times = {"time": [frame.get("time") for frame in frames]}
        return _recording(path, "beat", names, rows, times, {}, required)
    return _recording(path, "beat", names, rows, {}, {"fps": BEAT_FPS}, required)


def _read_mediapipe(path: Path, document: dict[str, Any], frames: list[Any], required: Required) -> Recording:
    scores = [_scores(path, index, frame) for index, frame in enumerate(frames)]
    header = tuple(scores[0])
    for index, score in enumerate(scores):
        other = next(iter(score.keys() ^ scores[0].keys()), None)
        if other is not None:
            raise UserError(f'{path}, frame {index}: "{other}" is here or in frame 0, but not in both')
    rows = [[score[name] for name in header] for score in scores]
    return _recording(path, "mediapipe", header, rows, {}, document, required)


def _load(path: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = dict(pairs)
        if len(keys) < len(pairs):
            doubled = next(key for key, _ in pairs if [other for other, _ in pairs].count(key) > 1)
            raise UserError(f'{path}: "{doubled}" is there twice in one object; keep one')
        return keys

    try:
        return json.loads(regular(path).read_text(encoding="utf-8-sig"), object_pairs_hook=unique)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not json: {error.msg}") from None
    except (UnicodeDecodeError, RecursionError):
        raise UserError(f"{path}: not a json text file in UTF-8") from None


def _names(path: Path, document: dict[str, Any]) -> tuple[str, ...]:
    names = document.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f'{path}: no "names" list that tells which channel each number is')
    return tuple(names)


def _document_extras(path: Path, document: dict[str, Any]) -> dict[str, list[Any]]:
    """The times and angles that stand beside the frames, by name of EXTRA_COLUMNS."""
    angles = document.get("angles", {})
    if not isinstance(angles, dict):
        raise UserError(f'{path}: "angles" is not an object of lists, a list an angle')
    columns = {"time_s": document["times_s"]} if "times_s" in document else {}
    for name, column in angles.items():
        angle = canonical_extra(name)
        if angle not in ANGLES:
            raise UserError(f'{path}: "{name}" is no head or eye angle; they are {", ".join(ANGLES)}')
        columns[angle] = column
    for name, column in columns.items():
        if not isinstance(column, list):
            raise UserError(f"{path}: {name} is not a list of numbers, one a frame")
    return columns


def _scores(path: Path, index: int, frame: dict[str, Any]) -> dict[str, Any]:
    """A MediaPipe frame as channel → score, with its time."""
    categories = frame.get("categories")
    if categories is None:
        return frame
    times = {name: frame[name] for name in SECONDS if name in frame}
    try:
        scores = {category["categoryName"]: category["score"] for category in categories}
    except (TypeError, KeyError):
        raise UserError(f'{path}, frame {index}: a category without "categoryName" and "score"') from None
    if len(scores) < len(categories):
        raise UserError(f"{path}, frame {index}: a category is there twice; keep one")
    return {**times, **scores}


def _recording(
    path: Path,
    layout: str,
    header: tuple[str, ...],
    rows: Sequence[Any],
    extras: dict[str, list[Any]],
    document: dict[str, Any],
    required: Required,
) -> Recording:
    place = Place(str(path), lambda row: f"{path}, frame {row}")
    channels = channel_columns(str(path), header)
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(header):
            found = f"{len(row)} numbers" if isinstance(row, list) else "no list of numbers"
            raise UserError(f"{place.row(index)}: {found}, but there are {len(header)} names")
    values = to_numbers([[row[column] for column in channels] for row in rows], list(channels.values()), place.row)
    others = {name: [row[i] for row in rows] for i, name in enumerate(header) if i not in channels}
    named = {canonical_extra(name) or name: column for name, column in others.items()}
    if layout == "json" and "_neutral" in named:
        layout = "mediapipe"
    fps, start_s = _number(path, document, "fps"), _number(path, document, "start_s")
    columns, names = {**named, **extras}, tuple(channels.values())
    return make_recording(layout, names, values, columns, place, required, fps, start_s or 0.0)


def _number(path: Path, document: dict[str, Any], key: str) -> float | None:
    value = document.get(key)
    if value is None or (type(value) in (int, float) and 0 <= value < 1e6 and (value or key != "fps")):
        return None if value is None else float(value)
    raise UserError(f'{path}: "{key}" must be a number {"above 0" if key == "fps" else "from 0 on"}, found {value!r}')
