"""A head, posed and drawn from in front as a person would photograph it: (size, size, 3) uint8, on the CPU.

Drawn by our own rasteriser: VTK (566 MB installed) and moderngl draw nothing where the system has no OpenGL, and with
Mesa in software VTK drew 10 frames a second where this draws two to four times as many.
"""

import threading

import numpy as np

from postprocess.face.colour import to_srgb
from postprocess.face.mesh import Head, Mesh
from postprocess.face.turning import neck, rotation
from postprocess.film.kernels import openness, rasterise, shade, vertex_normals
from postprocess.film.studio import BACKDROP_BOTTOM, BACKDROP_TOP, FIELD_OF_VIEW_DEG, LIGHTS, MARGIN, framed

SHADOW_TEXELS = 320  # across and down the shadow map
SHADOW_LIFT = 2.0  # texels by which a surface is nearer than its shadow, so that it does not shade itself
OPENNESS_REACH = 0.08  # of the head's height: how far a surface takes ambient light from its surroundings
CODES = 4096  # steps of linear light that the sRGB table tells apart


class _Samples(threading.local):
    """What rasterise writes, once for each thread, for fresh memory costs as much as drawing."""

    def __init__(self, size: int) -> None:
        self.nearness = np.empty((4 * size, size), np.float32)
        self.owner = np.empty((4 * size, size), np.int32)


class Scene:
    """A head before the studio's camera and lights. Draws in the thread that asks, and several may ask at once."""

    def __init__(self, head: Head, size: int) -> None:
        """size: pixels across and down."""
        self.mesh = Mesh.of(head)
        self.size = size
        low, high = framed(self.mesh)
        middle, extent = (low + high) / 2, high - low
        self.pivot = neck(low, high)
        self.focal = size / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG / 2))  # pixels
        reach = MARGIN * max(extent[0], extent[1]) / 2
        distance = reach * self.focal / (size / 2) + extent[2] / 4  # so that what is near the face's plane fits
        self.eye = np.array([middle[0], middle[1], middle[2] + distance], np.float32)
        directions = np.array([light.direction for light in LIGHTS], np.float32)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        strengths = np.array([light.colour for light in LIGHTS], np.float32)
        self._look = (directions, strengths, self.eye, _srgb_codes())
        self._to_texels = _shadow_map(directions[0], middle, float(np.linalg.norm(extent)) / 2)
        self._to_shadow = self._to_texels.copy()
        self._to_shadow[2, 3] += SHADOW_LIFT / SHADOW_TEXELS / 2  # nearness is counted in quarters of the map's width
        self._shadow_lift_m = np.float32(3 * np.linalg.norm(extent) / SHADOW_TEXELS)
        self._openness_reach_m = np.float32(OPENNESS_REACH * max(extent[0], extent[1]))
        share = np.linspace(0, 1, size)[:, None]
        self._seen, self._lit = _Samples(size), _Samples(SHADOW_TEXELS)
        self._backdrop = (np.array(BACKDROP_TOP) * (1 - share) + np.array(BACKDROP_BOTTOM) * share).astype(np.float32)

    def draw(
        self, coefficients: np.ndarray, turn_deg: np.ndarray | tuple[float, float, float] = (0, 0, 0)
    ) -> np.ndarray:
        """coefficients: (channels,) float32, of mesh.channels → the picture (size, size, 3) uint8, sRGB.

        turn_deg: yaw to the head's own left, pitch upwards, roll towards its left shoulder.
        """
        mesh = self.mesh
        turned = (mesh.posed(coefficients) - self.pivot) @ rotation(*turn_deg).T + self.pivot
        vertices = np.ascontiguousarray(turned, np.float32)
        normals = vertex_normals(vertices, mesh.triangles, mesh.welded)
        screen = self._projected(vertices)
        drawn = (screen, vertices, normals, mesh.colours, mesh.roughness, mesh.triangles)
        nearness, owner = self._seen.nearness, self._seen.owner
        rasterise(screen, mesh.triangles, nearness, owner)
        texels = vertices @ self._to_texels[:, :3].T + self._to_texels[:, 3]
        rasterise(texels, mesh.triangles, self._lit.nearness, self._lit.owner)
        shadow = (self._lit.nearness, self._to_shadow, self._shadow_lift_m)
        coarse = openness(drawn, nearness, owner, np.float32(self.focal), self._openness_reach_m)
        return shade(drawn, nearness, owner, coarse, shadow, self._look, self._backdrop)

    def _projected(self, vertices: np.ndarray) -> np.ndarray:
        """(V, 3) float32: x and y in pixels, y down, and 1 / depth (0 behind the camera)."""
        away = self.eye - vertices
        near = np.where(away[:, 2] > 1e-6, 1 / np.maximum(away[:, 2], 1e-6), 0)
        x = self.size / 2 - self.focal * away[:, 0] * near
        y = self.size / 2 + self.focal * away[:, 1] * near
        return np.stack([x, y, near], axis=1).astype(np.float32)


def _shadow_map(towards: np.ndarray, middle: np.ndarray, radius_m: float) -> np.ndarray:
    """(3, 4) float32: metres → texels across, texels down, and nearness to a far light, around 1.

    towards: (3,) unit, to the light. The map holds a sphere around the head's middle.
    """
    right = np.cross([0, 1, 0], towards)
    right /= np.linalg.norm(right)
    scale = SHADOW_TEXELS / 2 / radius_m
    rows = np.stack([scale * right, -scale * np.cross(towards, right), towards / (4 * radius_m)])
    offset = np.array([SHADOW_TEXELS / 2, SHADOW_TEXELS / 2, 1]) - rows @ middle
    return np.column_stack([rows, offset]).astype(np.float32)


def _srgb_codes() -> np.ndarray:
    """(CODES,) uint8: linear light from 0 to 1 → sRGB."""
    return np.round(255 * to_srgb(np.linspace(0, 1, CODES))).astype(np.uint8)
