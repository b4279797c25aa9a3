"""How tests pose heads, by name: the plain reference that the drawn mesh is compared with."""

from collections.abc import Mapping

import numpy as np

from postprocess.face.mesh import Part


def posed(part: Part, coefficients: Mapping[str, float]) -> np.ndarray:
    """(V, 3) float32, metres: the part's vertices with each named blendshape added times its coefficient."""
    vertices = part.vertices.copy()
    for name in coefficients.keys() & part.offsets.keys():
        vertices += np.float32(coefficients[name]) * part.offsets[name]
    return vertices


def row(channels: tuple[str, ...], coefficients: Mapping[str, float]) -> np.ndarray:
    """(channels,) float32: the named coefficients, the others 0."""
    return np.array([coefficients.get(name, 0) for name in channels], np.float32)
