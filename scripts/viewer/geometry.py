"""A head as flat arrays for WebGL: one mesh, and of each blendshape only the vertices that it moves."""

import numpy as np

from dataset.blendshapes import ARKIT
from dataset.head.colour import to_srgb
from dataset.head.mesh import Head

STILL_M = 1e-6  # an offset below moves nothing that could be seen
STEPS = 32767  # of an int16, for a blendshape's largest offset


def head_arrays(head: Head) -> dict[str, np.ndarray]:
    """positions (V, 3) float32, m · colours (V, 3) uint8, sRGB · roughness (V,) uint8, of 255 · triangles (F, 3) ·
    seams (V,): the vertex whose normal each shares, itself where it shares none · for each channel that moves
    something: moved_<name> (N,) vertices, offset_<name> (N, 3) int16 and step_<name> (1,) float32, m a step.
    """
    positions = np.concatenate([part.vertices for part in head.parts]).astype(np.float32)
    first = np.cumsum([0, *(len(part.vertices) for part in head.parts)])
    index = np.uint16 if len(positions) <= 65536 else np.uint32
    colours = np.concatenate([part.colours for part in head.parts])
    roughness = np.concatenate([np.full(len(part.vertices), part.roughness) for part in head.parts])
    triangles = np.concatenate([part.triangles + start for part, start in zip(head.parts, first, strict=False)])
    arrays = {
        "positions": positions,
        "colours": np.rint(to_srgb(colours) * 255).astype(np.uint8),
        "roughness": np.rint(np.clip(roughness, 0, 1) * 255).astype(np.uint8),
        "triangles": triangles.astype(index),
        "seams": seams(head, first).astype(index),
    }
    for name in head.channels:
        offsets = np.concatenate([part.offsets.get(name, np.zeros_like(part.vertices)) for part in head.parts])
        moved = np.flatnonzero(np.abs(offsets).max(axis=1) > STILL_M)
        step = max(float(np.abs(offsets).max()) / STEPS, 1e-12)
        arrays[f"moved_{name}"] = moved.astype(index)
        arrays[f"offset_{name}"] = np.rint(offsets[moved] / step).astype(np.int16)
        arrays[f"step_{name}"] = np.array([step], np.float32)
    return arrays


def seams(head: Head, first: np.ndarray) -> np.ndarray:
    """(V,): the first vertex of the same part that lies with it at rest and in every blendshape.

    Files split a vertex where its texture coordinates do; shading must not show that.
    """
    shared = []
    for part, start in zip(head.parts, first, strict=False):
        shapes = [part.offsets[name] for name in ARKIT if name in part.offsets]
        everywhere = np.ascontiguousarray(np.hstack([part.vertices, *shapes]), np.float32) + np.float32(0)  # no -0
        rows = everywhere.view(np.dtype((np.void, everywhere.dtype.itemsize * everywhere.shape[1]))).ravel()
        _, places, which = np.unique(rows, return_index=True, return_inverse=True)
        shared.append(places[which.ravel()] + start)
    return np.concatenate(shared)
