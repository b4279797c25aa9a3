"""The json layouts: our own, and those of BEAT, MediaPipe, Audio2Face and Azure's speech service.

json       {"fps": 30 or null, "start_s": 0, "names": […], "frames": [[0.1, …], …], "times_s": [0, …],
           "angles": {"HeadYaw": [0.1, …], …}}; names and frames are needed, the rest is not
beat       {"names": […], "frames": [{"weights": […], "time": 0.0167}, …]}; 60 frames a second where there is no time
mediapipe  a list of frames, or {"frames": […]}; a frame is {"_neutral": 0.1, "browDownLeft": 0.2, …} or
           {"categories": [{"categoryName": "browDownLeft", "score": 0.2}, …]}, either with or without "timestamp_ms";
           also FaceLandmarker's results, {"faceBlendshapes": [{"categories": […]}], "timestamp": milliseconds}. A
           frame in which no face was found has no categories: it is a dropped one
a2f        Audio2Face: {"exportFps": 30, "facsNames": […], "weightMat": [[0.1, …], …]}
azure      Azure's chunks, one or a list: {"FrameIndex": the chunk's first frame, "BlendShapes": [[55 numbers], …]}, 60
           a second: the 52 in the order of ARKIT, and the rolls of head, left and right eye
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.errors import UserError
from config.files import regular
from dataset.blendshapes import ANGLES, ARKIT, MOST_FRAMES, canonical_extra, channel_columns, shown, to_numbers
from dataset.recordings.columns import SECONDS, Place, Required, make_recording
from dataset.recordings.recording import Recording

BEAT_FPS = 60.0
AZURE_FPS = 60.0
_TIMES = {"frame", *SECONDS}  # what a frame without a face may have
# https://learn.microsoft.com/azure/ai-services/speech-service/how-to-speech-synthesis-viseme
AZURE_NAMES = (*ARKIT, "HeadRoll", "LeftEyeRoll", "RightEyeRoll")
MOST_DIGITS = 400  # of a whole number; floats end at 309


def read_json(path: Path, required: Required = None) -> Recording:
    """required: as make_recording's.

    Raises UserError, with file and frame, for what is no json and for what is in none of the layouts.
    """
    document = _load(path)
    if isinstance(document, dict) and "weightMat" in document:
        return _read_a2f(path, document, required)
    chunks = document if isinstance(document, list) else [document]
    if any(isinstance(chunk, dict) and "BlendShapes" in chunk for chunk in chunks):
        return _read_azure(path, chunks, required)
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


def _read_a2f(path: Path, document: dict[str, Any], required: Required) -> Recording:
    frames, names = document["weightMat"], document.get("facsNames")
    if not isinstance(frames, list) or not frames:
        raise UserError(f'{path}: "weightMat" is not a list of frames')
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f'{path}: no "facsNames" list that tells which shape each number of "weightMat" is')
    rate = {"fps": _number(path, document, "exportFps")}
    return _recording(path, "a2f", tuple(names), frames, {}, rate, required)


def _read_azure(path: Path, chunks: list[Any], required: Required) -> Recording:
    rows: list[Any] = []
    numbers: list[int] = []
    for index, chunk in enumerate(chunks):
        frames = chunk.get("BlendShapes") if isinstance(chunk, dict) else None
        first = chunk.get("FrameIndex") if isinstance(chunk, dict) else None
        if not isinstance(frames, list) or type(first) is not int or not 0 <= first <= MOST_FRAMES:
            raise UserError(f'{path}: chunk {index} is no {{"FrameIndex": its first frame, "BlendShapes": [[…], …]}}')
        if numbers and frames and first <= numbers[-1]:
            raise UserError(f"{path}: chunk {index} begins at frame {first}, but frame {numbers[-1]} is before it")
        numbers += range(first, first + len(frames))
        rows += frames
    if not rows:
        raise UserError(f'{path}: "BlendShapes" without a frame in it')
    times = {} if numbers[-1] - numbers[0] < len(numbers) else {"time_s": [number / AZURE_FPS for number in numbers]}
    return _recording(path, "azure", AZURE_NAMES, rows, times, {"fps": AZURE_FPS}, required)


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
    faces = [index for index, score in enumerate(scores) if score.keys() - _TIMES]
    if not faces:
        raise UserError(f"{path}: no face was found in any of its {len(scores)} frames")
    if len(faces) < len(scores):
        scores = _without_lost(path, document, scores, faces)
    first = scores[0]
    header = tuple(first)
    for index, score in zip(faces, scores, strict=True):
        other = next(iter(score.keys() ^ first.keys()), None)
        if other is not None:
            raise UserError(f'{path}, frame {index}: "{shown(other)}" is here or in frame {faces[0]}, but not in both')
    rows = [[score[name] for name in header] for score in scores]
    return _recording(path, "mediapipe", header, rows, {}, document, required, faces)


def _without_lost(
    path: Path, document: dict[str, Any], scores: list[dict[str, Any]], faces: list[int]
) -> list[dict[str, Any]]:
    """The frames with a face, in `faces`, each with its time; where the first has none, the next face stands there."""
    fps = _number(path, document, "fps")
    lost = min(set(range(len(scores))) - set(faces))
    clock = next((name for name in SECONDS if all(name in score for score in scores)), None)
    if clock is None and fps is None:
        raise UserError(
            f"{path}, frame {lost}: no face was found in it, and nothing tells when frames stand: give each frame a "
            f'"timestamp_ms", or the file an "fps"'
        )
    if clock is None:
        scores = [{"time_s": index / fps, **score} for index, score in enumerate(scores)]  # type: ignore[operator]
        clock = "time_s"
    if faces[0] > 0:
        scores[0] = {**scores[faces[0]], clock: scores[0][clock]}
        faces.insert(0, 0)
    return [scores[index] for index in faces]


def _load(path: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = dict(pairs)
        if len(keys) < len(pairs):
            doubled = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            raise UserError(f'{path}: "{shown(doubled)}" is there twice in one object; keep one')
        return keys

    def whole(digits: str) -> int | float:
        if len(digits) > MOST_DIGITS:
            raise UserError(f"{path}: a number of {len(digits):,} digits, {digits[:10]}…; no number here has as many")
        return int(digits)

    try:
        text = regular(path).read_text(encoding="utf-8-sig")
        return json.loads(text, object_pairs_hook=unique, parse_int=whole)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not json: {error.msg}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a json text file in UTF-8") from None
    except RecursionError:
        raise UserError(f"{path}: not a json text file in UTF-8 of any layout: lists in lists, too deep") from None


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
    """A MediaPipe frame as channel → score, with its time in the column's spelling; no channel where no face is."""
    times = {name: frame[name] for name in SECONDS if name in frame}
    faces = next((frame[key] for key in ("faceBlendshapes", "face_blendshapes") if key in frame), None)
    if faces is not None:
        if not isinstance(faces, list) or len(faces) > 1:
            raise UserError(f"{path}, frame {index}: several faces; track one (numFaces 1)")
        if "timestamp" in frame:
            times["timestamp_ms"] = frame["timestamp"]
        found = faces[0] if faces else []
        categories = found.get("categories") if isinstance(found, dict) else found
    elif "categories" in frame:
        categories = frame["categories"]
    else:
        return frame
    scores: dict[str, Any] = {}
    category: Any
    for category in categories if isinstance(categories, list) else [None]:
        name = _category_name(category)
        if not isinstance(name, str) or "score" not in category:
            raise UserError(f'{path}, frame {index}: a category without "categoryName" and "score"')
        if name in scores:
            raise UserError(f"{path}, frame {index}: a category is there twice; keep one")
        scores[name] = category["score"]
    return {**times, **scores}


def _category_name(category: Any) -> Any:
    if not isinstance(category, dict):
        return None
    return category.get("categoryName", category.get("category_name"))


def _recording(
    path: Path,
    layout: str,
    header: tuple[str, ...],
    rows: Sequence[Any],
    extras: dict[str, list[Any]],
    document: dict[str, Any],
    required: Required,
    numbers: Sequence[int] | None = None,
) -> Recording:
    """numbers: which frame of the file each row is, where some are left out."""
    place = Place(str(path), lambda row: f"{path}, frame {numbers[row] if numbers else row}")
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
