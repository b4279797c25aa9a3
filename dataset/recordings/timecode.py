"""SMPTE timecode as Live Link Face writes it, `H:M:S:F.sub`: text to seconds and back."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from config.errors import UserError

BASES = (24, 25, 30, 48, 50, 60, 100, 120)  # frames that a timecode may count in a second
WRITTEN_BASE = 60  # Live Link Face's own, whatever the rate of its rows
DAY_S = 86_400
_TIMECODE = re.compile(r"\s*(\d{1,2}):([0-5]?\d):([0-5]?\d)([:;])(\d{1,3}(?:\.\d+)?)\s*")


class Timecodes(NamedTuple):
    """A Timecode column as times."""

    times_s: np.ndarray  # (frames,) float64, from 0, never decreasing
    start_s: float  # the first frame's time of day
    base: int  # frames a second that the timecode counts; a row may stand on every second one only


def read_timecodes(cells: Sequence[str], place: Callable[[int], str]) -> Timecodes:
    """The times of a Timecode column. place: a row's index → where that is, in words.

    The frame field's base is found from where it returns to 0. Midnight is passed over. `H:M:S;F` is drop-frame
    timecode (SMPTE ST 12-1): labels 0 and 1 (of 30) are skipped each minute but the tenth, and a second lasts 1.001 s.

    Raises UserError, beginning with the place, for a cell that is no timecode and for time that runs backwards.
    """
    parts = [_parse(place(row), cell) for row, cell in enumerate(cells)]
    seconds = np.array([part[0] for part in parts])
    frames = np.array([part[1] for part in parts])
    seconds[1:] += DAY_S * np.cumsum(np.diff(seconds) < -DAY_S / 2)
    base = _base(seconds, frames)
    if any(part[2] for part in parts) and base in (30, 60):
        minutes = seconds // 60
        skipped = base // 15 * (minutes - minutes // 10)
        times_s = (seconds * base + frames - skipped) * (1.001 / base)
    else:
        times_s = seconds + frames / base
    backwards = np.flatnonzero(np.diff(times_s) < 0)
    if len(backwards):
        row = int(backwards[0])
        raise UserError(f"{place(row + 1)}: Timecode runs back, from {cells[row]} to {cells[row + 1]}")
    return Timecodes(times_s - times_s[0], float(times_s[0]), base)


def _parse(place: str, cell: str) -> tuple[int, float, bool]:
    """Whole seconds of the day, frames, and whether it is drop-frame timecode."""
    match = _TIMECODE.fullmatch(cell)
    if not match or int(match[1]) >= 24:
        raise UserError(f'{place}: Timecode is not hours:minutes:seconds:frames: "{cell[:40]}"')
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]), float(match[5]), match[4] == ";"


def _base(seconds: np.ndarray, frames: np.ndarray) -> int:
    """The base nearest to where the frame field would have gone on to, had it not returned, in the usual case."""
    possible = [base for base in BASES if base > frames.max()] or [int(frames.max()) + 1]
    steps, ticks = np.diff(frames), np.diff(seconds)
    if not (ticks == 1).any() or not (ticks == 0).any():
        return WRITTEN_BASE if WRITTEN_BASE in possible else possible[0]
    counted = np.median(steps[ticks == 0]) - np.median(steps[ticks == 1])
    return min(possible, key=lambda base: abs(base - counted))


def format_timecode(time_s: float) -> str:
    """A time of day in seconds as `HH:MM:SS:FF.sss`, of WRITTEN_BASE frames a second and thousandths of a frame."""
    ticks = round(time_s * WRITTEN_BASE * 1000) % (DAY_S * WRITTEN_BASE * 1000)
    seconds, ticks = divmod(ticks, WRITTEN_BASE * 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{ticks // 1000:02}.{ticks % 1000:03}"
