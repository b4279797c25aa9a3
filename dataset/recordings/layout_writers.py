"""Write a face recording in one of four layouts, or as it came: what layouts.py reads back to the same values."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from config.files import written_whole
from dataset.blendshapes import ANGLES, ARKIT, CurveCsv, indices, write_columns
from dataset.recordings.recording import Recording
from dataset.recordings.timecode import format_timecode

_SWAPPED = {"JawLeft": "JawRight", "JawRight": "JawLeft", "MouthLeft": "MouthRight", "MouthRight": "MouthLeft"}
LIVE_LINK: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in ARKIT)  # the app writes right before left here
ALPHABETICAL: tuple[str, ...] = tuple(sorted(ARKIT))
JSON_DECIMALS = 10  # as many as Live Link Face writes


def write_like_source(path: Path, recording: Recording) -> None:
    """A csv: with the header, order and other columns of the csv that the recording was read from, where it was.

    Channels and angles that are as they were read keep their cells to the letter; angles that it did not have follow
    its columns. What was read from another layout becomes a csv of the 52 columns, with a time_s column before them and
    angles behind where they are known.
    """
    csv = recording.csv
    if csv is None:
        times = {} if recording.fps is None and recording.times_s is None else {"time_s": recording.clock_s()}
        write_columns(path, {**times, **_channels(recording), **recording.angles})
        return
    scale = 100 if recording.percent else 1
    changed = {
        name: values * scale
        for name, values, read in zip(recording.names, recording.values.T, csv.values.T, strict=True)
        if not np.array_equal(values, read / scale)
    }
    csv.write(path, changed | _changed_angles(recording, csv))


def _changed_angles(recording: Recording, csv: CurveCsv) -> dict[str, np.ndarray]:
    """Those that are not as they stand in the csv."""
    theirs = csv.other_columns()
    read = csv.cells_of([theirs[name] for name in recording.angles if name in theirs])
    return {
        name: angles
        for name, angles in recording.angles.items()
        if name not in theirs or not np.array_equal(angles, np.array(read[theirs[name]], float))
    }


def write_arkit(path: Path, recording: Recording) -> None:
    """A csv of the 52 columns in the contest's order; times and angles have no place in it."""
    write_columns(path, _channels(recording))


def write_alphabetical(path: Path, recording: Recording) -> None:
    """A csv of the 52 columns by alphabet; times and angles have no place in it."""
    write_columns(path, _channels(recording, ALPHABETICAL))


def write_livelink(path: Path, recording: Recording) -> None:
    """A csv as Live Link Face's: Timecode, BlendShapeCount 61, 52 columns in the app's order, 9 angles (0 if unknown).

    Raises ValueError when nothing tells the frames' times. Unreal's LiveLinkFaceImporter wants the first two columns so
    spelt, and counts 60 frames a second in a timecode.
    """
    frames = recording.frames
    extras = {
        "Timecode": [format_timecode(recording.start_s + time_s) for time_s in recording.clock_s()],
        "BlendShapeCount": [str(len(ARKIT) + len(ANGLES))] * frames,
        **{name: [f"{angle:.10f}" for angle in recording.angles.get(name, np.zeros(frames))] for name in ANGLES},
    }
    header = ("Timecode", "BlendShapeCount", *LIVE_LINK, *ANGLES)
    columns: dict[str, Sequence[str] | np.ndarray] = {**extras, **_channels(recording)}
    write_columns(path, {name: columns[name] for name in header})


def write_json(path: Path, recording: Recording) -> None:
    """Keys: fps (or null), start_s, names (52), frames (52 numbers each); times_s and angles where there are any."""
    document: dict[str, object] = {
        "fps": recording.fps,
        "start_s": recording.start_s,
        "names": ARKIT,
        "frames": recording.curves().round(JSON_DECIMALS).tolist(),
    }
    if recording.times_s is not None:
        document["times_s"] = recording.times_s.round(JSON_DECIMALS).tolist()
    if recording.angles:
        document["angles"] = {name: angle.round(JSON_DECIMALS).tolist() for name, angle in recording.angles.items()}
    with written_whole(path) as partial:
        partial.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def _channels(recording: Recording, order: tuple[str, ...] = ARKIT) -> dict[str, np.ndarray]:
    return dict(zip(order, recording.curves()[:, indices(ARKIT, order)].T, strict=True))
