"""What a tracker finds of a face in one frame, and of one face along a shot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dataset.blendshapes import ARKIT, indices

_OPENING = indices(ARKIT, ("JawOpen", "MouthLowerDownLeft", "MouthLowerDownRight"))


@dataclass(frozen=True)
class SeenFace:
    """One face in one frame, in pixels of the upright frame."""

    scores: np.ndarray  # (52,) float32, in ARKIT's order, as the tracker gives them
    rotation: (
        np.ndarray
    )  # (3, 3) of the head: x to its own left, y up, z out of the face; the identity looks at the camera
    box: np.ndarray  # (4,) left, top, right, bottom
    build: np.ndarray  # (ratios,) logarithms of lengths of its bones over the distance of its eyes: who it is

    @property
    def height(self) -> float:
        """Of its box, in pixels."""
        return float(self.box[3] - self.box[1])

    @property
    def centre(self) -> np.ndarray:
        """(2,) pixels."""
        return (self.box[:2] + self.box[2:]) / 2


class Tracker(Protocol):
    """Finds faces in the frames of one shot, one after the other; what MediaPipe's landmarker is behind."""

    def faces(self, rgb: np.ndarray, time_s: float) -> list[SeenFace]:
        """rgb: (height, width, 3) uint8. Times rise from call to call."""

    def close(self) -> None:
        """Give back what it holds."""


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """One face along a shot: in which of its frames it is, and what it is there."""

    frames: np.ndarray  # (found,) int, rising
    faces: tuple[SeenFace, ...]

    @property
    def height(self) -> float:
        """The median one, in pixels."""
        return float(np.median([face.height for face in self.faces]))

    @property
    def size(self) -> float:
        """How large a part it has in the shot: its height, summed over frames."""
        return float(sum(face.height for face in self.faces))

    def opening(self) -> np.ndarray:
        """(found,) how far its mouth is open: as dataset.sync.mouth_opening has it."""
        scores = np.array([face.scores[_OPENING] for face in self.faces])
        return scores @ np.array([1.0, 0.5, 0.5])


REACH = 0.5  # of its height: how far a face may go from one frame to the next and be the same one


def link(found: Sequence[Sequence[SeenFace]]) -> list[FaceTrack]:
    """The faces of each frame of a shot, joined to tracks: each face goes to the nearest track within REACH."""
    frames: list[list[int]] = []
    members: list[list[SeenFace]] = []
    for number, faces in enumerate(found):
        free = set(range(len(members)))
        for face in sorted(faces, key=lambda face: -face.height):
            near = [(float(np.hypot(*(members[track][-1].centre - face.centre))), track) for track in free]
            distance, nearest = min(near, default=(np.inf, -1))
            if distance <= REACH * face.height:
                free.discard(nearest)
            else:
                nearest = len(members)
                members.append([])
                frames.append([])
            members[nearest].append(face)
            frames[nearest].append(number)
    return [FaceTrack(np.array(of), tuple(faces)) for of, faces in zip(frames, members, strict=True)]
