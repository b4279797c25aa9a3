"""A head: named triangle meshes, and how far each ARKit blendshape moves their vertices."""

from dataclasses import dataclass, field

import numpy as np

from dataset.blendshapes import ARKIT

MOVES = 0.05  # of the farthest that a blendshape moves a vertex: a shorter way is what a sculptor's brush left over


@dataclass(frozen=True)
class Part:
    """One mesh of a head. Metres, y up, the face looks towards +z, its own left hand is towards +x (glTF's axes)."""

    name: str  # such as face, eye_left, teeth_upper
    vertices: np.ndarray  # (V, 3) float32, at rest
    triangles: np.ndarray  # (F, 3) int32, counter-clockwise seen from outside
    colours: np.ndarray  # (V, 3) float32, linear, 0 to 1
    roughness: float = 0.6  # 0: mirror, 1: chalk (glTF's)
    offsets: dict[str, np.ndarray] = field(default_factory=dict)  # ARKit name → (V, 3) float32, metres at coefficient 1


@dataclass(frozen=True)
class Head:
    """What is drawn, exported and posed; read by postprocess/face/heads.py from any file that names its shapes."""

    parts: tuple[Part, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """The blendshapes that move something, in ARKit's order."""
        moved = set().union(*(part.offsets for part in self.parts))
        return tuple(name for name in ARKIT if name in moved)

    @property
    def missing(self) -> tuple[str, ...]:
        """The blendshapes that move nothing."""
        return tuple(name for name in ARKIT if name not in self.channels)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest corner (3,) of the box around the head at rest, metres."""
        vertices = np.concatenate([part.vertices for part in self.parts])
        return vertices.min(0), vertices.max(0)


@dataclass(frozen=True)
class Mesh:
    """A head's parts as one mesh, to be drawn."""

    channels: tuple[str, ...]  # the head's
    vertices: np.ndarray  # (V, 3) float32, metres, at rest
    offsets: np.ndarray  # (channels, V, 3) float32, metres at coefficient 1
    triangles: np.ndarray  # (F, 3) int32
    colours: np.ndarray  # (V, 3) float32
    roughness: np.ndarray  # (V,) float32
    welded: np.ndarray  # (V,) int32: the first vertex of its part that is there in every pose, and shares its normal

    @classmethod
    def of(cls, head: Head) -> "Mesh":
        """The head's parts, one after the other."""
        parts, channels = head.parts, head.channels
        starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
        offsets = np.zeros((len(channels), starts[-1], 3), np.float32)
        for part, start in zip(parts, starts, strict=False):
            for row, name in enumerate(channels):
                if name in part.offsets:
                    offsets[row, start : start + len(part.vertices)] = part.offsets[name]
        return cls(
            channels,
            np.concatenate([part.vertices for part in parts]).astype(np.float32),
            offsets,
            np.concatenate([p.triangles + s for p, s in zip(parts, starts, strict=False)]).astype(np.int32),
            np.concatenate([part.colours for part in parts]).astype(np.float32),
            np.repeat([part.roughness for part in parts], np.diff(starts)).astype(np.float32),
            np.concatenate([_welded(p) + s for p, s in zip(parts, starts, strict=False)]).astype(np.int32),
        )

    def posed(self, coefficients: np.ndarray) -> np.ndarray:
        """coefficients: (channels,) float32 → vertices (V, 3) float32, metres, the blendshapes added so much."""
        active = np.flatnonzero(coefficients)
        moved = coefficients[active] @ self.offsets[active].reshape(len(active), self.vertices.size)
        return self.vertices + moved.reshape(-1, 3)

    def moving(self) -> np.ndarray:
        """(M, 3) float32: the vertices at rest that a blendshape moves by more than MOVES of the farthest movement."""
        reach = np.zeros(len(self.vertices), np.float32)
        for offsets in self.offsets:
            np.maximum(reach, np.linalg.norm(offsets, axis=1), out=reach)
        return self.vertices[reach > MOVES * reach.max(initial=0)]


def _welded(part: Part) -> np.ndarray:
    """(V,): for each vertex the first that lies with it at rest and in every blendshape.

    Files split a vertex where its texture coordinates do; shading must not show that.
    """
    everywhere = np.ascontiguousarray(np.hstack([part.vertices, *part.offsets.values()]), np.float32)
    everywhere += np.float32(0)  # no -0
    rows = everywhere.view(np.dtype((np.void, everywhere.dtype.itemsize * everywhere.shape[1]))).ravel()
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    return first[which.ravel()]


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) float32: unit vertex normals, faces weighted by area; (0, 0, 1) for a vertex in no face."""
    corners = vertices[triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.maximum(length, 1e-30), (0, 0, 1)).astype(np.float32)
