"""Write a face recording in one of four layouts: what dataset/recordings/layouts.py reads back to the same values."""

import json
from pathlib import Path

import numpy as np

from config.files import written_whole
from dataset.blendshapes import ANGLES, ARKIT, CurveTable, indices, write_csv
from dataset.recordings.recording import Recording
from dataset.recordings.timecode import format_timecode

_SWAPPED = {"JawLeft": "JawRight", "JawRight": "JawLeft", "MouthLeft": "MouthRight", "MouthRight": "MouthLeft"}
LIVE_LINK: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in ARKIT)  # the app writes right before left here
ALPHABETICAL: tuple[str, ...] = tuple(sorted(ARKIT))
JSON_DECIMALS = 10  # as many as Live Link Face writes


def write_arkit(path: Path, recording: Recording) -> None:
    """A csv of the 52 columns in the contest's order; times and angles have no place in it."""
    _write_columns(path, recording, ARKIT)


def write_alphabetical(path: Path, recording: Recording) -> None:
    """A csv of the 52 columns by alphabet; times and angles have no place in it."""
    _write_columns(path, recording, ALPHABETICAL)


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
    write_csv(path, CurveTable(header, ARKIT, recording.curves(), extras))


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


def _write_columns(path: Path, recording: Recording, order: tuple[str, ...]) -> None:
    write_csv(path, CurveTable(order, order, recording.curves()[:, indices(ARKIT, order)], {}))
