"""A first look at a video: where it is cut, how large its faces are, and where in the frame to track them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from data_process.video.decoded import pictures
from data_process.video.face import SeenFace, Tracker
from data_process.video.shots import find_cuts

LOOK_S = 1.0  # from one look for faces to the next
SMALL = 0.25  # of the frame's lesser side: a face that is lower is enlarged
MARGIN = 1.0  # of its height, around where a small face goes
WORTH = 0.6  # of the frame's area: a larger region enlarges nothing
RIVAL = 0.5  # of the largest face's height, from where another one may be who speaks
MOST_FACES = 3
TILE = 0.6  # of each side: where no face is found in the whole frame, it is looked for in four overlapping parts


@dataclass(frozen=True)
class Shot:
    """A stretch between two cuts, and how it is tracked."""

    first: int  # of the video's frames
    end: int
    region: tuple[int, int, int, int] | None  # left, top, right, bottom in pixels; None: the whole frame
    faces: int  # how many to track; 0: none was seen


@dataclass(frozen=True)
class Overview:
    """What the first look found."""

    times_s: np.ndarray  # (frames,)
    changes: np.ndarray  # (frames,) of the thumbnails
    shots: tuple[Shot, ...]


def scout(path: Path, looker: Tracker, progress: Callable[[float], object] = lambda _: None) -> Overview:
    """Look a video over, at its faces every LOOK_S. progress: told the time of each frame. Raises as pictures does."""
    times, changes = [], []
    seen: list[tuple[int, list[SeenFace]]] = []
    before, size, look_s = None, (0, 0), 0.0
    for number, picture in enumerate(pictures(path)):
        thumbnail = picture.thumbnail()
        times.append(picture.time_s)
        changes.append(0.0 if before is None else float(np.abs(thumbnail - before).mean()))
        before = thumbnail
        if picture.time_s >= look_s:
            rgb = picture.rgb()
            size, look_s = (rgb.shape[1], rgb.shape[0]), picture.time_s + LOOK_S
            seen.append((number, look(rgb, looker)))
        progress(picture.time_s)
    edges = [0, *find_cuts(np.array(changes)).tolist(), len(times)]
    shots = [
        plan_shot(first, end, [faces for number, faces in seen if first <= number < end], size)
        for first, end in pairwise(edges)
    ]
    return Overview(np.array(times), np.array(changes), tuple(shots))


def look(rgb: np.ndarray, looker: Tracker) -> list[SeenFace]:
    """rgb: (height, width, 3) → its faces, in the whole frame or, where none is found, in parts of it."""
    faces = looker.faces(rgb, 0.0)
    if faces:
        return faces
    height, width = rgb.shape[:2]
    for top in (0, round((1 - TILE) * height)):
        for left in (0, round((1 - TILE) * width)):
            tile = rgb[top : top + round(TILE * height), left : left + round(TILE * width)]
            faces += [moved(face, left, top) for face in looker.faces(tile, 0.0)]
    return faces


def moved(face: SeenFace, left: float, top: float) -> SeenFace:
    """A face that was found in a part of a frame, in pixels of the frame."""
    return SeenFace(face.scores, face.rotation, face.box + np.array([left, top, left, top]), face.build)


def plan_shot(first: int, end: int, seen: list[list[SeenFace]], size: tuple[int, int]) -> Shot:
    """seen: the faces of each look at it; size: width and height of the frame."""
    largest = [max(faces, key=lambda face: face.height) for faces in seen if faces]
    if not largest:
        # Too short to have been looked at, or nobody is there: one face costs little to look for.
        return Shot(first, end, None, 0 if seen else 1)
    height = float(np.median([face.height for face in largest]))
    rivals = [sum(face.height >= RIVAL * height for face in faces) for faces in seen]
    return Shot(first, end, _region(seen, height, size), min(max(rivals), MOST_FACES))


def _region(seen: list[list[SeenFace]], height: float, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    width, tall = size
    if height >= SMALL * min(size):
        return None
    boxes = np.array([face.box for faces in seen for face in faces if face.height >= RIVAL * height])
    margin = MARGIN * height
    left, top = (boxes[:, :2].min(axis=0) - margin).clip(0).astype(int).tolist()
    right, bottom = np.minimum(boxes[:, 2:].max(axis=0) + margin, size).astype(int).tolist()
    return None if (right - left) * (bottom - top) > WORTH * width * tall else (left, top, right, bottom)
