"""A head, posed and drawn from in front as a person would photograph it: (size, size, 3) uint8, on the CPU.

Drawn by our own rasteriser: VTK's wheel (566 MB installed) and moderngl draw nothing where the system has no OpenGL, and
with Mesa's software one VTK gave 10 frames a second where this gives several times as many.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from dataset.head.mesh import Head, Part

FIELD_OF_VIEW_DEG = 18.0  # of a portrait lens: faces look like themselves from two metres away
MARGIN = 1.08  # the picture's height over the head's
BAND_ROWS = 16
CODES = 4096  # steps of linear light that the sRGB table tells apart
# From in front and above, at the picture's left: the key; from the right: the fill; from behind: the rim. Linear light.
LIGHTS = (
    ((-0.50, 0.55, 0.70), (2.05, 1.95, 1.80)),
    ((0.85, 0.10, 0.55), (0.42, 0.48, 0.58)),
    ((0.60, 0.45, -0.70), (1.10, 1.20, 1.40)),
    ((-0.80, 0.30, -0.60), (0.50, 0.48, 0.45)),
)
BACKDROP_TOP, BACKDROP_BOTTOM = (0.30, 0.34, 0.40), (0.10, 0.115, 0.14)  # linear


@dataclass(frozen=True)
class Mesh:
    """A head's parts as one mesh, ready to be posed by one product."""

    names: tuple[str, ...]  # the blendshapes that move something
    vertices: np.ndarray  # (V, 3) float32, metres, at rest
    offsets: np.ndarray  # (len(names), V · 3) float32
    triangles: np.ndarray  # (F, 3) int32
    colours: np.ndarray  # (V, 3) float32
    roughness: np.ndarray  # (V,) float32
    welded: np.ndarray  # (V,) int32: the first vertex that is at the same place in every pose, and shares its normal

    @classmethod
    def of(cls, head: Head) -> "Mesh":
        """The head's parts, one after the other."""
        starts = np.cumsum([0, *[len(part.vertices) for part in head.parts]])
        count = int(starts[-1])
        offsets = np.zeros((len(head.channels), count, 3), np.float32)
        for part, start in zip(head.parts, starts, strict=False):
            for row, name in enumerate(head.channels):
                if name in part.offsets:
                    offsets[row, start : start + len(part.vertices)] = part.offsets[name]
        return cls(
            head.channels,
            np.concatenate([part.vertices for part in head.parts]).astype(np.float32),
            offsets.reshape(len(head.channels), count * 3),
            np.concatenate([p.triangles + s for p, s in zip(head.parts, starts, strict=False)]).astype(np.int32),
            np.concatenate([part.colours for part in head.parts]).astype(np.float32),
            np.repeat([part.roughness for part in head.parts], np.diff(starts)).astype(np.float32),
            np.concatenate([_welded(p) + s for p, s in zip(head.parts, starts, strict=False)]).astype(np.int32),
        )

    def posed(self, coefficients: dict[str, float]) -> np.ndarray:
        """(V, 3) float32, as Part.posed gives each part."""
        active = [row for row, name in enumerate(self.names) if coefficients.get(name)]
        weights = np.array([coefficients[self.names[row]] for row in active], np.float32)
        return self.vertices + (weights @ self.offsets[active]).reshape(-1, 3)


def _welded(part: Part) -> np.ndarray:
    """(V,): for each vertex the first that is where it is, at rest and in a pose that tells all poses apart."""
    random = np.random.default_rng(0)
    pose = part.vertices.astype(np.float64)
    for offset in part.offsets.values():
        pose = pose + random.uniform(0.5, 1) * offset
    _, first, inverse = np.unique(np.hstack([part.vertices, pose]), axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()]


class Scene:
    """A head before a camera and four lights."""

    def __init__(self, head: Head, size: int) -> None:
        """size: pixels across and down."""
        self.mesh = Mesh.of(head)
        self.size = size
        low, high = head.bounds()
        middle, extent = (low + high) / 2, high - low
        self.pivot = np.array([middle[0], low[1] + 0.35 * extent[1], middle[2]], np.float32)  # where the neck turns
        self.focal = size / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG / 2))  # pixels
        reach = MARGIN * max(extent[0], extent[1]) / 2
        distance = reach * self.focal / (size / 2) + extent[2] / 4  # so that what is near the face's plane fits
        self.eye = np.array([middle[0], middle[1], middle[2] + distance], np.float32)
        directions = np.array([direction for direction, _ in LIGHTS], np.float32)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        strengths = np.array([strength for _, strength in LIGHTS], np.float32)
        self._look = (directions, strengths, self.eye, _srgb_codes())
        share = np.linspace(0, 1, size)[:, None]
        self._backdrop = (np.array(BACKDROP_TOP) * (1 - share) + np.array(BACKDROP_BOTTOM) * share).astype(np.float32)
        self._nearness = np.empty((4 * size, size), np.float32)
        self._owner = np.empty((4 * size, size), np.int32)
        self._normals = np.empty_like(self.mesh.vertices)
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="picture")

    def draw(
        self, coefficients: dict[str, float], yaw_deg: float = 0, pitch_deg: float = 0, roll_deg: float = 0
    ) -> np.ndarray:
        """(size, size, 3) uint8, sRGB. Angles turn the head, in degrees: to its left, up, and towards its left shoulder."""
        from scripts.picture.kernels import rasterise, shade, vertex_normals

        mesh = self.mesh
        turned = (mesh.posed(coefficients) - self.pivot) @ _rotation(yaw_deg, pitch_deg, roll_deg).T + self.pivot
        vertices = np.ascontiguousarray(turned, np.float32)
        vertex_normals(vertices, mesh.triangles, mesh.welded, self._normals)
        screen = self._projected(vertices)
        drawn = (screen, vertices, self._normals, mesh.colours, mesh.roughness, mesh.triangles)
        picture = np.empty((self.size, self.size, 3), np.uint8)

        def band(top: int) -> None:
            bottom = min(top + BAND_ROWS, self.size)
            rasterise(screen, mesh.triangles, top, bottom, self._nearness, self._owner)
            shade(drawn, self._owner, self._look, self._backdrop, top, bottom, picture)

        list(self._pool.map(band, range(0, self.size, BAND_ROWS)))
        return picture

    def _projected(self, vertices: np.ndarray) -> np.ndarray:
        """(V, 3) float32: x and y in pixels, y down, and 1 / depth (0 behind the camera)."""
        away = self.eye - vertices
        near = np.where(away[:, 2] > 1e-6, 1 / np.maximum(away[:, 2], 1e-6), 0)
        x = self.size / 2 - self.focal * away[:, 0] * near
        y = self.size / 2 + self.focal * away[:, 1] * near
        return np.stack([x, y, near], axis=1).astype(np.float32)


def _rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """(3, 3): roll first, then pitch, then yaw."""
    yaw, pitch, roll = np.radians([yaw_deg, -pitch_deg, -roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def _srgb_codes() -> np.ndarray:
    """(CODES,) uint8: linear light from 0 to 1 → sRGB (IEC 61966-2-1)."""
    light = np.linspace(0, 1, CODES)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)
