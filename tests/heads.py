"""What tests share of heads: a file of another maker's, and posing by name, the plain reference of the drawn mesh."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from postprocess.face.mesh import Part

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
LIFT = np.array([[0, 0, 0], [0, 0, 0.5], [0, 0, 0], [0, 0, 0]], np.float32)


def posed(part: Part, coefficients: Mapping[str, float]) -> np.ndarray:
    """(V, 3) float32, metres: the part's vertices with each named blendshape added times its coefficient."""
    vertices = part.vertices.copy()
    for name in coefficients.keys() & part.offsets.keys():
        vertices += np.float32(coefficients[name]) * part.offsets[name]
    return vertices


def row(channels: tuple[str, ...], coefficients: Mapping[str, float]) -> np.ndarray:
    """(channels,) float32: the named coefficients, the others 0."""
    return np.array([coefficients.get(name, 0) for name in channels], np.float32)


class GltfBuilder:
    """A gltf of another maker's: a square with one shape, its buffer embedded, everything else as told."""

    def __init__(self) -> None:
        self.data = b""
        self.tree: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"name": "Face", "mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {}, "targets": [{}]}], "extras": {"targetNames": ["jawOpen"]}}],
            "accessors": [],
            "bufferViews": [],
        }
        self.primitive = self.tree["meshes"][0]["primitives"][0]
        self.primitive["attributes"]["POSITION"] = self.add(SQUARE)
        self.primitive["indices"] = self.add(TRIANGLES.astype(np.uint16).reshape(-1, 1))
        self.primitive["targets"][0]["POSITION"] = self.add(LIFT)

    def view(self, content: bytes) -> int:
        self.tree["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)})
        self.data += content + bytes(-len(content) % 4)
        return len(self.tree["bufferViews"]) - 1

    def add(self, values: np.ndarray, **more: object) -> int:
        types = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
        kinds = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
        self.tree["accessors"].append({
            "bufferView": self.view(values.tobytes()), "componentType": types[values.dtype.name],
            "count": len(values), "type": kinds[values.shape[1]], **more,
        })  # fmt: skip
        return len(self.tree["accessors"]) - 1

    def save(self, path: Path) -> Path:
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        self.tree["buffers"] = [{"byteLength": len(self.data), "uri": uri}]
        path.write_text(json.dumps(self.tree), encoding="utf-8")
        return path
