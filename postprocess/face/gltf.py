"""A head as glTF 2.0: one node and one mesh a part, ARKit's shapes as morph targets, sparse where that is smaller."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from config.files import written_whole
from postprocess.face.mesh import Head, Part, normals
from postprocess.face.names import camel_case

# A normal that a shape turns by less is left as it is: half a degree of shading nobody sees, a third of the file.
LEAST_TURN = 0.01
GENERATOR = "speech-driven-expressions"  # what wrote a file, as it tells: no path, which a move would change
MAGIC, JSON_CHUNK, BINARY_CHUNK = b"glTF", b"JSON", b"BIN\0"  # of a glb
_FLOAT, _SHORT, _INT = 5126, 5123, 5125  # glTF's component types: float32, uint16, uint32
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_VERTICES, _INDICES = 34962, 34963  # what a buffer view is for: ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER


@dataclass
class Document:
    """A glTF file in the making: its JSON, and the bytes that its accessors point into.

    The JSON is kept as it is read, so that what another tool wrote is written again as it was.
    """

    tree: dict[str, Any]
    data: bytearray = field(default_factory=bytearray)

    @classmethod
    def new(cls) -> "Document":
        """An empty scene, the first and only one: its entry is still to be added to the tree's scenes."""
        return cls({"asset": {"generator": GENERATOR, "version": "2.0"}, "scene": 0})

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """The index of a new entry of the tree's nodes, meshes, animations …"""
        self.tree.setdefault(kind, []).append(entry)
        return len(self.tree[kind]) - 1

    def accessor(self, values: np.ndarray, use: int | None = None) -> int:
        """The index of a new accessor of values (N,) or (N, 2 to 4): float32, uint16 or uint32."""
        return self._add_accessor(values, {"bufferView": self.view(np.ascontiguousarray(values).tobytes(), use)})

    def sparse_accessor(self, values: np.ndarray) -> int:
        """The same for values (N, 3) float32 that are mostly 0: the others and their places, where that is smaller."""
        places = np.flatnonzero(values.any(axis=1)).astype(_index_type(len(values)))
        if places.nbytes + values[places].nbytes >= values.nbytes:
            return self.accessor(values, _VERTICES)
        if not len(places):
            return self._add_accessor(values, {})  # an accessor without bytes is all zeros
        sparse = {
            "count": len(places),
            "indices": {"bufferView": self.view(places.tobytes()), "componentType": _component_type(places)},
            "values": {"bufferView": self.view(values[places].tobytes())},
        }
        return self._add_accessor(values, {"sparse": sparse})

    def view(self, content: bytes, use: int | None = None) -> int:
        """The index of a new buffer view of these bytes."""
        described = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)}
        self.data += content + bytes(-len(content) % 4)
        return self.add("bufferViews", described if use is None else described | {"target": use})

    def animation(self, name: str, times_s: np.ndarray, path: str, tracks: dict[int, np.ndarray]) -> dict[str, Any]:
        """An animation, not yet among the tree's: straight lines between keys at times_s (keys,) float32, rising.

        path: what of a node moves (weights, translation …). tracks: node → (keys, …) float32, of which glTF makes rows.
        """
        time = self.accessor(times_s)
        outputs = [self.accessor(values.reshape(-1) if path == "weights" else values) for values in tracks.values()]
        return {
            "name": name,
            "samplers": [{"input": time, "output": output, "interpolation": "LINEAR"} for output in outputs],
            "channels": [{"sampler": n, "target": {"node": node, "path": path}} for n, node in enumerate(tracks)],
        }

    def add_track(self, animation: dict[str, Any], node: int, path: str, values: np.ndarray) -> None:
        """Add to what `animation` gave, at the same times: values (keys, …) float32 of what moves of a node."""
        time = animation["samplers"][0]["input"]
        sampler = {"input": time, "output": self.accessor(values), "interpolation": "LINEAR"}
        animation["channels"].append({"sampler": len(animation["samplers"]), "target": {"node": node, "path": path}})
        animation["samplers"].append(sampler)

    def write(self, path: Path) -> None:
        """Write a glb, whole or not at all; the same document gives the same bytes."""
        tree = self.tree | ({"buffers": [{"byteLength": len(self.data)}]} if self.data else {})
        text = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()
        chunks = [(JSON_CHUNK, text + b" " * (-len(text) % 4))]
        if self.data:
            chunks.append((BINARY_CHUNK, bytes(self.data)))
        body = b"".join(struct.pack("<I4s", len(content), kind) + content for kind, content in chunks)
        with written_whole(path) as partial:
            partial.write_bytes(struct.pack("<4sII", MAGIC, 2, 12 + len(body)) + body)

    def _add_accessor(self, values: np.ndarray, source: dict[str, Any]) -> int:
        table = values.reshape(len(values), -1)
        described = {
            "componentType": _component_type(values),
            "count": len(table),
            "type": _TYPES[table.shape[1]],
            "min": table.min(0).tolist(),
            "max": table.max(0).tolist(),
        }
        return self.add("accessors", source | described)


def write_head(path: Path, head: Head) -> None:
    """Write a glb: positions, normals, colours, and a morph target for each blendshape that moves a part."""
    head_document(head).write(path)


def head_document(head: Head) -> Document:
    """The glTF document of a head; node i is part i, its mesh's extras.targetNames names the weights."""
    document = Document.new()
    document.add("scenes", {"nodes": list(range(len(head.parts)))})
    for part in head.parts:
        surface = {"metallicFactor": 0, "roughnessFactor": part.roughness}
        # Lids, lips and lashes are open sheets.
        material = {"name": part.name, "doubleSided": True, "pbrMetallicRoughness": surface}
        mesh = document.add("meshes", _mesh(document, part, document.add("materials", material)))
        document.add("nodes", {"name": part.name, "mesh": mesh})
    return document


def _mesh(document: Document, part: Part, material: int) -> dict[str, Any]:
    vertices = part.vertices.astype(np.float32)
    at_rest = normals(vertices, part.triangles)
    moved = {name: offsets.astype(np.float32) for name, offsets in part.offsets.items() if offsets.any()}
    targets = [
        {
            "POSITION": document.sparse_accessor(offsets),
            "NORMAL": document.sparse_accessor(_turns(at_rest, normals(vertices + offsets, part.triangles))),
        }
        for offsets in moved.values()
    ]
    primitive: dict[str, Any] = {
        "attributes": {
            "POSITION": document.accessor(vertices, _VERTICES),
            "NORMAL": document.accessor(at_rest, _VERTICES),
            "COLOR_0": document.accessor(part.colours.astype(np.float32), _VERTICES),
        },
        "indices": document.accessor(part.triangles.reshape(-1).astype(_index_type(len(vertices))), _INDICES),
        "material": material,
    }
    mesh: dict[str, Any] = {"name": part.name, "primitives": [primitive]}
    if moved:
        primitive["targets"] = targets
        mesh |= {"weights": [0.0] * len(moved), "extras": {"targetNames": [camel_case(name) for name in moved]}}
    return mesh


def _turns(at_rest: np.ndarray, posed: np.ndarray) -> np.ndarray:
    """(V, 3) float32: how far normals turn, 0 for those that turn too little to be seen."""
    turns = posed - at_rest
    return np.where(np.linalg.norm(turns, axis=1, keepdims=True) < LEAST_TURN, np.float32(0), turns)


def _index_type(count: int) -> type[np.unsignedinteger]:
    return np.uint16 if count < 65535 else np.uint32  # glTF keeps the largest index of a type for restarts


def _component_type(values: np.ndarray) -> int:
    return {"float32": _FLOAT, "uint16": _SHORT, "uint32": _INT}[str(values.dtype)]
