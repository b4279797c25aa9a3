"""A head as glTF 2.0: one node and one mesh a part, ARKit's shapes as morph targets, sparse where that is smaller."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dataset.files import written_whole
from dataset.head.mesh import Head, Part, normals
from dataset.head.names import camel_case

if TYPE_CHECKING:
    import pygltflib

# A normal that a shape turns by less is left as it is: half a degree of shading nobody sees, a third of the file.
LEAST_TURN = 0.01
_FLOAT, _SHORT, _INT = 5126, 5123, 5125  # glTF's component types: float32, uint16, uint32
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_VERTICES, _INDICES = 34962, 34963  # what a buffer view is for: ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER


@dataclass
class Document:
    """A glTF file in the making: pygltflib's tree, and the bytes that its accessors point into."""

    tree: pygltflib.GLTF2
    data: bytearray = field(default_factory=bytearray)

    def accessor(self, values: np.ndarray, use: int | None = None) -> int:
        """The index of a new accessor of values (N,) or (N, 2 to 4): float32, uint16 or uint32."""
        return self._add(values, bufferView=self._view(values, use))

    def sparse_accessor(self, values: np.ndarray) -> int:
        """The same for values (N, 3) float32 that are mostly 0: the others and their places, where that is smaller."""
        places = np.flatnonzero(values.any(axis=1)).astype(_index_type(len(values)))
        if places.nbytes + values[places].nbytes >= values.nbytes:
            return self.accessor(values, _VERTICES)
        if not len(places):
            return self._add(values)  # an accessor without bytes is all zeros
        import pygltflib

        sparse = pygltflib.Sparse(
            count=len(places),
            indices=pygltflib.AccessorSparseIndices(
                bufferView=self._view(places), componentType=_component_type(places)
            ),
            values=pygltflib.AccessorSparseValues(bufferView=self._view(values[places])),
        )
        return self._add(values, sparse=sparse)

    def write(self, path: Path) -> None:
        """Write a glb, whole or not at all; the same document gives the same bytes."""
        import pygltflib

        self.tree.buffers = [pygltflib.Buffer(byteLength=len(self.data))]
        self.tree.set_binary_blob(bytes(self.data))
        with written_whole(path) as partial:
            partial.write_bytes(b"".join(self.tree.save_to_bytes()))

    def _view(self, values: np.ndarray, use: int | None = None) -> int:
        import pygltflib

        content = np.ascontiguousarray(values).tobytes()
        self.tree.bufferViews.append(
            pygltflib.BufferView(buffer=0, byteOffset=len(self.data), byteLength=len(content), target=use)
        )
        self.data += content + bytes(-len(content) % 4)
        return len(self.tree.bufferViews) - 1

    def _add(self, values: np.ndarray, **source: object) -> int:
        import pygltflib

        table = values.reshape(len(values), -1)
        self.tree.accessors.append(
            pygltflib.Accessor(
                byteOffset=0 if "bufferView" in source else None,
                componentType=_component_type(values),
                count=len(table),
                type=_TYPES[table.shape[1]],
                min=table.min(0).tolist(),
                max=table.max(0).tolist(),
                **source,
            )
        )
        return len(self.tree.accessors) - 1


def write_head(path: Path, head: Head) -> None:
    """Write a glb: positions, normals, colours, and a morph target for each blendshape that moves a part."""
    head_document(head).write(path)


def head_document(head: Head) -> Document:
    """The glTF document of a head; node i is part i, its mesh's extras.targetNames names the weights."""
    import pygltflib

    tree = pygltflib.GLTF2(
        asset=pygltflib.Asset(generator="dataset/head/gltf.py"),
        scene=0,
        scenes=[pygltflib.Scene(nodes=list(range(len(head.parts))))],
    )
    document = Document(tree)
    for index, part in enumerate(head.parts):
        tree.materials.append(
            pygltflib.Material(
                name=part.name,
                doubleSided=True,  # lids, lips and lashes are open sheets
                pbrMetallicRoughness=pygltflib.PbrMetallicRoughness(metallicFactor=0, roughnessFactor=part.roughness),
            )
        )
        tree.meshes.append(_mesh(document, part, material=index))
        tree.nodes.append(pygltflib.Node(name=part.name, mesh=index))
    return document


def _mesh(document: Document, part: Part, material: int) -> pygltflib.Mesh:
    import pygltflib

    vertices = part.vertices.astype(np.float32)
    at_rest = normals(vertices, part.triangles)
    moved = {name: offsets.astype(np.float32) for name, offsets in part.offsets.items() if offsets.any()}
    targets = [
        pygltflib.Attributes(
            POSITION=document.sparse_accessor(offsets),
            NORMAL=document.sparse_accessor(_turns(at_rest, normals(vertices + offsets, part.triangles))),
        )
        for offsets in moved.values()
    ]
    primitive = pygltflib.Primitive(
        attributes=pygltflib.Attributes(
            POSITION=document.accessor(vertices, _VERTICES),
            NORMAL=document.accessor(at_rest, _VERTICES),
            COLOR_0=document.accessor(part.colours.astype(np.float32), _VERTICES),
        ),
        indices=document.accessor(part.triangles.reshape(-1).astype(_index_type(len(vertices))), _INDICES),
        material=material,
        targets=targets,
    )
    names = [camel_case(name) for name in moved]
    return pygltflib.Mesh(
        name=part.name, primitives=[primitive], weights=[0.0] * len(names), extras={"targetNames": names}
    )


def _turns(at_rest: np.ndarray, posed: np.ndarray) -> np.ndarray:
    """(V, 3) float32: how far normals turn, 0 for those that turn too little to be seen."""
    turns = posed - at_rest
    return np.where(np.linalg.norm(turns, axis=1, keepdims=True) < LEAST_TURN, np.float32(0), turns)


def _index_type(count: int) -> type[np.unsignedinteger]:
    return np.uint16 if count < 65535 else np.uint32  # glTF keeps the largest index of a type for restarts


def _component_type(values: np.ndarray) -> int:
    return {"float32": _FLOAT, "uint16": _SHORT, "uint32": _INT}[str(values.dtype)]
