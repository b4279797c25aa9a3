"""What stands beside the skin: eyeballs, lashes, brows, ears, teeth, gums, tongue, hair. Millimetres."""

from dataclasses import dataclass

import numpy as np

from postprocess.face.sculptor.clay import EYE_CENTRE_MM, EYE_RADIUS_MM, FORWARDS, cast, normal_of, outward
from postprocess.face.sculptor.skin import Skin, ramp, strips

SKIN = np.array([0.62, 0.34, 0.23])  # colours are linear
HAIR = np.array([0.082, 0.040, 0.022])
LASH = np.array([0.016, 0.010, 0.008])
SCLERA = np.array([0.74, 0.72, 0.70])
IRIS_DARK, IRIS_LIGHT = np.array([0.085, 0.042, 0.017]), np.array([0.36, 0.19, 0.075])
ENAMEL, GUM = np.array([0.97, 0.85, 0.69]), np.array([0.50, 0.17, 0.155])
TONGUE, TONGUE_GROOVE = np.array([0.52, 0.17, 0.165]), np.array([0.38, 0.10, 0.10])
IRIS_RADIANS, PUPIL_RADIANS = 0.49, 0.205  # as seen from the eyeball's centre


@dataclass
class Piece:
    """A mesh before it is a Part."""

    vertices: np.ndarray  # (V, 3) millimetres
    triangles: np.ndarray  # (F, 3)
    colours: np.ndarray  # (V, 3)

    def mirrored(self) -> "Piece":
        return Piece(self.vertices * (-1, 1, 1), self.triangles[:, ::-1], self.colours)

    def inside_out(self) -> "Piece":
        return Piece(self.vertices, self.triangles[:, ::-1], self.colours)


def joined(*pieces: Piece) -> Piece:
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    return Piece(
        np.concatenate([piece.vertices for piece in pieces]),
        np.concatenate([piece.triangles + start for piece, start in zip(pieces, starts[:-1], strict=True)]),
        np.concatenate([piece.colours for piece in pieces]),
    )


def grid(vertices: np.ndarray, colours: np.ndarray, closed: bool = True, caps: tuple[int, ...] = ()) -> Piece:
    """Rows (rows, columns, 3), closed to rings or open; outside is where row × column points.

    caps: the rows (0, -1) that a vertex in their middle closes.
    """
    rows, columns = vertices.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    points, tones, triangles = [vertices.reshape(-1, 3)], [colours.reshape(-1, 3)], [strips(index, closed)]
    for number, row in enumerate(caps):
        points.append(vertices[row].mean(0, keepdims=True))
        tones.append(colours[row].mean(0, keepdims=True))
        centre = np.full(columns, rows * columns + number)
        fan = np.stack([centre, index[row], np.roll(index[row], -1)], 1)
        triangles.append(fan if row == 0 else fan[:, ::-1])
    return Piece(np.concatenate(points), np.concatenate(triangles), np.concatenate(tones))


def mixed(share: np.ndarray | float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Colours between the first and the second, by share (N,) → (N, 3)."""
    return first + np.asarray(share)[..., None] * (second - first)


def turns(count: int) -> np.ndarray:
    """(count,): evenly spaced angles, once around."""
    return 2 * np.pi * np.arange(count) / count


# -- eyes ----------------------------------------------------------------------------------------------------------


def eyeball() -> Piece:
    """The left eye, looking straight ahead; its colours change between two close rings, so that edges stay crisp."""
    pupil, iris = PUPIL_RADIANS, IRIS_RADIANS
    share = np.array([0.02, 0.3, 0.6, 0.88])  # of the way from the pupil's edge to the iris's
    rings = np.concatenate(
        [[0.5 * pupil, 0.95 * pupil], pupil + share * (iris - pupil), [0.985 * iris, 1.05 * iris, 0.7, 1.0, 1.5, 2.3]]
    )
    turn = turns(32)
    flat = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    direction = np.sin(rings)[:, None, None] * flat + np.cos(rings)[:, None, None] * FORWARDS
    cornea = EYE_RADIUS_MM + 0.5 * ramp(rings, 1.05 * iris, 0.5 * iris)
    colours = np.tile(SCLERA, (len(rings), len(turn), 1))
    colours[:2] = 0.004
    lit = 0.5 - 0.5 * np.sin(turn)  # an iris glows opposite to where the light comes from
    fibres = 1 + 0.10 * np.cos(9 * turn) * np.cos(4 * turn + 1)
    for ring, strength in zip(range(2, 6), (0.35, 0.95, 1.0, 0.7), strict=True):
        colours[ring] = strength * fibres[:, None] * mixed(lit, IRIS_DARK, IRIS_LIGHT)
    colours[6] = (0.03, 0.018, 0.012)
    colours[7] *= 0.85
    colours[-2:] *= (1.0, 0.72, 0.66)
    return grid(EYE_CENTRE_MM + cornea[:, None, None] * direction, colours, caps=(0,))


def lashes(skin: Skin, lid_edge: int) -> Piece:
    """A dark line that stands out from the edge of the left upper lid; its columns are the lid's from 0 to half."""
    half = skin.eye.shape[1] // 2 + 1
    edge, inner = (skin.vertices[skin.eye[ring, :half]] for ring in (lid_edge, lid_edge - 1))
    away = edge - EYE_CENTRE_MM
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    share = np.linspace(0, 1, half)  # from the outer to the inner corner
    length_mm = 0.5 + 2.6 * ramp(share, 1.0, 0.25) * ramp(share, -0.12, 0.12)
    lift = np.stack([0.5 - share, 0.75 + 0 * share, 0 * share], 1)
    tip = edge + length_mm[:, None] * (0.75 * away + 0.8 * lift)
    middle = edge + length_mm[:, None] * (0.5 * away + 0.15 * lift)
    rows = np.array([inner, middle, tip])
    return grid(rows, np.broadcast_to(LASH, rows.shape), closed=False)


def onto_skin(points: np.ndarray) -> np.ndarray:
    """Points (N, 2) across and up, laid on the clay from the front → (N, 3)."""
    starts = np.concatenate([points, np.full((len(points), 1), 200.0)], 1)
    return cast(starts, np.tile(-FORWARDS, (len(points), 1)))


def brow() -> Piece:
    """The left brow: a soft roll on the brow bone, from its broad head to its fine tail."""
    share = np.linspace(0, 1, 15)
    across = 14.0 + 38 * share
    up = 22.5 + 7.5 * np.sin(np.pi * 0.88 * share**0.9) - 1.5 * share
    half_width_mm = 3.6 * ramp(share, -0.10, 0.10) ** 0.7 * (1 - 0.7 * share**1.6) * ramp(share, 1.05, 0.88)
    rows = []
    for angle in turns(8)[::-1]:
        height = half_width_mm * np.cos(angle)
        row = onto_skin(np.stack([across + 0.5 * height * (1 - share), up + height], 1))
        thickness_mm = 0.2 + 1.5 * max(np.sin(angle), -0.6) * np.minimum(half_width_mm / 3, 1)
        rows.append(row + thickness_mm[:, None] * normal_of(row))
    vertices = np.swapaxes(np.array(rows), 0, 1)
    tone = 1 - 0.25 * share[:, None, None]
    return grid(vertices, np.broadcast_to(1.1 * HAIR * tone, vertices.shape), caps=(0, -1))


# -- ears ----------------------------------------------------------------------------------------------------------

EAR_PLACE_MM = np.array([79.5, -6.0, -8.0])
EAR_TURN_DEGREES = 26.0  # how far it stands off


def ear() -> Piece:
    """The left ear: rings around its bowl out over the fold and the rim, then behind it back to the head."""
    turn = turns(32)  # 0: the back, a quarter: the top, a half: the face's side
    back, top = np.cos(turn), np.sin(turn)
    outline = np.stack([14.5 * back * (1 + 0.20 * top) + 1.5 * top, 28.0 * top * (1 + 0.06 * back)], 1)
    free = ramp(back, -0.9, 0.1)  # 1 where the rim stands free, 0 where it grows from the face
    lobe = ramp(top, -0.5, -0.95)
    rings, colours = [], []
    for share in (0.18, 0.34, 0.46, 0.57, 0.66, 0.76, 0.85, 0.93, 1.0):
        rim = 3.4 * np.exp(-(((share - 0.92) / 0.09) ** 2)) * (1 - 0.8 * lobe)
        fold = 3.0 * np.exp(-(((share - 0.62) / 0.10) ** 2)) * ramp(top, -1.0, -0.2) * free
        bowl = 4.2 * ramp(np.array(share), 0.60, 0.36) * np.ones(len(turn))
        lid = 3.0 * np.exp(-(((share - 0.55) / 0.14) ** 2)) * ramp(back, -0.75, -0.98)  # the tragus
        height = rim + fold + lid - bowl + 5.0 * share**2 * free + 1.5 * lobe * share
        centre = np.array([-3.5, -5.0]) * (1 - share)
        rings.append(np.concatenate([outline * share + centre, height[:, None]], 1))
        shade = np.clip(0.10 * bowl + 0.28 * np.exp(-(((share - 0.77) / 0.07) ** 2)) * (1 - lobe) * free, 0, 0.45)
        colours.append((1 - shade[:, None]) * SKIN * (1.02, 0.84, 0.80))
    for share, depth in ((1.0, -3.5), (0.88, -6.0), (0.55, -8.0)):
        rings.append(np.concatenate([outline * share, (5.0 * share**2 * free + depth)[:, None]], 1))
        colours.append(np.tile(0.9 * SKIN * (1.0, 0.85, 0.8), (len(turn), 1)))
    angle = np.radians(EAR_TURN_DEGREES)
    backwards = np.array([np.sin(angle), 0.12, -np.cos(angle)])
    upwards = np.array([0.08, 0.99, -0.10])
    axes = np.array([backwards, upwards, np.cross(upwards, backwards)])
    axes[2] *= np.sign(axes[2, 0])
    return grid(EAR_PLACE_MM + np.array(rings) @ axes, np.array(colours), caps=(0,))


# -- mouth ---------------------------------------------------------------------------------------------------------


@dataclass
class Arch:
    """A row of teeth along a quarter of an ellipse, and its mirror image."""

    edge_y: float  # millimetres
    height: float  # from the edge to the gum: below 0 for the lower teeth
    front_z: float
    half_width: float
    depth: float
    widths: tuple[float, ...]  # of the teeth, from the middle
    lengths: tuple[float, ...]  # shares of the height

    def line(self, places: np.ndarray) -> np.ndarray:
        """Points (N, 3) at y = 0 that lie `places` millimetres (N,) along the arch."""
        angle = np.linspace(0, np.pi / 2, 400)
        curve = np.stack([self.half_width * np.sin(angle), self.front_z - self.depth * (1 - np.cos(angle))], 1)
        gone = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
        x, z = (np.interp(places, gone, curve[:, axis]) for axis in (0, 1))
        return np.stack([x, 0 * x, z], 1)


def arches(contact: np.ndarray) -> tuple[Arch, Arch]:
    """Upper and lower teeth behind lips that meet at `contact` (3,)."""
    y, z = contact[1], contact[2]
    upper = Arch(y - 2.0, 10.5, z - 7.0, 23.5, 36.0, (8.6, 7.0, 7.6, 7.0, 7.0, 9.0), (1, 0.92, 0.98, 0.9, 0.86, 0.8))
    lower = Arch(y - 1.6, -9.5, z - 8.6, 21.5, 34.0, (5.6, 6.0, 6.8, 6.9, 7.0, 9.0), (1, 1, 1.02, 0.95, 0.9, 0.84))
    return upper, lower


def teeth(arch: Arch) -> Piece:
    """Rounded teeth in a gum."""
    edges = np.cumsum([0, *arch.widths])
    side = joined(
        *(_tooth(arch, number, (edges[number] + edges[number + 1]) / 2) for number in range(len(arch.widths)))
    )
    whole = joined(side, side.mirrored(), _gum(arch, edges[-1]))
    return whole if arch.height > 0 else whole.inside_out()


# From a tooth's edge to its neck: share of the height, of the width, of the thickness.
TOOTH_ROWS = ((0.0, 0.93, 0.72), (0.06, 0.98, 0.88), (0.35, 1.0, 0.98), (0.75, 0.98, 1.02), (1.12, 0.9, 1.0))


def _tooth(arch: Arch, number: int, place: float) -> Piece:
    foot, ahead = arch.line(np.array([place, place + 0.5]))
    tangent = (ahead - foot) / np.linalg.norm(ahead - foot)
    out = np.array([-tangent[2], 0, tangent[0]])
    turn = turns(8) + np.pi / 8
    square = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.25
    deep = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.25  # a flat front: deep grooves look like braces
    edge = arch.edge_y + arch.height * (1 - arch.lengths[number]) * 0.5
    rows, colours = [], []
    for share, wide, thick in TOOTH_ROWS:
        level = edge + share * (arch.edge_y + arch.height - edge)
        across = 0.5 * arch.widths[number] * wide * square[:, None] * tangent
        rows.append(foot + (0, level, 0) + across + 2.4 * (thick * deep[:, None] - 1) * out)
        warmth = np.array([1, 0.95, 0.89]) if share > 0.6 else np.ones(3)
        colours.append(np.tile(ENAMEL * warmth * (1 - 0.05 * number), (len(turn), 1)))
    return grid(np.array(rows), np.array(colours), caps=(0,))


def _gum(arch: Arch, reach: float) -> Piece:
    points = arch.line(np.linspace(0, reach, 13))
    points = np.concatenate([points[:0:-1] * (-1, 1, 1), points])
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    out = np.stack([-tangent[:, 2], 0 * tangent[:, 0], tangent[:, 0]], 1)
    light = 1 - 0.75 * ramp(arch.front_z - points[:, 2], 4, 30)
    profile = ((-6.0, 0.9), (-3.0, 0.76), (-0.6, 0.80), (0.3, 0.95), (0.3, 1.3), (-3.0, 1.55))
    rows = np.array([points + back * out + (0, arch.edge_y + share * arch.height, 0) for back, share in profile])
    return grid(rows, np.broadcast_to(light[:, None] * GUM, rows.shape), closed=False).inside_out()


def tongue(contact: np.ndarray) -> Piece:
    """A flat roll from the root to the tip behind the lower teeth, with a groove; rows from the root.

    contact: (3,), where the lips meet, millimetres.
    """
    share = np.linspace(0, 0.985, 14)
    turn = turns(18)
    across, up = np.cos(turn), np.sin(turn)
    front, back = contact[2] - 14.5, contact[2] - 60
    z = back + (front - back) * np.sin(share * np.pi / 2)
    y = contact[1] - 15.5 + 9.5 * np.sin(np.pi * (0.62 * share + 0.1)) - 2.5 * share**3
    half_width = 17 * np.sqrt(1 - np.maximum((share - 0.45) / 0.55, 0) ** 2.4)
    thickness = 6 * np.sqrt(1 - np.maximum((share - 0.5) / 0.5, 0) ** 2.2)
    groove = np.exp(-((across / 0.22) ** 2)) * (up > 0) * ramp(share, 1.0, 0.7)[:, None]
    vertices = np.stack(
        [
            half_width[:, None] * across,
            y[:, None] + thickness[:, None] * up - 1.5 * groove,
            np.broadcast_to(z[:, None], groove.shape),
        ],
        -1,
    )
    light = 0.25 + 0.75 * ramp(share, 0.1, 0.75)
    return grid(vertices, light[:, None, None] * mixed(0.6 * groove, TONGUE, TONGUE_GROOVE), caps=(0, -1)).inside_out()


# -- hair ----------------------------------------------------------------------------------------------------------

CROWN = np.array([0.0, 0.975, -0.22])  # what the hairline goes around
# The hairline: degrees around the crown from the face, and how many degrees it lies below the crown.
HAIRLINE = (
    (0, 20, 38, 50, 60, 69, 76, 84, 92, 102, 114, 130, 150, 180),
    (55, 56, 59, 66, 76, 86, 86, 72, 65, 70, 92, 106, 113, 115),
)
PARTING = np.array([-0.30, 0.93, 0.0])  # where the hair grows from: its locks run from here to the hairline
LOCKS, LOCK_COLUMNS, HAIR_RINGS = 17, 5, 16
SPIRAL = 0.45  # how much the locks curl on their way, radians a radian


def hair() -> Piece:
    """Short hair swept to the left from a parting, in broad locks."""
    turn = turns(LOCKS * LOCK_COLUMNS)
    phase = LOCKS * (turn / (2 * np.pi)) + 0.22 * np.sin(3 * turn) + 0.12 * np.sin(7 * turn + 1)
    lock = np.abs(np.sin(np.pi * phase)) ** 0.8
    reach = _hair_reach(turn)
    brow_side = ramp(_from_parting(reach, turn)[:, 2], 0.2, 0.7)
    reach = reach * (1 + 0.06 * brow_side * (lock - 0.5))
    depth_mm = 2.8 * ramp(reach, 0.35, 1.0)
    rows: list[np.ndarray] = []
    colours: list[np.ndarray] = []
    for share in (*np.linspace(0.06, 0.90, HAIR_RINGS - 3), 0.96, 1.0, 0.97):
        direction = _from_parting(share * reach, turn)
        front = ramp(direction[:, 2], 0.1, 0.75) * ramp(direction[:, 1], 0.2, 0.7)
        top = ramp(direction[:, 1], 0.0, 0.9)
        fullness = 4.0 + 6.0 * top + 5.0 * front + depth_mm * (lock - 0.5) * ramp(np.array(share), 0.05, 0.35)
        edge = np.sqrt(1 - 0.9 * min(share, 1) ** 8)
        under = len(rows) == HAIR_RINGS - 1
        rows.append(outward(direction) + (fullness * edge if not under else -2.5 + 0 * lock)[:, None] * direction)
        sheen = 0.62 + 0.55 * lock * ramp(np.array(share), 0.0, 0.3) + 0.35 * np.exp(-(((share - 0.42) / 0.2) ** 2))
        colours.append((sheen * (0.45 if under else 1))[:, None] * HAIR)
    return grid(np.array(rows), np.array(colours), caps=(0,))


def _from_parting(polar: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(N, 3): directions so many radians from the parting, around it by `turn` (0: to the face, then to the left)."""
    pole = PARTING / np.linalg.norm(PARTING)
    ahead = FORWARDS - pole * pole[2]
    ahead /= np.linalg.norm(ahead)
    left = np.cross(pole, ahead)
    angle = turn + SPIRAL * polar
    around = np.cos(angle)[:, None] * ahead + np.sin(angle)[:, None] * left
    return np.cos(polar)[:, None] * pole + np.sin(polar)[:, None] * around


def _hair_reach(turn: np.ndarray) -> np.ndarray:
    """(N,): how far from the parting each strand meets the hairline, radians."""
    crown = CROWN / np.linalg.norm(CROWN)
    ahead = np.array([0, -crown[2], crown[1]])
    reach = np.zeros(len(turn))
    for polar in np.linspace(0.05, 2.6, 256):
        direction = _from_parting(np.full(len(turn), polar), turn)
        around = np.degrees(np.arctan2(np.abs(direction[:, 0]), direction @ ahead))
        below = np.degrees(np.arccos(direction @ crown))
        grows = (below < np.interp(around, *HAIRLINE)) & (reach >= polar - 0.011)
        reach[grows | (polar < 0.06)] = polar
    for _ in range(2):
        reach = (np.roll(reach, 1) + 2 * reach + np.roll(reach, -1)) / 4
    return reach
