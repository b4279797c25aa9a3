"""A head from a glTF 2.0 file (glb, gltf, vrm), as it rests: transforms, skin and colours are put into the vertices."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from config.errors import UserError
from config.files import MEBIBYTE, MOST_BYTES
from dataset.blendshapes import canonical
from postprocess.face.colour import to_linear
from postprocess.face.gltf import Document
from postprocess.face.gltf_source import (
    COMPRESSIONS,
    GltfSource,
    damage_named,
    indices_below,
    load_gltf,
    number,
)
from postprocess.face.mesh import Head, Part
from postprocess.face.names import arkit_places

MOST_VERTICES, MOST_CORNERS = 1_000_000, 6_000_000  # of a head that is drawn
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_UNSEEN_TEXTURE = 0.6  # what an image that cannot be read multiplies the base colour by: about a skin's mean
_SOLID = 0.5  # a cut-out material's triangles below this opacity are not drawn (glTF's default alphaCutoff)
_MIME_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}

Mixes = dict[str, list[tuple[int, float]]]
"""ARKit name → which of a mesh's shapes it moves, and how far."""


class Morphs(NamedTuple):
    """What moves the mesh of one node."""

    node: int
    at_rest: tuple[float, ...]  # the weights of all its shapes
    mixes: Mixes


def read_gltf(path: Path) -> tuple[Head, list[str]]:
    """The head, and the names of all shapes in the file. VRM expressions stand in for shapes that meshes do not name.

    Shapes that are not ARKit's stand where the file has them by default.

    Raises UserError for a file that is damaged, compressed, no glTF 2.0, without a mesh or with too many vertices, and
    for one that names another outside its folder.
    """
    source = load_gltf(path)
    with damage_named(path):
        named = _NamedShapes(source)
        parts = list(_parts(source, named))
        shapes = named.all()
    if not parts:
        raise UserError(f"{path}: no triangle mesh in its scene; expected a head")
    return Head(tuple(parts)), shapes


def open_gltf(path: Path) -> tuple[Document, list[Morphs], list[str]]:
    """The file as it is, to be added to and written as one glb; what its shapes move; the names of all its shapes.

    What lies in files beside it is taken in. Raises UserError as read_gltf does.
    """
    source = load_gltf(path)
    with damage_named(path):
        _check_all(source)
        document, named = Document(source.tree), _NamedShapes(source)
        _take_in_buffers(document, source)
        _take_in_images(document, source)
        return document, list(_morphs(named)), named.all()


def morphs(document: Document) -> list[Morphs]:
    """The nodes whose meshes have ARKit shapes, in the tree's order."""
    return list(_morphs(_NamedShapes(GltfSource(Path(), document.tree))))


def _check_all(source: GltfSource) -> None:
    """Raises what reading the parts does, also of those that are not drawn: a damaged file is not handed on."""
    _world_matrices(source)
    for index in range(len(source.all("accessors"))):
        source.count(index)
    indexed = {
        (primitive["indices"], primitive["attributes"]["POSITION"])
        for mesh in source.all("meshes")
        for primitive in mesh["primitives"]
        if "indices" in primitive and "POSITION" in primitive["attributes"]
    }
    for indices, positions in indexed:
        indices_below(source.accessor(indices, width=1), source.count(positions))


def _take_in_buffers(document: Document, source: GltfSource) -> None:
    starts = []
    for index in range(len(source.all("buffers"))):
        starts.append(len(document.data))
        content = source.buffer(index)
        document.data += content + bytes(-len(content) % 4)
        _check_size(document, source)
    for view in source.all("bufferViews"):
        for compression in COMPRESSIONS:
            view.get("extensions", {}).pop(compression, None)  # the plain bytes are there too
        view["byteOffset"] = view.get("byteOffset", 0) + starts[view["buffer"]]
        view["buffer"] = 0


def _take_in_images(document: Document, source: GltfSource) -> None:
    views: dict[str, int] = {}
    for image in source.all("images"):
        if not image.get("uri", "data:").startswith("data:"):
            uri = image.pop("uri")
            if uri not in views:
                views[uri] = document.view(source.fetch(uri))
                _check_size(document, source)
            image["bufferView"] = views[uri]
            image.setdefault("mimeType", _MIME_TYPES.get(Path(uri).suffix.lower(), "image/png"))


def _check_size(document: Document, source: GltfSource) -> None:
    if len(document.data) > MOST_BYTES:
        raise UserError(f"{source.path}: more than {MOST_BYTES // MEBIBYTE} MiB with what lies beside it; export less")


def _morphs(named: "_NamedShapes") -> Iterator[Morphs]:
    for index, node in enumerate(named.source.all("nodes")):
        if "mesh" not in node:
            continue
        mesh = named.source.entry("meshes", node["mesh"])
        if mesh["primitives"][0].get("targets") and (mixes := named.mixes(index, 0)):
            yield Morphs(index, _at_rest(node, mesh), mixes)


def _at_rest(node: dict[str, Any], mesh: dict[str, Any]) -> tuple[float, ...]:
    """The weights of a mesh's shapes by default: the node's, else the mesh's, else 0."""
    shapes = len(mesh["primitives"][0].get("targets", []))
    given = (node.get("weights") or mesh.get("weights") or [])[:shapes]
    return (*map(number, given), *[0.0] * (shapes - len(given)))


class _NamedShapes:
    """Which shapes of each mesh are ARKit's: by their names; by VRM expressions for what these do not name."""

    def __init__(self, source: GltfSource) -> None:
        self.source = source
        self._places: dict[tuple[int, int], dict[str, list[int]]] = {}  # of (mesh, primitive)
        # ARKit name → (node or None, mesh or None) → (a shape's place, its share)
        self._binds: dict[str, dict[tuple[int | None, int | None], list[tuple[int, float]]]] = {}
        for shape, binds in _expressions(source).items():
            if name := canonical(shape):
                self._binds[name] = {}
                for bind in binds:
                    whose = bind.get("node"), bind.get("mesh")
                    self._binds[name].setdefault(whose, []).append((bind["index"], number(bind["weight"])))

    def mixes(self, node: int, primitive: int) -> Mixes:
        """What each ARKit shape moves of one primitive of a node's mesh. Raises IndexError for what is not there."""
        index = self.source.entry("nodes", node)["mesh"]
        mesh = self.source.entry("meshes", index)
        if (index, primitive) not in self._places:
            self._places[index, primitive] = arkit_places(
                _target_names(self.source, mesh, mesh["primitives"][primitive])
            )
        found: Mixes = {}
        for name, binds in self._binds.items():
            owners = ((node, index), (node, None), (None, index), (None, None))
            found[name] = [bind for whose in owners for bind in binds.get(whose, [])]
        found |= {name: [(place, 1.0) for place in at] for name, at in self._places[index, primitive].items()}
        shapes = len(mesh["primitives"][primitive].get("targets", []))
        for place, _ in (bind for mix in found.values() for bind in mix):
            if not 0 <= place < shapes:
                raise IndexError(f"shape {place}, of {shapes}")
        return {name: mix for name, mix in found.items() if mix}

    def all(self) -> list[str]:
        """The names of all shapes in the file, ARKit's or not."""
        meshes = self.source.all("meshes")
        names = [name for mesh in meshes for name in _target_names(self.source, mesh, mesh["primitives"][0])]
        return list(dict.fromkeys(name for name in (*names, *_expressions(self.source)) if name))


def _parts(source: GltfSource, named: _NamedShapes) -> Iterator[Part]:
    worlds = _world_matrices(source)
    taken: dict[str, int] = {}
    vertices = corners = 0
    for index in worlds:
        node = source.entry("nodes", index)
        if "mesh" not in node:
            continue
        mesh = source.entry("meshes", node["mesh"])
        name = str(node.get("name") or mesh.get("name") or "mesh")
        for place, primitive in enumerate(mesh["primitives"]):
            attributes = primitive["attributes"]
            if primitive.get("mode", _TRIANGLES) not in (_TRIANGLES, _STRIP, _FAN) or "POSITION" not in attributes:
                continue
            vertices += source.count(attributes["POSITION"])
            corners += source.count(primitive["indices"] if "indices" in primitive else attributes["POSITION"])
            if vertices > MOST_VERTICES or corners > MOST_CORNERS:
                limits = f"{MOST_VERTICES:,} vertices or {MOST_CORNERS:,} corners of triangles"
                raise UserError(f"{source.path}: more than {limits}, too many to draw; export a coarser head")
            part = _part(source, named, worlds, index, place)
            if len(part.triangles):
                yield replace(part, name=_free_name(name, taken))


def _free_name(name: str, taken: dict[str, int]) -> str:
    """The name, numbered when another part has it. taken: name → the first number to try for another of that name."""
    free = name
    for n in count(taken.get(name, 0)):
        free = f"{name}_{n}" if n else name
        if free not in taken:
            taken[name] = n + 1
            break
    taken.setdefault(free, 1)
    return free


def _world_matrices(source: GltfSource) -> dict[int, np.ndarray]:
    """Node of the scene → (4, 4): from its own space to the file's, metres."""
    nodes = source.all("nodes")
    children = {child for node in nodes for child in node.get("children", [])}
    scenes = source.all("scenes")
    roots = (
        source.entry("scenes", source.tree.get("scene", 0)).get("nodes", [])
        if scenes
        else set(range(len(nodes))) - children
    )
    # VRM 0.x looks towards -z, glTF and VRM 1.0 towards +z.
    front = np.diag((-1.0, 1, -1, 1)) if "VRM" in source.tree.get("extensions", {}) else np.eye(4)
    worlds: dict[int, np.ndarray] = {}
    waiting = [(root, front) for root in sorted(roots, reverse=True)]
    while waiting:
        index, above = waiting.pop()
        if index in worlds:
            raise ValueError(f"node {index} is below two others")
        node = source.entry("nodes", index)
        worlds[index] = above @ _local_matrix(node)
        waiting += [(child, worlds[index]) for child in reversed(node.get("children", []))]
    return worlds


def _local_matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T  # glTF's are column by column
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= np.array(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _part(source: GltfSource, named: _NamedShapes, worlds: dict[int, np.ndarray], index: int, place: int) -> Part:
    """A primitive of the node's mesh, by its place there. worlds: node → (4, 4)."""
    node = source.entry("nodes", index)
    mesh = source.entry("meshes", node["mesh"])
    primitive = mesh["primitives"][place]
    attributes = primitive["attributes"]
    mixes = named.mixes(index, place)
    stored = source.accessor(attributes["POSITION"], width=3).astype(np.float64)
    moved = {driven for mix in mixes.values() for driven, _ in mix}
    rests = [(n, weight) for n, weight in enumerate(_at_rest(node, mesh)) if weight and n not in moved]
    stored += _mixed(source, primitive, rests, len(stored))
    matrices = _skin_matrices(source, worlds, index, attributes, len(stored))
    turn = matrices[..., :3, :3]
    vertices = _turned(turn, stored) + matrices[..., :3, 3]
    triangles = _triangles(source, primitive, len(stored))
    if np.linalg.det(turn).mean() < 0:  # a mirrored node
        triangles = triangles[:, ::-1]
    material = source.entry("materials", primitive["material"]) if "material" in primitive else {}
    colours = _colours(source, attributes, material, len(stored))
    if material.get("alphaMode", "OPAQUE") != "OPAQUE":
        triangles = triangles[colours[triangles, 3].max(axis=1, initial=0) >= _SOLID]
    offsets = {
        name: _turned(turn, _mixed(source, primitive, mix, len(stored))).astype(np.float32)
        for name, mix in mixes.items()
    }
    part = Part(
        name="",
        vertices=vertices.astype(np.float32),
        triangles=np.ascontiguousarray(triangles, np.int32),
        colours=colours[:, :3].clip(0, 1).astype(np.float32),
        roughness=min(max(float(material.get("pbrMetallicRoughness", {}).get("roughnessFactor", 1)), 0.0), 1.0),
        offsets={name: offset for name, offset in offsets.items() if offset.any()},
    )
    seams = "TEXCOORD_0" in attributes and "NORMAL" in attributes
    return _welded(part, source.accessor(attributes["NORMAL"], len(stored), 3)) if seams else part


def _turned(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(3, 3) or (V, 3, 3) times (V, 3)."""
    return (matrices @ vectors[..., None])[..., 0]


def _skin_matrices(
    source: GltfSource, worlds: dict[int, np.ndarray], index: int, attributes: dict[str, int], vertices: int
) -> np.ndarray:
    """(4, 4) of the node, or (V, 4, 4) of the joints at rest that hold each vertex, where the node has a skin."""
    node = source.entry("nodes", index)
    if "skin" not in node or "JOINTS_0" not in attributes:
        return worlds[index]
    skin = source.entry("skins", node["skin"])
    joints = np.array([worlds[joint] for joint in skin["joints"]])
    if "inverseBindMatrices" in skin:
        bound = source.accessor(skin["inverseBindMatrices"], width=16)[: len(joints)]  # there may be more
        if len(bound) < len(joints):
            raise ValueError(f"{len(bound)} matrices for {len(joints)} joints")
        joints = joints @ bound.reshape(-1, 4, 4).transpose(0, 2, 1)
    weights = source.accessor(attributes["WEIGHTS_0"], vertices, 4).astype(np.float64)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    held_by = indices_below(source.accessor(attributes["JOINTS_0"], vertices, 4), len(joints))
    return sum(weights[:, n, None, None] * joints[held_by[:, n]] for n in range(4))


def _triangles(source: GltfSource, primitive: dict[str, Any], vertices: int) -> np.ndarray:
    """(F, 3) int64. Raises IndexError for a vertex that is not there."""
    corners = np.arange(vertices)
    if "indices" in primitive:
        corners = indices_below(source.accessor(primitive["indices"], width=1)[:, 0], vertices)
    mode = primitive.get("mode", _TRIANGLES)
    if mode == _TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    if mode == _FAN:
        return np.stack([np.full(len(corners) - 2, corners[0]), corners[1:-1], corners[2:]], axis=1)
    strip = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    strip[1::2] = strip[1::2, ::-1]  # every other triangle of a strip goes round the other way
    return strip


def _mixed(source: GltfSource, primitive: dict[str, Any], mix: list[tuple[int, float]], vertices: int) -> np.ndarray:
    """(V, 3) float64: a primitive's shapes, each so far, added up, in the mesh's own space."""
    total = np.zeros((vertices, 3))
    for place, weight in mix:
        target = primitive.get("targets", [])[place]
        if "POSITION" in target:
            total += weight * source.accessor(target["POSITION"], vertices, 3)
    return total


def _target_names(source: GltfSource, mesh: dict[str, Any], primitive: dict[str, Any]) -> list[str]:
    """A mesh's shapes: named where exporters agree to, else by their accessors; "" for one without a name."""
    for owner in (mesh, primitive):
        names = (owner.get("extras") or {}).get("targetNames")
        if names:
            return [str(name) for name in names][: len(primitive.get("targets", []))]
    accessors = [source.entry("accessors", target["POSITION"]) for target in primitive.get("targets", [])]
    return [str(accessor.get("name", "")) for accessor in accessors]


def _expressions(source: GltfSource) -> dict[str, list[dict[str, Any]]]:
    """Every expression of a VRM 1.0, and of a VRM 0.x with its weights (0 to 100) from 0 to 1."""
    extensions = source.tree.get("extensions", {})
    expressions = extensions.get("VRMC_vrm", {}).get("expressions", {})
    found = {
        name: expression.get("morphTargetBinds", [])
        for kind in ("preset", "custom")
        for name, expression in (expressions.get(kind) or {}).items()
    }
    for group in extensions.get("VRM", {}).get("blendShapeMaster", {}).get("blendShapeGroups", []):
        binds = group.get("binds") or []
        found[group["name"]] = [{**bind, "weight": bind["weight"] / 100} for bind in binds]
    return found


def _colours(source: GltfSource, attributes: dict[str, int], material: dict[str, Any], vertices: int) -> np.ndarray:
    """(V, 4): linear colour and opacity: of the material times its texture there times the vertex's own."""
    surface = material.get("pbrMetallicRoughness", {})
    colours = np.tile(np.array(surface.get("baseColorFactor", (1, 1, 1, 1)), np.float64), (vertices, 1))
    if "baseColorTexture" in surface:
        colours = colours * _texture_colours(source, attributes, surface["baseColorTexture"], vertices)
    if "COLOR_0" in attributes:
        own = source.accessor(attributes["COLOR_0"], vertices)
        colours[:, : own.shape[1]] *= own
    return colours


def _texture_colours(source: GltfSource, attributes: dict[str, int], use: dict[str, Any], vertices: int) -> np.ndarray:
    """(V, 4), or (4,) where the image cannot be read: linear colour and opacity at each vertex."""
    texture = source.entry("textures", use["index"])
    moved = use.get("extensions", {}).get("KHR_texture_transform", {})
    place = attributes.get(f"TEXCOORD_{moved.get('texCoord', use.get('texCoord', 0))}")
    image = source.image(texture["source"]) if "source" in texture and place is not None else None
    if image is None or place is None:
        return np.array((*[_UNSEEN_TEXTURE] * 3, 1))
    height, width = image.shape[:2]
    uv = source.accessor(place, vertices, 2) * np.array(moved.get("scale", (1, 1))) + np.array(
        moved.get("offset", (0, 0))
    )
    columns, rows = (np.floor(uv % 1 * (width, height)).astype(int) % (width, height)).T
    pixels = image[rows, columns] / 255
    return np.concatenate([to_linear(pixels[:, :3]), pixels[:, 3:]], axis=1)


def _welded(part: Part, normals: np.ndarray) -> Part:
    """The part with the vertices one again that a texture's seam has split: one place, one normal, the same offsets."""
    alike = np.concatenate([part.vertices, np.round(normals, 2), *part.offsets.values()], axis=1)
    _, kept, place = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(kept)  # in the file's order
    kept, place = kept[order], np.argsort(order)[place.reshape(-1)]
    return replace(
        part,
        vertices=part.vertices[kept],
        triangles=place[part.triangles].astype(np.int32),
        colours=part.colours[kept],
        offsets={name: offset[kept] for name, offset in part.offsets.items()},
    )
