"""What a clip of a video is worth: measures that the doctor judges."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from data_process.video.tracked import Tracked

PROFILE_DEG = 35.0  # of yaw: further, the far corner of the mouth is hidden
STILL_CHANGE = 5e-5  # of the grey values: a camera that is on never repeats a picture so closely (least seen: 3.5e-4)
ANOTHER = 0.12  # root mean square of the differences of two builds from which they may be two people


@dataclass(frozen=True)
class ClipMeasures:
    """Of one clip; shares are of its frames."""

    source_fps: float
    lost_share: float  # of the whole shot's frames: those without the face
    face_px: float  # the median height of the face
    profile_share: float  # frames in which the head is turned away by more than PROFILE_DEG
    still_share: float  # frames in which the picture is the one before
    rival_share: float  # frames with another face of about its size
    rival_moves: float  # how much that face's mouth moves, of how much the followed one does
    noise: float  # of the tracker, the median of channels that move
    build: tuple[float, ...]  # of the face, as SeenFace has it: who it is


def measure_clip(tracked: Tracked, rows: np.ndarray, opening: np.ndarray, noise: np.ndarray) -> ClipMeasures:
    """rows: (found,) the clip's frames that have the face; opening: (found,) of its mouth; noise: (52,) by channel."""
    shot = tracked.shots == tracked.shots[rows[0]]
    span = slice(rows[0], rows[-1] + 1)
    rivals = tracked.rivals[span]
    seen = np.isfinite(rivals)
    return ClipMeasures(
        source_fps=1 / tracked.step_s,
        lost_share=float(1 - tracked.found[shot].mean()),
        face_px=float(np.median(tracked.boxes[rows, 3] - tracked.boxes[rows, 1])),
        profile_share=float((np.abs(np.degrees(tracked.angles[rows, 0])) > PROFILE_DEG).mean()),
        still_share=float((tracked.changes[span][1:] < STILL_CHANGE).mean()) if len(rivals) > 1 else 0.0,
        rival_share=float(seen.mean()),
        rival_moves=float(rivals[seen].std() / max(opening.std(), 1e-6)) if seen.sum() > 1 else 0.0,
        noise=float(np.median(noise[noise > 0])) if (noise > 0).any() else 0.0,
        build=tuple(build_of(tracked, rows).tolist()),
    )


def as_clip_measures(record: Mapping[str, Any] | None) -> ClipMeasures | None:
    """What a record tells of a clip; None where it is of no video, or by another version."""
    names = {field.name for field in fields(ClipMeasures)}
    if record is None or not names <= record.keys():
        return None
    build = tuple(record["build"])
    return ClipMeasures(**{**{name: record[name] for name in names}, "build": build})


def build_of(tracked: Tracked, rows: np.ndarray) -> np.ndarray:
    """(ratios,) of the face in these frames (found,): the median, for a turn bends what is seen of lengths."""
    median: np.ndarray = np.median(tracked.builds[rows], axis=0)
    return median


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Of two builds (ratios,): the root mean square of their differences."""
    return float(np.sqrt(np.mean((one - other) ** 2)))
