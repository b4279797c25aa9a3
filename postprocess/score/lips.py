"""What a viewer sees of a mouth, in millimetres: curves posed on our head and measured at its lips and chin.

Styles that look alike differ in channels, as a pucker may be drawn by a funnel, so lips are measured where they are. A
head's shapes add up, so each measure is one linear map from the coefficients, found once and held in memory: there are
no meshes to pose.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from dataset.blendshapes import ARKIT, indices
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.face.mesh import Part
from postprocess.score.metrics import PartScores, is_still, part_scores

MEASURES = ("gap", "width", "protrusion", "chin_drop")
SCORED = (*MEASURES, "rounding")
CLOSED_MM = 1.0  # lips with a smaller gap look closed
MIDDLE_MM, SEAM_MM = 0.05, 0.1  # so near the middle, or each other, vertices are in it, or meet
HELD_MM, PARTED_MM, DROPPED_MM = 0.5, 1.0, 10.0  # what JawOpen moves by less, apart by more, down by more
LIP_MM, MOUTH_MM = 12.0, 40.0  # a lip's tip and a corner are not farther from the middle of where the lips meet


class Landmarks(NamedTuple):
    """Vertices of a face, by index."""

    upper: int  # the middle of the upper lip, where it meets the lower
    lower: int  # … and of the lower lip, where it meets the upper
    left: int  # the corners, its own left and right
    right: int  # each where the lips still part
    tip: int  # the foremost of the upper lip's middle
    chin: int  # of the skin's middle, what the jaw carries farthest


class LinearMap(NamedTuple):
    """Measures = rest + coefficients @ moves."""

    rest: np.ndarray  # (4,) float64, mm, MEASURES at rest
    moves: np.ndarray  # (52, 4) float64, mm at coefficient 1


def lips_mm(curves: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Coefficients (frames, len(names)) → MEASURES (frames, 4), mm; a channel that is missing rests.

    gap: between the lips' middles, upwards; negative where they overlap, as pressed lips do: scores take it as `seen`.
    width: from corner to corner. protrusion: of the upper lip's tip forwards from rest; the lower lip's is the jaw's as
    well. chin_drop: of the chin downwards from rest.
    """
    of_head = linear_map()
    known = tuple(name for name in names if name in ARKIT)
    return of_head.rest + curves[:, indices(names, known)] @ of_head.moves[indices(ARKIT, known)]


def seen(mm: np.ndarray) -> np.ndarray:
    """The same (frames, 4) as it looks: lips that overlap have a gap of 0."""
    return np.column_stack([mm[:, 0].clip(0), mm[:, 1:]])


def standardised(values: np.ndarray) -> np.ndarray:
    """(frames, …) → the same in standard deviations from the mean over frames; 0 for what is still."""
    still = is_still(values)
    return np.where(still, 0.0, (values - values.mean(axis=0)) / np.where(still, 1.0, values.std(axis=0)))


def rounding(mm: np.ndarray) -> np.ndarray:
    """MEASURES (frames, 4) → (frames,), in standard deviations of the clip's: lips forward and drawn together.

    z(z(protrusion) − z(width)): whichever of pucker and funnel a face does it by, and however far.
    """
    z = standardised(mm)
    return standardised(z[:, 2] - z[:, 1])


def lip_scores(prediction: np.ndarray, target: np.ndarray, names: tuple[str, ...], fps: float) -> dict[str, PartScores]:
    """The scores of SCORED for (frames, len(names)) each, over the length that both have.

    Millimetres as they are seen, and rounding in standard deviations of each clip's own.
    """
    frames = min(len(prediction), len(target))
    both = [lips_mm(curves[:frames], names) for curves in (prediction, target)]
    p, t = (np.column_stack([seen(mm), rounding(mm)]) for mm in both)
    return part_scores(p, t, SCORED, fps)


@cache
def linear_map() -> LinearMap:
    """Our head's, which is read in a tenth of a second at first use."""
    [face] = [part for part in read_head(DEFAULT_HEAD).parts if part.name == "face"]
    return map_of(face)


def map_of(face: Part) -> LinearMap:
    """The map of a face that is laid out as Part says."""
    at = landmarks(face)
    rest = _measured(face.vertices.astype(np.float64) * 1000, at)
    zero = np.zeros_like(face.vertices)
    moves = [_measured(face.offsets.get(name, zero).astype(np.float64) * 1000, at) for name in ARKIT]
    return LinearMap(rest * (1, 1, 0, 0), np.array(moves))  # protrusion and chin count from rest


def _measured(points_mm: np.ndarray, at: Landmarks) -> np.ndarray:
    """MEASURES (4,) of a face's points, or of how they move, (V, 3) mm; protrusion and chin from the origin."""
    gap = points_mm[at.upper, 1] - points_mm[at.lower, 1]
    width = points_mm[at.left, 0] - points_mm[at.right, 0]
    return np.array([gap, width, points_mm[at.tip, 2], -points_mm[at.chin, 1]])


def landmarks(face: Part) -> Landmarks:
    """Found by what JawOpen does to a face: it drops the lower lip and the chin, and parts the lips where they meet."""
    points, jaw = face.vertices.astype(np.float64) * 1000, face.offsets["JawOpen"].astype(np.float64) * 1000
    middle = np.flatnonzero(np.abs(points[:, 0]) < MIDDLE_MM)
    upper, lower = _meeting(points, jaw, middle)
    lip = middle[(points[middle, 1] >= points[upper, 1]) & (points[middle, 1] < points[upper, 1] + LIP_MM)]
    seam = _seam(points, jaw, points[upper])
    return Landmarks(
        upper,
        lower,
        left=int(seam[points[seam, 0].argmax()]),
        right=int(seam[points[seam, 0].argmin()]),
        tip=int(lip[points[lip, 2].argmax()]),
        chin=int(middle[np.linalg.norm(jaw[middle], axis=1).argmax()]),
    )


def _meeting(points: np.ndarray, jaw: np.ndarray, middle: np.ndarray) -> tuple[int, int]:
    """Of the middle's vertices, one that the jaw holds and one that it drops, nearest to each other; mm."""
    dropped = jaw[middle, 1] < -DROPPED_MM
    held = np.abs(jaw[middle, 1]) < HELD_MM
    above, below = middle[held], middle[dropped]
    apart = np.linalg.norm(points[above, None] - points[None, below], axis=2)
    row, column = np.unravel_index(apart.argmin(), apart.shape)
    return int(above[row]), int(below[column])


def _seam(points: np.ndarray, jaw: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Of every two vertices that lie together and that JawOpen parts, the upper: from corner to corner; mm."""
    near = np.flatnonzero(np.linalg.norm(points - middle, axis=1) < MOUTH_MM)
    together = np.linalg.norm(points[near, None] - points[None, near], axis=2) < SEAM_MM
    parted = jaw[near, None, 1] - jaw[None, near, 1] > PARTED_MM
    return near[(together & parted).any(axis=1)]
