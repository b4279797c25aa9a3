"""Face Cap's txt: lines of a take, each begun by what it is.

bs,<name>,…     the shapes, in the order of the rows
k,<ms>,<position 3>,<head angles 3>,<left eye 2>,<right eye 2>,<a number for each shape>
Other lines (info, …) say nothing about the curves. Angles are about x, y and z, in degrees, and are kept as such.
"""

import math
from pathlib import Path

from config.errors import UserError
from config.files import regular
from dataset.blendshapes import MOST_FRAMES, canonical, channel_columns, to_numbers
from dataset.recordings.columns import Place, Required, make_recording
from dataset.recordings.recording import Recording

_ANGLES = ("HeadPitch", "HeadYaw", "HeadRoll", "LeftEyePitch", "LeftEyeYaw", "RightEyePitch", "RightEyeYaw")
_BEFORE = ("time_ms", "x", "y", "z", *_ANGLES)  # what a row has before its shapes
_HEAD_LINES = 20  # within which the names stand
_LONGEST_HEAD = 4096


def is_facecap(path: Path) -> bool:
    """Whether a file is a take of Face Cap, by its first lines; False for one that cannot be read."""
    try:
        with regular(path, math.inf).open(encoding="utf-8-sig") as file:
            lines = (file.readline(_LONGEST_HEAD) for _ in range(_HEAD_LINES))
            return any(line.startswith("bs,") and any(map(canonical, line.split(",")[1:])) for line in lines)
    except (OSError, UnicodeDecodeError):
        return False


def read_facecap(path: Path, required: Required = None) -> Recording:
    """required: as make_recording's. Raises UserError, with file and line, for a take that is damaged."""
    try:
        lines = regular(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path}: not a text file in UTF-8") from None
    cells = {number: line.split(",") for number, line in enumerate(lines, 1) if line.startswith(("bs,", "k,"))}
    heads = [number for number, row in cells.items() if row[0] == "bs"]
    rows = {number: row[1:] for number, row in cells.items() if row[0] == "k"}
    if len(heads) != 1:
        raise UserError(f"{path}: {len(heads)} lines of names (bs,…); a take of Face Cap has one")
    if not 0 < len(rows) <= MOST_FRAMES:
        raise UserError(f"{path}: {len(rows):,} frames (lines k,…); a take has 1 to {MOST_FRAMES:,}")
    heading, header = f"{path}, line {heads[0]}", tuple(name.strip() for name in cells[heads[0]][1:])
    for number, row in rows.items():
        if len(row) != len(_BEFORE) + len(header):
            told = f"{len(row)} cells, but {len(_BEFORE)} and {len(header)} names"
            raise UserError(f"{path}, line {number}: {told}")
    numbers, columns = list(rows), list(zip(*rows.values(), strict=True))
    place = Place(heading, lambda row: f"{path}, line {numbers[row]}")
    channels = channel_columns(heading, header)
    texts = [[row[len(_BEFORE) + column] for column in channels] for row in rows.values()]
    values = to_numbers(texts, tuple(channels.values()), place.row)
    extras = {name: columns[_BEFORE.index(name)] for name in ("time_ms", *_ANGLES)}
    return make_recording("facecap", tuple(channels.values()), values, extras, place, required)
