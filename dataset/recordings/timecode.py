"""SMPTE timecode as Live Link Face writes it, `H:M:S:F.sub`: text to seconds and back."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from config.errors import UserError
from dataset.recordings.timing import RATES, frame_rate

BASES = (24, 25, 30, 48, 50, 60, 100, 120)  # frames that a timecode may count in a second
WRITTEN_BASE = 60  # Live Link Face's own, whatever the rate of its rows
DAY_S = 86_400
_TIMECODE = re.compile(r"\s*(\d{1,2}):([0-5]?\d):([0-5]?\d)([:;])(\d{1,3})(?:\.(\d{1,18}))?\s*", re.ASCII)
UNUSUAL = 0.05  # of a frame: how uneven a rate counts that no camera runs at,
MISSING = 0.2  # and each frame that is not there
CLEARLY = 0.005  # of a frame: how much more even times must be to be another reading's than the first one's
NEAR_FRAMES = 2.0  # of the timecode's: a frame field and digits that tell one moment differ by less
FLOORED_S = 0.002  # milliseconds stand so near to frames that are even


class Timecodes(NamedTuple):
    """A Timecode column as times."""

    times_s: np.ndarray  # (frames,) float64, from 0, never decreasing
    start_s: float  # the first frame's time of day
    base: int  # frames a second that the timecode counts; a row may stand on every second one only


def read_timecodes(cells: Sequence[str], place: Callable[[int], str]) -> Timecodes:
    """The times of a Timecode column. place: a row's index → where that is, in words.

    The frame field's base is found from where it returns to 0. Midnight is passed over. `H:M:S;F` is drop-frame
    timecode (SMPTE ST 12-1): labels 0 and 1 (of 30) are skipped each minute but the tenth, and a second lasts 1.001 s.
    The digits after the point are thousandths of a frame, as Live Link Face writes them, unless another reading that
    they and the frame field bear out makes clearly more even steps: see _readings.

    Raises UserError, beginning with the place, for a cell that is no timecode and for time that runs backwards.
    """
    parts = [_parse(place, row, cell) for row, cell in enumerate(cells)]
    seconds = np.array([part.second for part in parts])
    whole = np.array([part.frame for part in parts], float)
    frames = np.array([part.frame_and_fraction for part in parts])
    seconds[1:] += DAY_S * np.cumsum(np.diff(seconds) < -DAY_S / 2)
    base = _base(seconds, frames)
    if any(part.drop_frame for part in parts) and base in (30, 60):
        minutes = seconds // 60
        skipped = base // 15 * (minutes - minutes // 10)
        times_s = (seconds * base + frames - skipped) * (1.001 / base)
    else:
        times_s = seconds + frames / base
        digits = [part.digits for part in parts]
        if all(digits) and len(set(digits)) > 1:
            times_s = _most_even(_readings(times_s, seconds, whole, digits, _base(seconds, whole)))
    backwards = np.flatnonzero(np.diff(times_s) < 0)
    if len(backwards):
        row = int(backwards[0])
        raise UserError(f"{place(row + 1)}: Timecode runs back, from {cells[row]} to {cells[row + 1]}")
    return Timecodes(times_s - times_s[0], float(times_s[0]), base)


class _Label(NamedTuple):
    """A cell of the column."""

    second: int  # of the day
    frame: int
    digits: str  # after the point
    drop_frame: bool

    @property
    def frame_and_fraction(self) -> float:
        return float(f"{self.frame}.{self.digits or 0}")


def _parse(place: Callable[[int], str], row: int, cell: object) -> _Label:
    match = _TIMECODE.fullmatch(cell) if isinstance(cell, str) else None
    if not match or int(match[1]) >= 24:
        raise UserError(f'{place(row)}: Timecode is not hours:minutes:seconds:frames: "{str(cell)[:40]}"')
    second = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    return _Label(second, int(match[5]), match[6] or "", match[4] == ";")


def _unevenness(times_s: np.ndarray) -> float:
    """How far steps are from one frame, on average, in frames; frames that are missing and odd rates count apart."""
    steps = np.diff(times_s)
    fps = frame_rate(times_s)
    if fps is None or (steps < 0).any():
        return np.inf
    whole = np.maximum(1, np.rint(steps * fps))
    away = np.abs(steps * fps - whole) + MISSING * (whole > 1)
    return float(away.mean()) + (0 if fps in RATES else UNUSUAL)


def _most_even(readings: list[np.ndarray]) -> np.ndarray:
    """The first reading than which none is clearly more even."""
    uneven = [_unevenness(times_s) for times_s in readings]
    return next(times_s for times_s, of in zip(readings, uneven, strict=True) if of <= min(uneven) + CLEARLY)


def _readings(
    thousandths_s: np.ndarray, seconds: np.ndarray, frames: np.ndarray, digits: list[str], base: int
) -> list[np.ndarray]:
    """What the digits after the point may be: times, as each reading has them, the likeliest first.

    Thousandths of a frame (Live Link Face; `thousandths_s`), also without leading zeros (`9.5` for 9.005); milliseconds
    of the second (NeuroSync; the frame field may be a frame off); a counter of the take's rows, padded (and from 999 on
    to 000) or not; and digits that mean nothing. Padded counters of less than 1000 rows at 60 frames a second are the
    same text as thousandths at 59.94.
    """
    numbers = np.array([int(text) for text in digits], float)
    unpadded, small = len({len(text) for text in digits}) > 1, numbers.max() < 1000
    fractions = numbers / 1000 if unpadded and small else np.array([float(f".{text}") for text in digits])
    label_frames = seconds * base + frames
    readings = [] if unpadded else [thousandths_s]
    if small and (np.abs(frames - numbers / 1000 * base) < NEAR_FRAMES).all():
        readings.append(_on_frames(seconds + numbers / 1000))
    counted_s = _counted(numbers, label_frames / base, base, modulus=np.inf if unpadded else 10.0 ** len(digits[0]))
    if counted_s is not None:
        if (np.diff(numbers) < 0).any() and not _carried(label_frames, fractions, at_least=1):
            return [counted_s]
        readings.append(counted_s)
    if unpadded:
        readings += [seconds + (frames + fractions) / base] * bool(small) + [thousandths_s]
    if not _carried(label_frames, fractions):
        readings.append(label_frames / base)
    return readings


def _on_frames(times_s: np.ndarray) -> np.ndarray:
    """Times in whole milliseconds, put on the frames of a usual rate where all are as near as rounding leaves them."""
    fps = frame_rate(times_s)
    if fps not in RATES:
        return times_s
    even = times_s[0] + np.rint((times_s - times_s[0]) * fps) / fps
    return even if (np.abs(even - times_s) <= FLOORED_S).all() else times_s


def _counted(numbers: np.ndarray, labels_s: np.ndarray, base: int, modulus: float) -> np.ndarray | None:
    """The times of rows with these numbers, where they count up and the labels say about the same; else None."""
    steps = np.diff(numbers)
    steps[steps < 0] += modulus
    if np.median(steps) != 1:
        return None
    span_s = labels_s[-1] - labels_s[0]
    if not (steps >= 1).all() or not np.isfinite(steps).all() or span_s <= 0:
        return None
    counted = np.concatenate([[0], np.cumsum(steps)])
    measured = counted[-1] / span_s
    nearest = min(RATES, key=lambda rate: abs(rate - measured))
    fps = nearest if abs(counted[-1] / nearest - span_s) < NEAR_FRAMES / base else measured
    times_s = labels_s[0] + counted / fps
    return times_s if (np.abs(times_s - labels_s) < NEAR_FRAMES / base).all() else None


def _carried(frames: np.ndarray, fractions: np.ndarray, at_least: int = 3) -> bool:
    """Whether the fractions carry over into the frames (…, 7.9, 8.8, 9.7, 11.6): they then are what they seem.

    Digits that mean nothing jump from high to low and back without that. Where fewer than `at_least` jump, they are
    believed.
    """
    steps, jumps = np.diff(frames), np.diff(fractions)
    far = np.abs(jumps) > 0.5
    if far.sum() < at_least:
        return True
    carried = (steps[far] - np.median(steps)) * -np.sign(jumps[far]) > 0.5
    return bool(carried.mean() > 0.4)


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
