"""A head as flat arrays for WebGL: one mesh, and of each blendshape only the vertices that it moves."""

import numpy as np

from postprocess.face.colour import to_srgb
from postprocess.face.mesh import Head, Mesh
from postprocess.face.turning import neck
from postprocess.film.studio import framed

STILL_M = 1e-6  # an offset below moves nothing that could be seen
STEPS = 32767  # of an int16, for a blendshape's largest offset


def head_arrays(head: Head) -> dict[str, np.ndarray]:
    """positions (V, 3) float32, m · colours (V, 3) uint8, sRGB · roughness (V,) uint8, of 255 · triangles (F, 3) ·
    seams (V,): the vertex whose normal each shares, itself where it shares none · frame (2, 3) float32, m: the least
    and the greatest corner of what is to be shown · neck (3,) float32, m: where the head turns · for each channel that
    moves something: moved_<name> (N,) vertices, offset_<name> (N, 3) int16 and step_<name> (1,) float32, m a step.
    """
    mesh = Mesh.of(head)
    index = np.uint16 if len(mesh.vertices) <= 65536 else np.uint32
    low, high = framed(mesh)
    arrays = {
        "positions": mesh.vertices,
        "colours": np.rint(to_srgb(mesh.colours) * 255).astype(np.uint8),
        "roughness": np.rint(np.clip(mesh.roughness, 0, 1) * 255).astype(np.uint8),
        "triangles": mesh.triangles.astype(index),
        "seams": mesh.welded.astype(index),
        "frame": np.stack([low, high]).astype(np.float32),
        "neck": neck(low, high),
    }
    for name, offsets in zip(mesh.channels, mesh.offsets, strict=True):
        moved = np.flatnonzero(np.abs(offsets).max(axis=1) > STILL_M)
        step = max(float(np.abs(offsets).max()) / STEPS, 1e-12)
        arrays[f"moved_{name}"] = moved.astype(index)
        arrays[f"offset_{name}"] = np.rint(offsets[moved] / step).astype(np.int16)
        arrays[f"step_{name}"] = np.array([step], np.float32)
    return arrays
