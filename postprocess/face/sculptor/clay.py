"""The face as clay: lumps of simple shape, smoothly joined, as one signed distance. Millimetres; eyes at y = 0.

The smooth union is Quilez's cubic one (https://iquilezles.org/articles/smin): two lumps nearer to each other than the
softness melt together, and what is further stays as it is.
"""

from collections.abc import Callable

import numpy as np

Lump = Callable[[np.ndarray], np.ndarray]  # points (N, 3) → distances (N,), below 0 inside

FORWARDS = np.array([0.0, 0.0, 1.0])
HEAD_CENTRE_MM = np.array([0.0, -8.0, 8.0])  # every point of the head above the neck is seen from here
EYE_CENTRE_MM = np.array([33.0, 0.0, 60.0])
EYE_RADIUS_MM = 19.0
LID_MM = 1.7  # how thick the lids are
NECK_TOP_MM = np.array([0.0, -70.0, -14.0])
NECK_BOTTOM_MM = np.array([0.0, -178.0, -30.0])


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Lump:
    """Its distance is exact on the surface and good near it."""

    def distance(points: np.ndarray) -> np.ndarray:
        scaled = (points - centre) / radii
        near = np.linalg.norm(scaled, axis=1)
        slope = np.linalg.norm(scaled / radii, axis=1)
        return near * (near - 1) / np.maximum(slope, 1e-9)

    return distance


def limb(
    start: tuple[float, float, float], end: tuple[float, float, float], start_radius: float, end_radius: float
) -> Lump:
    """A stick with round ends whose radius goes from one to the other."""

    def distance(points: np.ndarray) -> np.ndarray:
        axis = np.subtract(end, start)
        along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
        centres = start + along[:, None] * axis
        return np.linalg.norm(points - centres, axis=1) - (start_radius + along * (end_radius - start_radius))

    return distance


def melt(first: np.ndarray, second: np.ndarray, softness: float) -> np.ndarray:
    """The distance (N,) to two lumps joined, from the distances (N,) to each; millimetres, as softness is."""
    overlap = np.maximum(softness - np.abs(first - second), 0) / softness
    return np.minimum(first, second) - overlap**3 * softness / 6


def carve(first: np.ndarray, second: np.ndarray, softness: float) -> np.ndarray:
    """The distance (N,) to the first lump less the second, from the distances (N,) to each; millimetres."""
    return -melt(-first, second, softness)


# Lump, how softly it joins what is before it, and whether it stands on both sides.
BONES: tuple[tuple[Lump, float, bool], ...] = (
    (ellipsoid((0, 42, -10), (76, 78, 88)), 1, False),  # skull
    (ellipsoid((0, 32, 26), (67, 62, 57)), 30, False),  # forehead
    (ellipsoid((0, -24, 20), (63, 66, 59)), 36, False),  # middle of the face
    (ellipsoid((46, -12, 10), (22, 40, 34)), 36, True),  # temple and cheekbone
    (limb((44, -34, 2), (20, -82, 44), 19, 17), 34, True),  # jaw
    (ellipsoid((0, -85, 57), (21, 19, 20)), 28, False),  # chin
    (ellipsoid((34, -33, 48), (25, 23, 23)), 26, True),  # cheek
    (ellipsoid((0, -60, 57), (31, 30, 27)), 26, False),  # muzzle
    (limb((0, -70, -14), (0, -178, -30), 44, 46), 26, False),  # neck
)
NOSE: tuple[tuple[Lump, float, bool], ...] = (
    (limb((0, 8, 76), (0, -24, 90), 7.0, 7.5), 18, False),  # bridge
    (ellipsoid((0, -30, 94), (9.8, 8.8, 10.0)), 10, False),  # tip
    (ellipsoid((9.5, -33, 86), (6.6, 6.2, 8.5)), 8, True),  # wing
)
BROWS: tuple[tuple[Lump, float, bool], ...] = ((limb((16, 21, 73), (49, 20, 58), 8, 7), 22, True),)
SOCKET = ellipsoid((34, 1, 84), (24, 17, 17))
LID_BALL = ellipsoid(tuple(EYE_CENTRE_MM), (EYE_RADIUS_MM + LID_MM,) * 3)
NOSTRIL = ellipsoid((5.6, -39.5, 89), (3.0, 3.6, 4.4))


def head_distance(points: np.ndarray) -> np.ndarray:
    """Distance (N,) of points (N, 3) to the skin, without lips and ears."""
    mirrored = points * (-1, 1, 1)
    distance = np.full(len(points), 1e3)

    def add(lumps: tuple[tuple[Lump, float, bool], ...], distance: np.ndarray) -> np.ndarray:
        for lump, softness, both in lumps:
            distance = melt(distance, lump(points), softness)
            if both:
                distance = melt(distance, lump(mirrored), softness)
        return distance

    distance = add(BONES, distance)
    distance = add(BROWS, distance)
    for side in (points, mirrored):
        distance = carve(distance, SOCKET(side), 16)
    distance = add(NOSE, distance)
    for side in (points, mirrored):
        distance = melt(distance, LID_BALL(side), 7)
    for side in (points, mirrored):
        distance = carve(distance, NOSTRIL(side), 3)
    return distance


def normal_of(points: np.ndarray) -> np.ndarray:
    """(N, 3): the clay's outward direction at points (N, 3)."""
    steps = 0.3 * np.eye(3)
    slope = np.stack([head_distance(points + step) - head_distance(points - step) for step in steps], 1)
    return slope / np.linalg.norm(slope, axis=1, keepdims=True)


def cast(starts: np.ndarray, directions: np.ndarray, steps: int = 80, near_enough_mm: float = 1e-5) -> np.ndarray:
    """Where rays (N, 3) from outside first meet the clay → points (N, 3)."""
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    points = starts.astype(float)
    moving = np.arange(len(points))
    for _ in range(steps):
        left = head_distance(points[moving])
        points[moving] += 0.85 * left[:, None] * directions[moving]
        moving = moving[np.abs(left) > near_enough_mm]
        if not len(moving):
            break
    return points


def outward(directions: np.ndarray) -> np.ndarray:
    """Where rays (N, 3) from HEAD_CENTRE_MM last leave the clay → points (N, 3)."""
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return cast(HEAD_CENTRE_MM + 160 * directions, -directions)
