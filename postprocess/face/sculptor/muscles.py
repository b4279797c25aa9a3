"""How the skin moves: smooth weights over the mesh, and displacement fields, both true to left and right.

Fields are (V, 3) millimetres over points; `Face` knows where its vertices lie and what they belong to.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve

from postprocess.face.sculptor.clay import EYE_CENTRE_MM
from postprocess.face.sculptor.skin import (
    CAVITY_RINGS,
    FIRST_LID,
    FIRST_LIP,
    LID_RINGS,
    LIP_COLUMNS,
    LIP_RINGS,
    Skin,
    eye_frame,
    ramp,
)

JAW_JOINT_MM = np.array([0.0, -22.0, -2.0])
JAW_DEGREES = 21.0  # how far it opens
JAW_SLIDE_MM = np.array([0.0, 0.0, 1.5])  # and slides forwards on its way
MEETING = 0.14  # where the lids meet, from the lower one (0) to the upper (1)
EYEBALL_CLEARANCE_MM = 1.1  # what a closed lid stands out, so that one half closed, on the chord, is clear too


def rotated(points: np.ndarray, axis: np.ndarray, radians: np.ndarray | float) -> np.ndarray:
    """Points (N, 3) turned about an axis through the origin (Rodrigues), each by its own angle."""
    axis = np.asarray(axis) / np.linalg.norm(axis)
    angle = np.broadcast_to(np.asarray(radians), (len(points),))[:, None]
    along = (points @ axis)[:, None] * axis
    return points * np.cos(angle) + np.cross(axis, points) * np.sin(angle) + along * (1 - np.cos(angle))


def bump(points: np.ndarray, centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    """(N,): 1 at the centre, smoothly 0 from the ellipsoid on."""
    distance = (((points - centre) / radii) ** 2).sum(1)
    return np.clip(1 - distance, 0, 1) ** 2


def jaw_turned(points: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N, 3): the jaw opened: points (N, 3) turned about its joint, each by its weight (N,)."""
    arm = points - JAW_JOINT_MM
    turned = rotated(arm, np.array([1.0, 0, 0]), np.radians(JAW_DEGREES) * weight)
    return turned - arm + np.outer(weight, JAW_SLIDE_MM)


@dataclass
class Face:
    """The skin with what its fields ask of it; every array is over its vertices."""

    skin: Skin

    @property
    def points(self) -> np.ndarray:
        """(V, 3): the vertices at rest, millimetres."""
        return self.skin.vertices

    @cached_property
    def folded(self) -> np.ndarray:
        """(V, 3): the vertices with those of the right half laid on the left."""
        return np.concatenate([np.abs(self.points[:, :1]), self.points[:, 1:]], 1)

    def left(self, blend_mm: float) -> np.ndarray:
        """(V,): 1 on the left, 0 on the right, and together with the mirror image 1 everywhere."""
        return ramp(self.points[:, 0], -blend_mm, blend_mm)

    def rings(self, rings: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(V,): values (rings, columns) laid on the left half's rings and mirrored, 0 elsewhere."""
        result = np.zeros(len(self.points))
        for side in (rings, self.skin.mirror[rings]):
            result[side] = values
        return result

    @cached_property
    def lip(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(V,) each: membership of the upper and of the lower lip, fading out in the skin around and in the cavity,
        and the height over the corners (0 there, 1 in the middle)."""
        rings, columns = self.skin.mouth.shape
        angle = np.linspace(0, np.pi, columns)
        rise = np.abs(np.cos(angle))
        s = np.array([-0.01 * back for back, _, _ in CAVITY_RINGS[::-1]] + list(LIP_RINGS))
        near = np.where(s < 0, ramp(s, -0.16, -0.06), ramp(s, 2.1, 0.9))[:, None]
        upper = near * ramp(np.cos(angle), -0.001, 0.001)[None]
        lower = near * ramp(np.cos(angle), 0.001, -0.001)[None]
        middle = LIP_COLUMNS
        upper[:, middle] = lower[:, middle] = near[:, 0] * 0.5
        mouth = self.skin.mouth
        return (
            self.rings(mouth, upper),
            self.rings(mouth, lower),
            self.rings(mouth, np.broadcast_to(rise, (rings, columns))),
        )

    @cached_property
    def lip_height(self) -> np.ndarray:
        """(V,): 0 where the lips meet and behind, 1 at their border, fading out in the skin around."""
        s = np.array([0.0] * FIRST_LIP + list(LIP_RINGS))
        columns = self.skin.mouth.shape[1]
        return self.rings(self.skin.mouth, np.repeat((ramp(s, 0, 1) * ramp(s, 2.1, 1.2))[:, None], columns, 1))

    @cached_property
    def inner(self) -> np.ndarray:
        """(V,): 1 on skin that is seen, fading to 0 in the depth of the mouth."""
        backs = np.array([back for back, _, _ in CAVITY_RINGS])
        result = np.ones(len(self.points))
        mouth = self.skin.mouth[:FIRST_LIP][::-1]
        for side in (mouth, self.skin.mirror[mouth]):
            result[side] = ramp(backs, 24, 5)[:, None]
        return result

    # -- smooth weights ------------------------------------------------------------------------------------------

    @cached_property
    def _stiffness(self) -> Any:  # a sparse matrix (V, V)
        """Squared Laplacian of the mesh: its least energy under constraints is a smooth weight."""
        triangles, points = self.skin.triangles, self.points
        rows, columns, values = [], [], []
        area = np.zeros(len(points))
        for k in range(3):
            i, j, o = triangles[:, k], triangles[:, (k + 1) % 3], triangles[:, (k + 2) % 3]
            u, v = points[i] - points[o], points[j] - points[o]
            across = np.linalg.norm(np.cross(u, v), axis=1)
            cotangent = np.clip((u * v).sum(1) / np.maximum(across, 1e-9), 0.02, 8) / 2
            rows += [i, j]
            columns += [j, i]
            values += [cotangent, cotangent]
            np.add.at(area, i, across / 6)
        count = len(points)
        weights = coo_matrix(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
        ).tocsr()
        laplacian = diags(np.asarray(weights.sum(1)).ravel()) - weights
        return (laplacian @ diags(1 / np.maximum(area, 0.05)) @ laplacian).tocsr()

    def spread(self, held: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(V,): the smoothest weight from 0 to 1 that takes the values (V,) where held (V,) bool is true."""
        free = ~held
        weight = values.copy()
        weight[free] = spsolve(self._stiffness[free][:, free].tocsc(), -self._stiffness[free][:, held] @ values[held])
        return np.clip(1.05 * (weight + weight[self.skin.mirror]) / 2 - 0.025, 0, 1)

    # -- jaw -----------------------------------------------------------------------------------------------------

    def jaw_weight(self, corner: float, upper: float, lower: float) -> np.ndarray:
        """(V,): how much of the jaw's motion the skin takes, with lips that part (upper < lower) or stay together."""
        points, mouth = self.folded, self.skin.mouth
        columns = mouth.shape[1]
        angle = np.linspace(0, np.pi, columns)
        rise = np.abs(np.cos(angle)) ** 0.75
        lips = corner + np.where(np.cos(angle) > 0, upper - corner, lower - corner) * rise
        values, held = np.zeros(len(points)), np.zeros(len(points), bool)

        def hold(where: np.ndarray, what: np.ndarray | float) -> None:
            values[where] = what
            held[where] = True

        hold(points[:, 1] > -30, 0)
        hold((points[:, 2] < 2) & (points[:, 1] > -75), 0)
        hold((points[:, 2] < -25), 0)
        hold((((points - (0, -88, 62)) / (20, 13, 24)) ** 2).sum(1) < 1, 1)
        for neck in (self.skin.neck, self.skin.mirror[self.skin.neck]):
            hold(neck[3:], 0)
        for ring in range(FIRST_LIP - 5, FIRST_LIP + 9):
            for side in (mouth[ring], self.skin.mirror[mouth[ring]]):
                hold(side, lips)
        for ring in range(FIRST_LIP - 5):
            deepness = (FIRST_LIP - 5 - ring) / 4  # the throat goes half way
            for side in (mouth[ring], self.skin.mirror[mouth[ring]]):
                hold(side, lips * (1 - deepness) + 0.5 * deepness)
        return self.spread(held, values)

    def jaw_moved(self, by: tuple[float, float, float]) -> np.ndarray:
        """(V, 3): the jaw slid, the corners and a little of the upper lip going with it."""
        return np.outer(self.jaw_weight(0.45, 0.25, 1.0), by)

    # -- lids ----------------------------------------------------------------------------------------------------

    def lids(self, upper_closed: float, lower_closed: float, sideways_degrees: float = 0.0) -> np.ndarray:
        """(V, 3), left eye: the lids turned about the eyeball. 1: to the line where they meet; below 0: wider."""
        rings = self.skin.eye
        frame = eye_frame()
        local = (self.points[rings] - EYE_CENTRE_MM) @ frame.T
        columns = rings.shape[1]
        half = columns // 2
        elevation = np.arctan2(local[..., 1], local[..., 2])
        edge = elevation[FIRST_LID]
        opposite = edge[(-np.arange(columns)) % columns]
        is_upper = np.arange(columns) < half
        low, high = np.where(is_upper, opposite, edge), np.where(is_upper, edge, opposite)
        meeting = low + MEETING * (high - low)
        turn = (meeting - edge) * np.where(is_upper, upper_closed, lower_closed)
        s = np.array([0.0] * FIRST_LID + list(LID_RINGS))
        share = np.interp(s, LID_RINGS, (1, 0.97, 0.88, 0.72, 0.5, 0.3, 0.13, 0.04, 0))
        moved = self._turned(local, turn[None] * share[:, None])
        closing = np.clip(turn / np.minimum(meeting - edge, -1e-6), 0, 1) if upper_closed > 0 else 0 * turn
        distance = np.linalg.norm(moved, axis=2, keepdims=True)
        push = EYEBALL_CLEARANCE_MM * np.where(is_upper, closing * upper_closed, 0)[None] * share[:, None]
        push[:FIRST_LID] *= 0.3
        moved *= 1 + push[..., None] / distance
        if sideways_degrees:
            angle = np.radians(sideways_degrees) * share
            x = moved[..., 0] * np.cos(angle)[:, None] + moved[..., 2] * np.sin(angle)[:, None]
            z = moved[..., 2] * np.cos(angle)[:, None] - moved[..., 0] * np.sin(angle)[:, None]
            moved = np.stack([x, moved[..., 1], z], -1)
        result = np.zeros_like(self.points)
        result[rings] = (moved - local) @ frame
        return result

    @staticmethod
    def _turned(local: np.ndarray, angle: np.ndarray) -> np.ndarray:
        y = local[..., 1] * np.cos(angle) + local[..., 2] * np.sin(angle)
        z = local[..., 2] * np.cos(angle) - local[..., 1] * np.sin(angle)
        return np.stack([local[..., 0], y, z], -1)
