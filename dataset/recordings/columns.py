"""What all layouts share: a file's named columns, whatever it holds them in, made a Recording."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from config.errors import UserError
from dataset.blendshapes import (
    ANGLES,
    ARKIT,
    MAY_LACK,
    MOST_FRAMES,
    CurveCsv,
    as_number,
    require_channels,
    to_numbers,
)
from dataset.recordings.recording import Recording
from dataset.recordings.timecode import read_timecodes
from dataset.recordings.timing import frame_rate

PERCENT = ("ifacialmocap", "npy")  # layouts that may run from 0 to 100
PERCENT_ABOVE = 1.5  # tracking overshoots 1 by a few hundredths; a face in percent passes 1.5 as soon as it moves
LIMIT = 10.0  # no coefficient is further from 0
LONGEST_S = 86_400.0  # a recording lasts a day at most,
SPARSEST_S = 10.0  # and has a frame every ten seconds
SHORTEST_S = 600.0  # or so, were it only a few frames
HIGHEST_FPS = 1000.0  # frames a second that a file may tell of itself
Required: TypeAlias = tuple[str, ...] | None
"""The channels that must be there; None: all but MAY_LACK."""
SECONDS = {"time": 1.0, "time_s": 1.0, "time_ms": 1e-3, "timestamp_ms": 1e-3}  # a time column's unit


class Place(NamedTuple):
    """Where a mistake is, in words."""

    heading: str  # where the names are
    row: Callable[[int], str]  # a row's index → where it is


class Extras:
    """The columns beside the channels, by name of EXTRA_COLUMNS: a cell a frame, text or number."""

    def __init__(self, place: Place, columns: Mapping[str, Sequence[Any]], frames: int) -> None:
        """Raises UserError for a column that is not as long as the curves."""
        self.place, self.columns = place, columns
        for name, cells in columns.items():
            if len(cells) != frames:
                raise UserError(f"{place.heading}: {len(cells)} values of {name}, but {frames} frames")

    def angles(self) -> dict[str, np.ndarray]:
        """Of ANGLES, those that are there: (frames,) each, in the file's unit."""
        return {name: self._numbers(name) for name in ANGLES if name in self.columns}

    def times(self) -> tuple[np.ndarray | None, float | None]:
        """(frames,) seconds from the first frame on, None if nothing tells them; the first frame's time of day."""
        units = SECONDS
        if "Timecode" in self.columns:
            if as_number(self.columns["Timecode"][0]) is None:
                timecodes = read_timecodes(self.columns["Timecode"], self.place.row)
                self._check_span("Timecode", timecodes.times_s)
                return timecodes.times_s, timecodes.start_s
            units = {"Timecode": 1.0, **SECONDS}  # as Audio2Face-3D writes its timeCode
        for name, seconds in units.items():
            if name in self.columns:
                times_s = self._numbers(name) * seconds
                with np.errstate(over="ignore"):  # an infinite span is refused
                    self._check_steps(name, times_s, np.diff(times_s) >= 0, "runs back")
                    times_s = times_s - times_s[0]
                    self._check_span(name, times_s)
                return times_s, None
        if "frame" in self.columns:
            numbers = self._numbers("frame")
            self._check_steps("frame", numbers, np.diff(numbers) == 1, "skips: add a time_s column; it goes")
        return None, None

    def _check_span(self, name: str, times_s: np.ndarray) -> None:
        """Raises UserError for frames that stand so far apart that no recording is meant."""
        longest = longest_s(len(times_s))
        if not times_s[-1] <= longest:
            steps = np.diff(times_s)
            row = int(steps.argmax())
            raise UserError(
                f"{self.place.row(row + 1)}: {name} jumps by {steps[row]:,.0f} s; {len(times_s):,} frames may span "
                f"{longest:,.0f} s; cut the recording there, or mend its times"
            )

    def _check_steps(self, name: str, column: np.ndarray, good: np.ndarray, wrong: str) -> None:
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            steps = f"from {column[row]:.9g} to {column[row + 1]:.9g}"
            raise UserError(f"{self.place.row(row + 1)}: {name} {wrong} {steps}")

    def _numbers(self, name: str) -> np.ndarray:
        return to_numbers([[cell] for cell in self.columns[name]], [name], self.place.row)[:, 0]


def make_recording(
    layout: str,
    names: tuple[str, ...],
    values: np.ndarray,
    columns: Mapping[str, Sequence[Any]],
    place: Place,
    required: Required = None,
    fps: float | None = None,
    start_s: float = 0.0,
    csv: CurveCsv | None = None,
) -> Recording:
    """What a file of any layout is read into.

    values: (frames, len(names)) float64, as in the file. columns: name of EXTRA_COLUMNS → a cell a frame, text or
    number. fps, start_s: as the file or the layout says. Raises UserError for a missing channel, a value that is no
    coefficient, and times that make no sense.
    """
    expected = tuple(name for name in ARKIT if name not in MAY_LACK) if required is None else required
    require_channels(place.heading, names, expected)
    extras = Extras(place, columns, len(values))
    percent = layout in PERCENT and bool((np.abs(values) > PERCENT_ABOVE).any())
    coefficients = values / 100 if percent else values
    _check_range(place, names, coefficients, values)
    times_s, told_start_s = extras.times()
    if times_s is not None and len(times_s) > 1 and not times_s[-1]:
        raise UserError(f"{place.heading}: all {len(times_s)} frames stand at one time; export the times again")
    fps = fps or (None if times_s is None else frame_rate(times_s))
    _check_rate(place, fps, len(values), times_s)
    start_s = start_s if told_start_s is None else told_start_s
    return Recording(names, coefficients, times_s, fps, extras.angles(), layout, start_s, percent, csv)


def longest_s(frames: int) -> float:
    """How long a recording of so many frames may last, in seconds: what its curves take in memory is bounded by it."""
    return min(LONGEST_S, max(SHORTEST_S, SPARSEST_S * frames))


def _check_rate(place: Place, fps: float | None, frames: int, times_s: np.ndarray | None) -> None:
    if fps is None:
        return
    if not fps <= HIGHEST_FPS:
        raise UserError(f"{place.heading}: {fps:,.6g} frames a second; at most {HIGHEST_FPS:,.0f}; mend its times")
    duration_s = frames / fps if times_s is None else float(times_s[-1])
    if not duration_s <= longest_s(frames) or duration_s * fps > MOST_FRAMES:
        spanned = f"{frames:,} frames over {duration_s:,.0f} s, {fps:.6g} a second"
        raise UserError(f"{place.heading}: {spanned}; at most {longest_s(frames):,.0f} s and {MOST_FRAMES:,} frames")


def _check_range(place: Place, names: tuple[str, ...], coefficients: np.ndarray, values: np.ndarray) -> None:
    if coefficients.size and max(coefficients.max(), -coefficients.min()) > LIMIT:
        row, column = np.argwhere(np.abs(coefficients) > LIMIT)[0]
        value = f"{names[column]} is {values[row, column]:g}"
        raise UserError(f"{place.row(row)}: {value}; coefficients run from 0 to 1 (divide a percentage by 100)")
