"""A head from a glTF 2.0 file (glb, gltf, vrm), as it rests: transforms, skin and colours are put into the vertices."""

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from config.errors import UserError
from config.files import regular
from dataset.blendshapes import canonical
from postprocess.face.colour import to_linear
from postprocess.face.gltf import BINARY_CHUNK, JSON_CHUNK, MAGIC, Document
from postprocess.face.mesh import Head, Part
from postprocess.face.names import arkit_places

_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_COMPRESSIONS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression")
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_UNSEEN_TEXTURE = 0.6  # what an image that cannot be read multiplies the base colour by: about a skin's mean
_TEXTURE_PIXELS = 512  # vertices lie no closer than this across a face, so finer images would only alias
_SOLID = 0.5  # a cut-out material's triangles below this opacity are not drawn (glTF's default alphaCutoff)
# What reading a damaged file can run into: a missing key, an index out of range, a value of another kind or length.
_DAMAGE = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)
_MIME_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}

Mixes = dict[str, list[tuple[int, float]]]
"""ARKit name → which of a mesh's shapes it moves, and how far."""


@dataclass(frozen=True)
class Morphs:
    """What moves the mesh of one node."""

    node: int
    at_rest: tuple[float, ...]  # the weights of all its shapes
    mixes: Mixes


def read_gltf(path: Path) -> tuple[Head, list[str]]:
    """The head, and the names of all shapes in the file. VRM expressions stand in for shapes that meshes do not name.

    Raises UserError for a file that is damaged, compressed, no glTF 2.0, or without a mesh.
    """
    source = _load(path)
    with _damage_named(path):
        parts = list(_parts(source))
        shapes = _shape_names(source)
    if not parts:
        raise UserError(f"{path}: no triangle mesh in its scene; expected a head")
    return Head(tuple(parts)), shapes


def open_gltf(path: Path) -> tuple[Document, list[Morphs], list[str]]:
    """The file as it is, to be added to and written as one glb; what its shapes move; the names of all its shapes.

    What lies in files beside it is taken in. Raises UserError as read_gltf does.
    """
    source = _load(path)
    with _damage_named(path):
        document = Document(source.tree)
        starts = []
        for index in range(len(source.all("buffers"))):
            starts.append(len(document.data))
            content = source.buffer(index)
            document.data += content + bytes(-len(content) % 4)
        for view in source.all("bufferViews"):
            view.get("extensions", {}).pop("EXT_meshopt_compression", None)  # the plain bytes are there too
            view["byteOffset"] = view.get("byteOffset", 0) + starts[view["buffer"]]
            view["buffer"] = 0
        for image in source.all("images"):
            if not image.get("uri", "data:").startswith("data:"):
                uri = image.pop("uri")
                image["bufferView"] = document.view(source.fetch(uri))
                image.setdefault("mimeType", _MIME_TYPES.get(Path(uri).suffix.lower(), "image/png"))
        return document, morphs(source.tree), _shape_names(source)


def morphs(tree: dict[str, Any]) -> list[Morphs]:
    """The nodes whose meshes have ARKit shapes, in the tree's order."""
    source, found = _Source(Path(), tree, b""), []
    for index, node in enumerate(source.all("nodes")):
        mesh = source.all("meshes")[node["mesh"]] if "mesh" in node else {"primitives": [{}]}
        shapes = len(mesh["primitives"][0].get("targets", []))
        mixes = _mixes(source, index, mesh["primitives"][0]) if shapes else {}
        if mixes:
            at_rest = node.get("weights") or mesh.get("weights") or [0.0] * shapes
            found.append(Morphs(index, tuple(at_rest), mixes))
    return found


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged glTF ({type(error).__name__}: {error}); export it again") from None


def _load(path: Path) -> "_Source":
    """Raises UserError for what is no glTF 2.0, and for a compressed file."""
    try:
        content = regular(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    text, binary = _chunks(path, content) if content[:4] == MAGIC else (content, b"")
    try:
        tree = json.loads(text.decode("utf-8-sig"))
        version = tree["asset"]["version"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: neither a glb nor a gltf file") from None
    if not str(version).startswith("2"):
        raise UserError(f"{path}: glTF {version}; export it as glTF 2.0")
    for name in _COMPRESSIONS:
        if name in tree.get("extensionsRequired", []):
            raise UserError(f"{path}: compressed with {name}; export it without compression")
    return _Source(path, tree, binary)


def _chunks(path: Path, content: bytes) -> tuple[bytes, bytes]:
    length = struct.unpack_from("<I", content, 8)[0] if len(content) >= 12 else 12
    if len(content) < length or length < 20:
        raise UserError(f"{path}: cut off after {len(content)} of {length} bytes; copy or export it again")
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<I4s", content, place)
        chunks.setdefault(kind, content[place + 8 : place + 8 + size])
        place += 8 + size
    return chunks.get(JSON_CHUNK, b""), chunks.get(BINARY_CHUNK, b"")


@dataclass
class _Source:
    """A file's tree, and the numbers and images that it points to."""

    path: Path
    tree: dict[str, Any]
    binary: bytes
    _buffers: dict[int, bytes] = field(default_factory=dict)

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The tree's nodes, meshes, skins …"""
        return self.tree.get(kind, [])

    def accessor(self, index: int) -> np.ndarray:
        """(count, width) as stored, normalised integers as float32."""
        described = self.all("accessors")[index]
        kind = np.dtype(_COMPONENTS[described["componentType"]]).newbyteorder("<")
        shape = (described["count"], _WIDTHS[described["type"]])
        values = np.zeros(shape, kind)
        if "bufferView" in described:
            values[:] = self._table(described, shape, kind)
        if sparse := described.get("sparse"):
            at, new = sparse["indices"], sparse["values"]
            index_kind = np.dtype(_COMPONENTS[at["componentType"]]).newbyteorder("<")
            places = self._table(at, (sparse["count"], 1), index_kind)[:, 0]
            values[places] = self._table(new, (sparse["count"], shape[1]), kind)
        if described.get("normalized"):
            return np.maximum(values / np.float32(np.iinfo(values.dtype).max), np.float32(-1))
        return values

    def _table(self, described: dict[str, Any], shape: tuple[int, int], kind: np.dtype) -> np.ndarray:
        view = self.all("bufferViews")[described["bufferView"]]
        stride = view.get("byteStride") or shape[1] * kind.itemsize
        content = self.view(described["bufferView"])
        return np.ndarray(shape, kind, content, described.get("byteOffset", 0), (stride, kind.itemsize))

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.all("bufferViews")[index]
        start = view.get("byteOffset", 0)
        return self.buffer(view["buffer"])[start : start + view["byteLength"]]

    def buffer(self, index: int) -> bytes:
        """The bytes of a buffer."""
        if index not in self._buffers:
            uri = self.all("buffers")[index].get("uri")
            self._buffers[index] = self.binary if uri is None else self.fetch(uri)
        return self._buffers[index]

    def fetch(self, uri: str) -> bytes:
        """What a URI holds: the bytes in it, or those of a file beside this one."""
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except binascii.Error:
                raise UserError(f"{self.path}: an embedded buffer is not base64; export it again") from None
        try:
            return regular(self.path.parent / unquote(uri)).read_bytes()
        except OSError:
            raise UserError(f"{self.path}: {unquote(uri)} is not beside it; copy it there, or export as glb") from None

    def image(self, index: int) -> np.ndarray | None:
        """(height, width, 4) float32, sRGB as stored and opacity; None for an image that cannot be read."""
        from PIL import Image, UnidentifiedImageError

        image = self.all("images")[index]
        content = self.view(image["bufferView"]) if "bufferView" in image else self.fetch(image["uri"])
        try:
            picture = Image.open(BytesIO(content)).convert("RGBA")
        except (UnidentifiedImageError, OSError):
            return None
        picture.thumbnail((_TEXTURE_PIXELS, _TEXTURE_PIXELS))
        return np.asarray(picture, np.float32) / 255


def _parts(source: _Source) -> Iterator[Part]:
    worlds = _world_matrices(source)
    taken: set[str] = set()
    for index in worlds:
        node = source.all("nodes")[index]
        if "mesh" not in node:
            continue
        mesh = source.all("meshes")[node["mesh"]]
        for primitive in mesh["primitives"]:
            if (
                primitive.get("mode", _TRIANGLES) in (_TRIANGLES, _STRIP, _FAN)
                and "POSITION" in primitive["attributes"]
            ):
                part = _part(source, worlds, index, primitive)
                name = node.get("name") or mesh.get("name") or "mesh"
                if len(part.triangles):
                    yield replace(part, name=_free_name(name, taken))


def _free_name(name: str, taken: set[str]) -> str:
    """The name, numbered when another part has it."""
    free = next(name if not n else f"{name}_{n}" for n in count() if (f"{name}_{n}" if n else name) not in taken)
    taken.add(free)
    return free


def _world_matrices(source: _Source) -> dict[int, np.ndarray]:
    """Node of the scene → (4, 4): from its own space to the file's, metres."""
    nodes = source.all("nodes")
    children = {child for node in nodes for child in node.get("children", [])}
    scenes = source.all("scenes")
    roots = scenes[source.tree.get("scene", 0)].get("nodes", []) if scenes else set(range(len(nodes))) - children
    # VRM 0.x looks towards -z, glTF and VRM 1.0 towards +z.
    front = np.diag((-1.0, 1, -1, 1)) if "VRM" in source.tree.get("extensions", {}) else np.eye(4)
    worlds: dict[int, np.ndarray] = {}
    waiting = [(root, front) for root in sorted(roots, reverse=True)]
    while waiting:
        index, above = waiting.pop()
        if index in worlds:
            raise ValueError(f"node {index} is below two others")
        worlds[index] = above @ _local_matrix(nodes[index])
        waiting += [(child, worlds[index]) for child in reversed(nodes[index].get("children", []))]
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


def _part(source: _Source, worlds: dict[int, np.ndarray], index: int, primitive: dict[str, Any]) -> Part:
    """A primitive of the node's mesh. worlds: node → (4, 4)."""
    attributes = primitive["attributes"]
    stored = source.accessor(attributes["POSITION"]).astype(np.float64)
    matrices = _skin_matrices(source, worlds, index, attributes)
    turn = matrices[..., :3, :3]
    vertices = _turned(turn, stored) + matrices[..., :3, 3]
    offsets = {name: _turned(turn, offset) for name, offset in _offsets(source, index, primitive).items()}
    triangles = _triangles(source, primitive, len(stored))
    if np.linalg.det(turn).mean() < 0:  # a mirrored node
        triangles = triangles[:, ::-1]
    material = source.all("materials")[primitive["material"]] if "material" in primitive else {}
    colours = _colours(source, attributes, material, len(stored))
    if material.get("alphaMode", "OPAQUE") != "OPAQUE":
        triangles = triangles[colours[triangles, 3].max(axis=1, initial=0) >= _SOLID]
    part = Part(
        name="",
        vertices=vertices.astype(np.float32),
        triangles=np.ascontiguousarray(triangles, np.int32),
        colours=colours[:, :3].astype(np.float32),
        roughness=float(material.get("pbrMetallicRoughness", {}).get("roughnessFactor", 1)),
        offsets={name: offset.astype(np.float32) for name, offset in offsets.items() if offset.any()},
    )
    seams = "TEXCOORD_0" in attributes and "NORMAL" in attributes
    return _welded(part, source.accessor(attributes["NORMAL"])) if seams else part


def _turned(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(3, 3) or (V, 3, 3) times (V, 3)."""
    return (matrices @ vectors[..., None])[..., 0]


def _skin_matrices(
    source: _Source, worlds: dict[int, np.ndarray], index: int, attributes: dict[str, int]
) -> np.ndarray:
    """(4, 4) of the node, or (V, 4, 4) of the joints at rest that hold each vertex, where the node has a skin."""
    node = source.all("nodes")[index]
    if "skin" not in node or "JOINTS_0" not in attributes:
        return worlds[index]
    skin = source.all("skins")[node["skin"]]
    joints = np.array([worlds[joint] for joint in skin["joints"]])
    if "inverseBindMatrices" in skin:
        joints = joints @ source.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    weights = source.accessor(attributes["WEIGHTS_0"]).astype(np.float64)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    held_by = source.accessor(attributes["JOINTS_0"])
    return sum(weights[:, n, None, None] * joints[held_by[:, n]] for n in range(4))


def _triangles(source: _Source, primitive: dict[str, Any], vertices: int) -> np.ndarray:
    """(F, 3) int64. Raises IndexError for a vertex that is not there."""
    corners = np.arange(vertices)
    if "indices" in primitive:
        corners = source.accessor(primitive["indices"])[:, 0].astype(np.int64)
    if len(corners) and corners.max() >= vertices:
        raise IndexError(f"a triangle names vertex {corners.max()} of {vertices}")
    mode = primitive.get("mode", _TRIANGLES)
    if mode == _TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    if mode == _FAN:
        return np.stack([np.full(len(corners) - 2, corners[0]), corners[1:-1], corners[2:]], axis=1)
    strip = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    strip[1::2] = strip[1::2, ::-1]  # every other triangle of a strip goes round the other way
    return strip


def _offsets(source: _Source, index: int, primitive: dict[str, Any]) -> dict[str, np.ndarray]:
    """ARKit name → (V, 3) float64, in the mesh's own space."""
    targets = primitive.get("targets", [])
    count = len(source.accessor(primitive["attributes"]["POSITION"]))
    offsets = {}
    for name, mix in _mixes(source, index, primitive).items():
        offsets[name] = np.zeros((count, 3))
        for place, weight in mix:
            if "POSITION" in targets[place]:
                offsets[name] += weight * source.accessor(targets[place]["POSITION"])
    return offsets


def _mixes(source: _Source, index: int, primitive: dict[str, Any]) -> Mixes:
    """By the names of the node's shapes; by VRM expressions for what they do not name."""
    mesh = source.all("meshes")[source.all("nodes")[index]["mesh"]]
    names = _target_names(source, mesh, primitive)
    named = {name: [(place, 1.0) for place in places] for name, places in arkit_places(names).items()}
    return {name: mix for name, mix in (_vrm_expressions(source, index) | named).items() if mix}


def _target_names(source: _Source, mesh: dict[str, Any], primitive: dict[str, Any]) -> list[str]:
    """A mesh's shapes: named where exporters agree to, else by their accessors; "" for one without a name."""
    for owner in (mesh, primitive):
        names = (owner.get("extras") or {}).get("targetNames")
        if names:
            return [str(name) for name in names][: len(primitive.get("targets", []))]
    accessors = [source.all("accessors")[target["POSITION"]] for target in primitive.get("targets", [])]
    return [accessor.get("name", "") for accessor in accessors]


def _vrm_expressions(source: _Source, index: int) -> Mixes:
    """Of a VRM's expressions that are named as ARKit's shapes, what they move of the node's mesh."""
    mixes: Mixes = {}
    mesh = source.all("nodes")[index]["mesh"]
    for shape, binds in _expressions(source).items():
        if name := canonical(shape):
            mine = (b for b in binds if b.get("node", index) == index and b.get("mesh", mesh) == mesh)
            mixes[name] = [(bind["index"], bind["weight"]) for bind in mine]
    return mixes


def _expressions(source: _Source) -> dict[str, list[dict[str, Any]]]:
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


def _shape_names(source: _Source) -> list[str]:
    meshes = source.all("meshes")
    named = [name for mesh in meshes for name in _target_names(source, mesh, mesh["primitives"][0])]
    return list(dict.fromkeys(name for name in (*named, *_expressions(source)) if name))


def _colours(source: _Source, attributes: dict[str, int], material: dict[str, Any], vertices: int) -> np.ndarray:
    """(V, 4): linear colour and opacity: of the material times its texture there times the vertex's own."""
    surface = material.get("pbrMetallicRoughness", {})
    colours = np.tile(np.array(surface.get("baseColorFactor", (1, 1, 1, 1)), np.float64), (vertices, 1))
    if "baseColorTexture" in surface:
        colours = colours * _texture_colours(source, attributes, surface["baseColorTexture"])
    if "COLOR_0" in attributes:
        own = source.accessor(attributes["COLOR_0"])
        colours[:, : own.shape[1]] *= own
    return colours


def _texture_colours(source: _Source, attributes: dict[str, int], use: dict[str, Any]) -> np.ndarray:
    """(V, 4), or (4,) where the image cannot be read: linear colour and opacity at each vertex."""
    texture = source.all("textures")[use["index"]]
    moved = use.get("extensions", {}).get("KHR_texture_transform", {})
    place = attributes.get(f"TEXCOORD_{moved.get('texCoord', use.get('texCoord', 0))}")
    image = source.image(texture["source"]) if "source" in texture and place is not None else None
    if image is None or place is None:
        return np.array((*[_UNSEEN_TEXTURE] * 3, 1))
    height, width = image.shape[:2]
    uv = source.accessor(place) * np.array(moved.get("scale", (1, 1))) + np.array(moved.get("offset", (0, 0)))
    columns, rows = (np.floor(uv % 1 * (width, height)).astype(int) % (width, height)).T
    pixels = image[rows, columns].astype(np.float64)
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
