"""What every layout is read into before it becomes a Recording: named channels, and other columns by meaning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from config.errors import UserError
from dataset.blendshapes import ANGLES, ARKIT, require_channels, to_numbers
from dataset.recordings.recording import Recording
from dataset.recordings.timecode import read_timecodes
from dataset.recordings.timing import frame_rate

TONGUELESS = ("ifacialmocap", "mediapipe", "beat", "npy")  # layouts that may lack TongueOut
PERCENT = ("ifacialmocap", "npy")  # layouts that may run from 0 to 100
PERCENT_ABOVE = 1.5  # tracking overshoots 1 by a few hundredths; a face in percent passes 1.5 as soon as it moves
LIMIT = 10.0  # no coefficient is further from 0
SECONDS = {"time": 1.0, "time_s": 1.0, "time_ms": 1e-3, "timestamp_ms": 1e-3}  # a time column's unit


@dataclass(frozen=True)
class Table:
    """A file's columns. extras: name of EXTRA_COLUMNS → a cell a frame, text or number."""

    layout: str
    names: tuple[str, ...]
    values: np.ndarray  # (frames, len(names)) float64, as in the file
    extras: Mapping[str, Sequence[Any]]
    heading: str  # where the names are, in words
    place: Callable[[int], str]  # a row's index → where it is, in words
    fps: float | None = None  # as the file or the layout says
    start_s: float = 0.0

    def to_recording(self) -> Recording:
        """Raises UserError for a missing channel, a value that is no coefficient, and times that make no sense."""
        lacking = ("TongueOut",) if self.layout in TONGUELESS else ()
        require_channels(self.heading, self.names, tuple(name for name in ARKIT if name not in lacking))
        for name, cells in self.extras.items():
            if len(cells) != len(self.values):
                raise UserError(f"{self.heading}: {len(cells)} values of {name}, but {len(self.values)} frames")
        percent = self.layout in PERCENT and bool((np.abs(self.values) > PERCENT_ABOVE).any())
        values = self.values / 100 if percent else self.values
        self._check_range(values)
        times_s, start_s = self._times()
        if times_s is not None and len(times_s) > 1 and not times_s[-1]:
            raise UserError(f"{self.heading}: all {len(times_s)} frames stand at one time; export the times again")
        fps = self.fps or (None if times_s is None else frame_rate(times_s))
        angles = {name: self._column(name) for name in ANGLES if name in self.extras}
        return Recording(self.names, values, times_s, fps, angles, self.layout, start_s, percent)

    def _check_range(self, values: np.ndarray) -> None:
        outside = np.argwhere(np.abs(values) > LIMIT)
        if len(outside):
            row, column = outside[0]
            value = f"{self.names[column]} is {self.values[row, column]:g}"
            raise UserError(f"{self.place(row)}: {value}; coefficients run from 0 to 1 (divide a percentage by 100)")

    def _times(self) -> tuple[np.ndarray | None, float]:
        """(frames,) seconds from the first frame on, and the first one's time of day."""
        if "Timecode" in self.extras:
            timecodes = read_timecodes(self.extras["Timecode"], self.place)
            return timecodes.times_s, timecodes.start_s
        for name, seconds in SECONDS.items():
            if name in self.extras:
                times_s = self._column(name) * seconds
                self._check_steps(name, times_s, np.diff(times_s) >= 0, "runs back")
                return times_s - times_s[0], self.start_s
        if "frame" in self.extras:
            numbers = self._column("frame")
            self._check_steps("frame", numbers, np.diff(numbers) == 1, "skips: add a time_s column; it goes")
        return None, self.start_s

    def _check_steps(self, name: str, column: np.ndarray, good: np.ndarray, wrong: str) -> None:
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise UserError(f"{self.place(row + 1)}: {name} {wrong} from {column[row]:.9g} to {column[row + 1]:.9g}")

    def _column(self, name: str) -> np.ndarray:
        return to_numbers([[cell] for cell in self.extras[name]], [name], self.place)[:, 0]
