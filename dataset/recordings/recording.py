"""A face recording, whatever layout it came in: curves by ARKit name, times, and head and eye angles beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from config.errors import UserError
from dataset.blendshapes import ARKIT, MOST_FRAMES, CurveCsv, indices, to_arkit
from dataset.recordings.resample import resample_curves, resample_times
from dataset.recordings.timing import doubled_rows, dropped_before


@dataclass(frozen=True)
class Recording:
    """The curves of one file: as they were recorded, nothing clamped, no frame added or taken away."""

    names: tuple[str, ...]  # the ARKit channels that are there, in the file's order
    values: np.ndarray  # (frames, len(names)) float64, 0 neutral to 1
    times_s: np.ndarray | None  # (frames,) float64 from 0, never decreasing; None when the layout tells no times
    fps: float | None  # the rate behind the times, or as the layout says; None when nothing tells it
    angles: dict[str, np.ndarray]  # of blendshapes.ANGLES → (frames,), in the file's unit (Live Link Face: radians)
    layout: str  # arkit, livelink, ifacialmocap, mediapipe, beat, json or npy
    start_s: float = 0.0  # the first frame's time of day, where there is a timecode
    percent: bool = False  # the file's values ran from 0 to 100; `values` don't
    csv: CurveCsv | None = None  # what it was read from, frame for frame: its other columns, and cells to the letter

    @property
    def frames(self) -> int:
        return len(self.values)

    @property
    def duration_s(self) -> float | None:
        """From the first frame's start to the last one's end; None when no rate is known."""
        if self.fps is None:
            return None
        return (self.frames / self.fps) if self.times_s is None else float(self.times_s[-1] + 1 / self.fps)

    @property
    def dropped_before(self) -> np.ndarray:
        """(frames,) int: how many frames are missing before each; all 0 when the layout tells no times."""
        if self.times_s is None or self.fps is None:
            return np.zeros(self.frames, int)
        return dropped_before(self.times_s, self.fps)

    @property
    def doubled_rows(self) -> np.ndarray:
        """(doubled,) int: the rows that stand at the time of the row before."""
        if self.times_s is None or self.fps is None:
            return np.zeros(0, int)
        return doubled_rows(self.times_s, self.fps)

    def clock_s(self) -> np.ndarray:
        """(frames,) when each frame stands, seconds from the first one on. Raises ValueError when nothing tells it."""
        if self.times_s is not None:
            return self.times_s
        if self.fps is None:
            raise ValueError("neither times nor a rate are known")
        return np.arange(self.frames) / self.fps

    def with_rate(self, fps: float) -> "Recording":
        """The recording at the rate that it tells; where it tells none, at fps."""
        return self if self.fps else replace(self, fps=fps)

    def select(self, wanted: tuple[str, ...]) -> np.ndarray:
        """(frames, len(wanted)), by name. Raises KeyError for a channel that is not there."""
        return self.values[:, indices(self.names, wanted)]

    def with_channels(self, wanted: tuple[str, ...], values: np.ndarray) -> "Recording":
        """The same recording, with values (frames, len(wanted)) in the wanted channels. Raises KeyError likewise."""
        changed = self.values.copy()
        changed[:, indices(self.names, wanted)] = values
        return replace(self, values=changed)

    def with_angles(self, angles: Mapping[str, np.ndarray]) -> "Recording":
        """The same recording, with these of blendshapes.ANGLES, (frames,) each, besides or instead of its own."""
        return replace(self, angles={**self.angles, **angles})

    def curves(self) -> np.ndarray:
        """(frames, 52) in ARKIT's order; a channel that the layout lacks (TongueOut) is 0."""
        return to_arkit(self.values, self.names)

    def angles_deg(self) -> dict[str, np.ndarray]:
        """The angles in degrees, (frames,) each. The file does not tell its unit: no face turns past π radians."""
        return self.angles if self._is_degrees else {name: np.degrees(angle) for name, angle in self.angles.items()}

    def angles_rad(self) -> dict[str, np.ndarray]:
        """The same in radians."""
        return {name: np.radians(angle) for name, angle in self.angles.items()} if self._is_degrees else self.angles

    @property
    def _is_degrees(self) -> bool:
        return any(np.abs(angle).max(initial=0) > np.pi for angle in self.angles.values())

    def columns(self) -> dict[str, np.ndarray]:
        """The 52 channels and the angles that there are, by name, (frames,) each: what a corpus's csv holds."""
        return {**dict(zip(ARKIT, self.curves().T, strict=True)), **self.angles}

    def at_rate(self, fps: float, frames: int | None = None) -> "Recording":
        """Resampled by time to a constant rate, curves and angles; where nothing tells the rate, fps says it.

        frames: the length of the result, by default the nearest to the same duration. Raises UserError for more frames
        than MOST_FRAMES.
        """
        wanted = frames or (self.duration_s or self.frames / fps) * fps
        if wanted > MOST_FRAMES:
            raise UserError(f"{wanted:,.0f} frames at {fps:g} a second, more than {MOST_FRAMES:,}; take a lower rate")
        everything = np.column_stack([self.values, *self.angles.values()])
        if self.times_s is not None:
            everything = resample_times(everything, self.times_s, fps, frames)
        elif frames is not None or (self.fps or fps) != fps:
            everything = resample_curves(everything, self.fps or fps, fps, frames)
        values, angles = np.split(everything.astype(np.float64), [len(self.names)], axis=1)
        named = dict(zip(self.angles, angles.T, strict=True))
        return replace(self, values=values, angles=named, times_s=None, fps=fps, csv=None)
