"""What was tracked of a video: numbers alone, a row for each frame, as a file that later stages read."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from config.errors import UserError
from config.files import written_whole


@dataclass(frozen=True)
class Tracked:
    """The face that is followed in a video; rows are nan where it was not found."""

    times_s: np.ndarray  # (frames,)
    shots: np.ndarray  # (frames,) int: which shot each frame is of
    changes: np.ndarray  # (frames,) of the picture, as Picture.thumbnail differ
    scores: np.ndarray  # (frames, 52) float32, as the tracker gives them
    angles: np.ndarray  # (frames, 3) float32 radians, of head_pose.NAMES
    boxes: np.ndarray  # (frames, 4) float32 pixels
    builds: np.ndarray  # (frames, ratios) float32
    rivals: np.ndarray  # (frames,) float32: how far the mouth of another face of about its size is open; nan: no such

    @property
    def found(self) -> np.ndarray:
        """(frames,) bool: whether the face was."""
        return np.isfinite(self.scores[:, 0])

    @property
    def step_s(self) -> float:
        """The usual time from one frame to the next; that of 25 a second for a single frame."""
        return float(np.median(np.diff(self.times_s))) if len(self.times_s) > 1 else 0.04


def write_tracked(path: Path, tracked: Tracked) -> None:
    """Write it as npz, whole or not at all."""
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **{field.name: getattr(tracked, field.name) for field in fields(Tracked)})


def read_tracked(path: Path) -> Tracked:
    """What write_tracked wrote. Raises UserError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Tracked(**{field.name: arrays[field.name] for field in fields(Tracked)})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        raise UserError(f"{path}: not what tracking wrote; remove it and run again") from None
