"""The skin as a mesh: clean loops around the eyes and the lips, an even net between them, rings down the neck.

The left half is built and mirrored. Millimetres.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay, cKDTree

from postprocess.face.sculptor.clay import (
    EYE_CENTRE_MM,
    EYE_RADIUS_MM,
    HEAD_CENTRE_MM,
    LID_MM,
    NECK_BOTTOM_MM,
    NECK_TOP_MM,
    cast,
    outward,
)

EYE_COLUMNS = 36  # around one eye; a multiple of 4
LID_RINGS = (0.0, 0.1, 0.28, 0.5, 0.75, 1.0, 1.3, 1.65, 2.0)  # 0: the lid's edge, 1: its crease, 2: the socket's edge
EYE_FRAME_DEGREES = 8.0  # how far the eye's opening looks outwards
LIP_COLUMNS = 14  # from the middle of a lip to the corner
LIP_RINGS = (0.0, 0.1, 0.25, 0.45, 0.7, 0.9, 1.0, 1.15, 1.45, 1.75, 2.1)  # 0: where lips meet, 1: border, 2.1: cheek
MOUTH_HALF_WIDTH_MM = 24.5
MOUTH_Y_MM = -62.0
# Behind the lips, ring by ring: how far back, how far up and down, how wide (millimetres).
CAVITY_RINGS = (
    (0.9, 0.15, 24.2), (2.4, 0.5, 24.4), (4.6, 1.8, 25.0), (5.8, 5.0, 26.0), (6.2, 10.0, 27.5),
    (10.0, 15.0, 29.0), (26.0, 18.5, 29.0), (44.0, 15.0, 22.0), (56.0, 6.0, 9.0),
)  # fmt: skip
FIRST_LIP, FIRST_LID = len(CAVITY_RINGS), 2  # the rings of the mouth and of the eye that are seen, from here on
CREASE = FIRST_LID + LID_RINGS.index(1.0)  # the fold over the upper lid
NECK_RINGS = 8
NECK_EDGE_MM = 1.2  # how far its lower edge is rounded off, so that its shade stays at the cut
NECK_COLUMNS = 20  # on half of it
FACE_SPACING_MM, BACK_SPACING_MM = 3.7, 12.0


@dataclass
class Skin:
    """The whole skin. Rings are counted from the inside outwards, columns as `lip_rings` and `lid_rings` say."""

    vertices: np.ndarray  # (V, 3)
    triangles: np.ndarray  # (F, 3), counter-clockwise from outside
    mirror: np.ndarray  # (V,) each vertex's counterpart
    mouth: np.ndarray  # (rings, 2 * LIP_COLUMNS + 1) the left half, from the upper lip's middle to the lower's
    eye: np.ndarray  # (rings, EYE_COLUMNS) the left eye, from the outer corner over the upper lid
    neck: np.ndarray  # (rings, NECK_COLUMNS) the left half, from the front to the back

    def both(self, indices: np.ndarray) -> np.ndarray:
        """indices of vertices, any shape → (N,): they and their counterparts, each once."""
        return np.unique(np.concatenate([np.ravel(indices), self.mirror[np.ravel(indices)]]))


def ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """values of any shape → the same shape: 0 before start, 1 after end, smooth between (in either direction)."""
    t = np.clip((np.asarray(values) - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def mouth_rings() -> np.ndarray:
    """(rings, 2 * LIP_COLUMNS + 1, 3): cavity first, then the lips and the skin around them."""
    angle = np.linspace(0, np.pi, 2 * LIP_COLUMNS + 1)  # 0: upper lip's middle, π: lower lip's
    across, upper = np.sin(angle), np.cos(angle) >= 0
    rise = np.abs(np.cos(angle))
    line_y = MOUTH_Y_MM + 1.2 * across**2 - 0.5 * np.exp(-((across / 0.3) ** 2))  # a slight smile at rest
    rings = [_lip_ring(s, across, rise, upper, line_y) for s in LIP_RINGS]
    contact = rings[0]
    inside = []
    for back, apart, width in CAVITY_RINGS:
        ring = contact.copy()
        ring[:, 0] = across * width
        ring[:, 1] += np.where(upper, 1, -1) * rise**0.8 * apart
        ring[:, 2] = contact[:, 2] - back - (contact[:, 2] - contact[0, 2]) * min(back / 30, 1)
        inside.append(ring)
    whole = np.array(inside[::-1] + rings)
    whole[:, [0, -1], 0] = 0
    return whole


def _lip_ring(s: float, across: np.ndarray, rise: np.ndarray, upper: np.ndarray, line_y: np.ndarray) -> np.ndarray:
    border = min(s, 1.0)
    beyond = max(s - 1.0, 0.0)
    width = MOUTH_HALF_WIDTH_MM + 1.2 * border + 12.5 * beyond
    x = across * width
    bow = 1 + 0.16 * np.exp(-(((across - 0.24) / 0.16) ** 2)) - 0.05 * np.exp(-((across / 0.1) ** 2))
    bow = 1 + (bow - 1) * max(1 - 1.6 * beyond, 0)  # fades out above the lip
    top = 7.2 * border * rise ** (1.1 - 0.3 * min(beyond, 1)) * bow + 8.5 * beyond * rise**0.8
    bottom = 9.0 * border * rise**0.9 + 13.5 * beyond * rise**0.8
    evened = 0.5 * border * np.exp(-((across / 0.3) ** 2))  # the lower lip's border has no dip in the middle
    y = line_y + np.where(upper, top, evened - bottom)
    ring = cast(np.stack([x, y, np.full_like(x, 200.0)], 1), np.tile([0.0, 0.0, -1.0], (len(x), 1)))
    upper_out = np.interp(s, LIP_RINGS, (0.2, 1.5, 2.9, 3.7, 3.5, 2.7, 2.3, 1.6, 0.7, 0.2, 0.0))
    lower_out = np.interp(s, LIP_RINGS, (0.0, 1.6, 3.3, 4.5, 4.0, 2.4, 1.5, 0.5, -0.5, -0.4, 0.0))
    fullness = rise**0.75
    corner = -1.6 * np.exp(-((rise / 0.3) ** 2)) * ramp(np.array(s), 1.9, 0.6)
    out = np.where(upper, upper_out, lower_out) * fullness + corner * (1 - fullness)
    ring[:, 2] += out
    return ring


def eye_frame() -> np.ndarray:
    """(3, 3): rows are outwards, up and forwards of the left eye's opening."""
    turn = np.radians(EYE_FRAME_DEGREES)
    return np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])


def eye_rings() -> np.ndarray:
    """(rings, EYE_COLUMNS, 3): the lid's edge folded onto the eyeball first, then lid and socket."""
    angle = 2 * np.pi * np.arange(EYE_COLUMNS) / EYE_COLUMNS
    across, up = np.cos(angle), np.sin(angle)
    frame = eye_frame()
    rings = []
    for s in LID_RINGS:
        plane = np.stack(_lid_outline(s, across, up), 1)
        starts = EYE_CENTRE_MM + plane @ frame[:2] + 120 * frame[2]
        rings.append(cast(starts, np.tile(-frame[2], (EYE_COLUMNS, 1))))
    edge = rings[0] - EYE_CENTRE_MM
    direction = edge / np.linalg.norm(edge, axis=1, keepdims=True)
    inner = [EYE_CENTRE_MM + radius * direction for radius in (EYE_RADIUS_MM - 1.2, EYE_RADIUS_MM + 0.5)]
    inner[1] += 0.25 * (EYE_CENTRE_MM + (EYE_RADIUS_MM + LID_MM) * direction - inner[1])
    whole = np.array(inner + rings)
    outwards = whole[CREASE] - EYE_CENTRE_MM
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    whole[CREASE] -= outwards * (0.9 * np.clip(up + 0.1, 0, 1))[:, None]
    return whole


def _lid_outline(s: float, across: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A ring in the eye's plane: outwards and up (millimetres) of the eyeball's centre."""
    rise = np.abs(up)
    tilt = 1.2 * across
    lean = 1 + 0.10 * across * np.where(up >= 0, -1, 1)  # the upper lid is highest inside, the lower lowest outside
    opening = 16.8 * across, np.where(up >= 0, 9.3, -8.0) * rise**1.15 * lean + tilt - 0.6
    crease = 19.8 * across, np.where(up >= 0, 14.2, -11.6) * rise**1.0 + tilt
    socket = np.where(across >= 0, 26.0, 22.5) * across, np.where(up >= 0, 19.5, -19.0) * rise + tilt
    if s <= 1:
        pair = [(1 - s) * a + s * b for a, b in zip(opening, crease, strict=True)]
    else:
        pair = [(2 - s) * a + (s - 1) * b for a, b in zip(crease, socket, strict=True)]
    return pair[0], pair[1]


def neck_rings() -> np.ndarray:
    """(NECK_RINGS + 1, NECK_COLUMNS, 3): from under the chin down to the cut, from the front to the back."""
    angle = np.linspace(0, np.pi, NECK_COLUMNS)
    directions = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], 1)
    directions[[0, -1], 0] = 0
    rings = []
    for down in map(float, np.arange(NECK_RINGS) / (NECK_RINGS - 1)):
        top_y = -112 + 30 * ramp(-np.cos(angle), -0.6, 1)
        y = (1 - down) * top_y + down * -158
        share = (y - NECK_TOP_MM[1]) / (NECK_BOTTOM_MM[1] - NECK_TOP_MM[1])
        axis = NECK_TOP_MM + share[:, None] * (NECK_BOTTOM_MM - NECK_TOP_MM)
        ring = cast(axis + 200 * directions, -directions)
        flare = 1 + 0.25 * ramp(np.array(down), 0.45, 1.15) * np.sin(angle)
        ring[:, [0, 2]] = axis[:, [0, 2]] + (ring - axis)[:, [0, 2]] * flare[:, None]
        rings.append(ring)
    rings.append(rings[-1] - NECK_EDGE_MM * directions - (0, NECK_EDGE_MM, 0))
    result = np.array(rings)
    result[:, [0, -1], 0] = 0
    return result


def middle_line(mouth: np.ndarray, neck: np.ndarray) -> np.ndarray:
    """(N, 3): evenly spaced points on x = 0 that join mouth and neck over the face, the skull and the chin."""
    pieces = [(mouth[-1, 0], neck[0, -1], True), (mouth[-1, -1], neck[0, 0], False)]
    points = []
    for start, end, over in pieces:
        angles = [np.arctan2(p[1] - HEAD_CENTRE_MM[1], p[2] - HEAD_CENTRE_MM[2]) for p in (start, end)]
        if over and angles[1] < angles[0]:
            angles[1] += 2 * np.pi
        turn = np.linspace(angles[0], angles[1], 1200)
        line = outward(np.stack([np.zeros_like(turn), np.sin(turn), np.cos(turn)], 1))
        step = np.linalg.norm(np.diff(line, axis=0), axis=1)
        density = np.concatenate([[0], np.cumsum(step / spacing((line[1:] + line[:-1]) / 2))])
        count = round(density[-1])
        wanted = np.linspace(0, density[-1], count + 1)[1:-1]
        points.append(np.stack([np.interp(wanted, density, line[:, axis]) for axis in range(3)], 1))
    return np.concatenate(points)


def spacing(points: np.ndarray) -> np.ndarray:
    """How far apart (N,) the net's vertices should be around points (N, 3)."""
    nose = np.linalg.norm((points - (0, -30, 90)) / (1, 1.2, 1), axis=1)
    face = np.linalg.norm((points - (0, -30, 75)) / (1.1, 1.2, 1), axis=1)
    fine = 2.3 + (FACE_SPACING_MM - 2.3) * ramp(nose, 12, 26)
    return fine + (BACK_SPACING_MM - FACE_SPACING_MM) * ramp(face, 40, 130)


def spread_points(fixed: np.ndarray) -> np.ndarray:
    """(N, 3): points on the left half of the clay, one spacing from each other and from the fixed ones."""
    count = 14000
    index = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    directions = np.stack([np.sin(polar) * np.cos(turn), np.cos(polar), np.sin(polar) * np.sin(turn)], 1)
    directions = directions[directions[:, 0] > 0]
    points = outward(directions)
    points = points[points[:, 0] > 0.45 * spacing(points)]
    apart = spacing(points)
    alive = cKDTree(fixed).query(points)[0] > 0.75 * apart
    tree = cKDTree(points)
    kept = []
    for candidate in np.random.default_rng(0).permutation(len(points)):
        if alive[candidate]:
            kept.append(candidate)
            alive[tree.query_ball_point(points[candidate], 0.82 * apart[candidate])] = False
    return points[kept]


def flat(points: np.ndarray) -> np.ndarray:
    """(N, 2): the sphere of directions laid out flat, the neck at infinity (stereographic, so angles stay)."""
    down = np.array([0, -1, -0.22]) / np.linalg.norm([0, -1, -0.22])
    forwards = np.cross([1, 0, 0], down)
    direction = points - HEAD_CENTRE_MM
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    scale = 1 / (1 - direction @ down)
    return np.stack([direction[:, 0] * scale, direction @ forwards * scale], 1)


def inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Which points (N, 2) lie within a closed polygon (M, 2)."""
    x, y = points.T
    result = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, 0), strict=True):
        if y0 != y1:
            result ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return result


def strips(rings: np.ndarray, closed: bool) -> np.ndarray:
    """(F, 3): two triangles a cell between index rings (rings, columns), counter-clockwise as ring × column is."""
    here, there = rings[:-1], rings[1:]
    if closed:
        here, there = (np.concatenate([ring, ring[:, :1]], 1) for ring in (here, there))
    a, b, c, d = here[:, :-1], there[:, :-1], there[:, 1:], here[:, 1:]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def build_skin() -> Skin:
    mouth, eye, neck = mouth_rings(), eye_rings(), neck_rings()
    middle = middle_line(mouth, neck)
    start = np.cumsum([0, mouth[..., 0].size, eye[..., 0].size, neck[..., 0].size, len(middle)])
    mouth_index = np.arange(start[0], start[1]).reshape(mouth.shape[:2])
    eye_index = np.arange(start[1], start[2]).reshape(eye.shape[:2])
    neck_index = np.arange(start[2], start[3]).reshape(neck.shape[:2])
    points = np.concatenate([mouth.reshape(-1, 3), eye.reshape(-1, 3), neck.reshape(-1, 3), middle])
    border = np.concatenate([mouth_index[-1], eye_index[-1], neck_index[0], np.arange(start[3], start[4])])

    holes = [flat(points[eye_index[-1]]), flat(points[mouth_index[-1]])]
    rim = flat(points[neck_index[0]])
    fill = spread_points(points[border])
    net = flat(fill)
    keep = inside(net, rim) & ~inside(net, holes[0]) & ~inside(net, holes[1])
    fill = fill[keep]
    for _ in range(6):
        triangles = _net(np.concatenate([points[border], fill]), holes, rim)
        fill = _relaxed(np.concatenate([points[border], fill]), triangles, len(border))
    triangles = _net(np.concatenate([points[border], fill]), holes, rim)
    end = mouth_index[0]  # the throat, sewn up
    throat = strips(np.stack([end[: LIP_COLUMNS + 1], end[LIP_COLUMNS:][::-1]]), False)[:-1]
    cut = neck_index[-1]
    sole = np.stack([cut[:-1], np.full(NECK_COLUMNS - 1, start[4]), cut[1:]], 1)
    points = np.concatenate([points, neck[-1, [0, -1]].mean(0, keepdims=True)])
    number = np.concatenate([border, len(points) + np.arange(len(fill))])
    vertices = np.concatenate([points, fill])
    triangles = np.concatenate(
        [
            number[triangles],
            throat,
            sole,
            strips(mouth_index, False)[:, ::-1],
            strips(eye_index, True),
            strips(neck_index, False),
        ]
    )
    return mirrored(vertices, triangles, mouth_index, eye_index, neck_index)


def _net(points: np.ndarray, holes: list[np.ndarray], rim: np.ndarray) -> np.ndarray:
    laid = flat(points)
    triangles = Delaunay(laid).simplices
    middle = laid[triangles].mean(1)
    triangles = triangles[inside(middle, rim) & ~inside(middle, holes[0]) & ~inside(middle, holes[1])]
    corners = points[triangles]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flipped = np.einsum("ij,ij->i", facing, corners.mean(1) - HEAD_CENTRE_MM) < 0
    triangles[flipped] = triangles[flipped][:, ::-1]
    return triangles


def _relaxed(points: np.ndarray, triangles: np.ndarray, fixed: int) -> np.ndarray:
    """The free points, each half way to its neighbours' mean, back on the clay."""
    total, count = np.zeros_like(points), np.zeros(len(points))
    for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
        np.add.at(total, triangles[:, a], points[triangles[:, b]])
        np.add.at(count, triangles[:, a], 1)
    mean = total[fixed:] / count[fixed:, None]
    moved = 0.4 * points[fixed:] + 0.6 * mean
    return outward(moved - HEAD_CENTRE_MM)


def mirrored(vertices: np.ndarray, triangles: np.ndarray, mouth: np.ndarray, eye: np.ndarray, neck: np.ndarray) -> Skin:
    """The left half (V, 3), its triangles (F, 3) and its rings, with its mirror image, joined at x = 0."""
    middle = np.abs(vertices[:, 0]) < 1e-9
    mirror = np.arange(len(vertices))
    mirror[~middle] = len(vertices) + np.arange((~middle).sum())
    right = vertices[~middle] * (-1, 1, 1)
    back = np.concatenate([mirror, np.flatnonzero(~middle)])
    return Skin(
        np.concatenate([vertices, right]),
        np.concatenate([triangles, mirror[triangles][:, ::-1]]),
        back,
        mouth,
        eye,
        neck,
    )
