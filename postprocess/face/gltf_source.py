"""A glTF 2.0 file (glb, gltf, vrm) as it is stored: its tree, and the numbers, bytes and images that this points to.

Whatever the tree says is checked against what is there before memory is taken for it. What a damaged file runs into (a
missing key, an index out of range, a value of another kind) is raised as it comes; `damage_named` makes one line of it.
"""

import base64
import binascii
import json
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from config.errors import UserError
from config.files import MEBIBYTE, MOST_BYTES, regular, within
from postprocess.face.gltf import BINARY_CHUNK, JSON_CHUNK, MAGIC

COMPRESSIONS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")
TEXTURE_PIXELS = 512  # vertices lie no closer than this across a face, so finer images would only alias

# The extensions without which a file is read all the same. By their first letters those of how a surface shines, which
# heads drawn here do as one, of lights, and of VRM models, whose expressions are read; then what is read, or seen as an
# image that cannot be.
_UNDERSTOOD = ("KHR_materials_", "KHR_lights_", "EXT_lights_", "VRM", "KHR_xmp", "KHR_mesh_quantization",
               "KHR_texture_transform", "KHR_texture_basisu", "EXT_texture_webp", "EXT_texture_avif",
               "MSFT_texture_dds")  # fmt: skip
_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TGA")  # of Pillow's, of which one calls another program
_IMAGES_KEPT = 64
_DAMAGE = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
_UNREADABLE_IMAGE = (OSError, SyntaxError, EOFError, struct.error, zlib.error, NotImplementedError, *_DAMAGE)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raises UserError for what reading a damaged file runs into; numbers that overflow are for the caller to find."""
    try:
        with np.errstate(all="ignore"):
            yield
    except _DAMAGE as error:
        told = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: damaged glTF ({type(error).__name__}: {told}); export it again") from None


@dataclass
class GltfSource:
    """A file's tree, and the numbers and images that it points to."""

    path: Path
    tree: dict[str, Any]
    binary: bytes = b""
    _buffers: dict[int, bytes] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)  # of accessors
    _files: dict[Path, bytes] = field(default_factory=dict)
    _images: dict[int, np.ndarray | None] = field(default_factory=dict)

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The tree's nodes, meshes, skins …"""
        return self.tree.get(kind, [])

    def entry(self, kind: str, index: int) -> dict[str, Any]:
        """One of them. Raises IndexError or TypeError for an index that has none."""
        entries = self.all(kind)
        if not isinstance(entries, list):
            raise TypeError(f"{kind} is no list")
        return entries[_whole(index, f"an index of {kind}", len(entries))]

    def count(self, index: int) -> int:
        """How many rows an accessor has, those of a view all within its bytes."""
        described = self.entry("accessors", index)
        if index not in self._counts:
            rows = _whole(described["count"], "a count")
            if "bufferView" in described:
                self._table(described, (rows, _WIDTHS[described["type"]]), _component(described))
            elif rows > self._bytes_there:
                raise ValueError(f"an accessor of {rows} rows without bytes, in a file of {self._bytes_there}")
            self._counts[index] = rows
        return self._counts[index]

    @cached_property
    def _bytes_there(self) -> int:
        """More than the rows that an accessor without bytes, which is all zeros, can belong to."""
        return sum(len(self.buffer(index)) for index in range(len(self.all("buffers"))))

    def accessor(self, index: int, rows: int | None = None, width: int | None = None) -> np.ndarray:
        """(rows, width) as stored, normalised integers as float32.

        Raises ValueError for another shape than is asked for, and for numbers beyond the file's bytes.
        """
        described = self.entry("accessors", index)
        shape, kind = (self.count(index), _WIDTHS[described["type"]]), _component(described)
        if shape[0] != (shape[0] if rows is None else rows) or shape[1] != (shape[1] if width is None else width):
            raise ValueError(f"accessor {index} has {shape[0]} rows of {shape[1]}; {rows} of {width} belong there")
        values = np.zeros(shape, kind)
        if "bufferView" in described:
            values[:] = self._table(described, shape, kind)
        if sparse := described.get("sparse"):
            at, new = sparse["indices"], sparse["values"]
            fewer = _whole(sparse["count"], "a sparse count", shape[0] + 1)
            places = self._table(at, (fewer, 1), _component(at))[:, 0]
            values[indices_below(places, shape[0])] = self._table(new, (fewer, shape[1]), kind)
        if described.get("normalized"):
            return np.maximum(values / np.float32(np.iinfo(values.dtype).max), np.float32(-1))
        return values

    def _table(self, described: dict[str, Any], shape: tuple[int, int], kind: np.dtype) -> np.ndarray:
        rows, row_bytes = shape[0], shape[1] * kind.itemsize
        stride = _whole(self.entry("bufferViews", described["bufferView"]).get("byteStride") or row_bytes, "a stride")
        start = _whole(described.get("byteOffset", 0), "an offset")
        content = self.view(described["bufferView"])
        end = start + (rows - 1) * stride + row_bytes if rows else start
        if stride < row_bytes or end > len(content):
            raise ValueError(f"{rows} rows of {row_bytes} bytes, each after {stride}, in a view of {len(content)}")
        return np.ndarray(shape, kind, content, start, (stride, kind.itemsize))

    def view(self, index: int) -> memoryview:
        """The bytes of a buffer view."""
        view = self.entry("bufferViews", index)
        start, length = _whole(view.get("byteOffset", 0), "an offset"), _whole(view["byteLength"], "a length")
        content = self.buffer(view["buffer"])
        if start + length > len(content):
            raise ValueError(f"a view of bytes {start} to {start + length} in a buffer of {len(content)}")
        return memoryview(content)[start : start + length]

    def buffer(self, index: int) -> bytes:
        """The bytes of a buffer."""
        uri = self.entry("buffers", index).get("uri")
        if index not in self._buffers:
            self._buffers[index] = self.binary if uri is None else self.fetch(uri)
        return self._buffers[index]

    def fetch(self, uri: str) -> bytes:
        """What a URI holds: the bytes in it, or those of a file in this one's folder or below."""
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except binascii.Error:
                raise UserError(f"{self.path}: an embedded buffer is not base64; export it again") from None
        name = unquote(uri)
        file = within(self.path.parent, name)
        if file is None:
            raise UserError(f"{self.path}: {_shown(name)} lies outside its folder; copy it there, or export as glb")
        if file not in self._files:
            if not regular(file).is_file():
                raise UserError(f"{self.path}: {_shown(name)} is not beside it; copy it there, or export as glb")
            self._files[file] = _read(file)
        if sum(map(len, self._files.values())) > MOST_BYTES:
            raise UserError(f"{self.path}: more than {MOST_BYTES // MEBIBYTE} MiB beside it; export less")
        return self._files[file]

    def image(self, index: int) -> np.ndarray | None:
        """(height, width, 4) uint8, sRGB as stored and opacity; None for an image that cannot be read.

        Raises UserError for one of more pixels than Pillow takes for safe.
        """
        if index not in self._images:
            image = self.entry("images", index)
            content = self.view(image["bufferView"]) if "bufferView" in image else self.fetch(image["uri"])
            while len(self._images) >= _IMAGES_KEPT:
                self._images.pop(next(iter(self._images)))
            self._images[index] = self._decoded(content)
        return self._images[index]

    def _decoded(self, content: bytes | memoryview) -> np.ndarray | None:
        from PIL import Image

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                stored = Image.open(BytesIO(content), formats=_IMAGE_FORMATS)
                most = Image.MAX_IMAGE_PIXELS or math.inf
                if stored.width * stored.height > most:
                    raise Image.DecompressionBombError
                picture = stored.convert("RGBA")
        except Image.DecompressionBombError:
            limit = f"{Image.MAX_IMAGE_PIXELS:,}"
            raise UserError(f"{self.path}: an image of more than {limit} pixels; make it smaller") from None
        except _UNREADABLE_IMAGE:
            return None
        picture.thumbnail((TEXTURE_PIXELS, TEXTURE_PIXELS))
        return np.asarray(picture)


def load_gltf(path: Path) -> GltfSource:
    """Raises UserError for what is no glTF 2.0, and for a file that asks for an extension that is not understood."""
    content = _read(path)
    text, binary = _chunks(path, content) if content[:4] == MAGIC else (content, b"")
    try:
        tree = json.loads(text.decode("utf-8-sig"), parse_constant=_finite, parse_float=_finite)
        version, required = tree["asset"]["version"], tree.get("extensionsRequired", [])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: neither a glb nor a gltf file") from None
    if not str(version).startswith("2"):
        raise UserError(f"{path}: glTF {_shown(str(version))}; export it as glTF 2.0")
    for name in required if isinstance(required, list) else [required]:
        if name in COMPRESSIONS:
            raise UserError(f"{path}: compressed with {name}; export it without compression")
        if not str(name).startswith(_UNDERSTOOD):
            raise UserError(f"{path}: asks for {_shown(str(name))}, which is not understood here; export it without")
    return GltfSource(path, tree, binary)


def _read(path: Path) -> bytes:
    """Raises UserError for what cannot be read."""
    try:
        return regular(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def indices_below(values: np.ndarray, end: int) -> np.ndarray:
    """The same as int64. Raises IndexError for what are no whole numbers from 0 to below `end`."""
    if not np.issubdtype(values.dtype, np.integer):
        raise IndexError(f"indices are whole numbers, not {values.dtype}")
    if values.size and not (values.min() >= 0 and values.max() < end):
        raise IndexError(f"indices from {values.min()} to {values.max()}, of {end}")
    return values.astype(np.int64)


def number(value: object) -> float:
    """The value as float. Raises TypeError for what is no number, OverflowError for a whole one that is too large."""
    if type(value) not in (int, float):
        raise TypeError(f"a weight is a number, not {_shown(str(value))}")
    return float(value)  # type: ignore[arg-type]


def _component(described: dict[str, Any]) -> np.dtype:
    return np.dtype(_COMPONENTS[described["componentType"]]).newbyteorder("<")


def _whole(value: object, what: str, end: float = math.inf) -> int:
    """The value. Raises TypeError for what is no whole number, IndexError for one that is not from 0 to below `end`."""
    if type(value) is not int:
        raise TypeError(f"{what} is a whole number, not {_shown(str(value))}")
    if not 0 <= value < end:
        raise IndexError(f"{what} of {_shown(str(value))}, which is not from 0 to below {end}")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


def _shown(text: str) -> str:
    """On one line, and not longer than one is read."""
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:80]}…"


def _chunks(path: Path, content: bytes) -> tuple[bytes, bytes]:
    length = struct.unpack_from("<I", content, 8)[0] if len(content) >= 12 else 12
    if len(content) < length or length < 20:
        raise UserError(f"{path}: cut off after {len(content)} of {length} bytes; copy or export it again")
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<I4s", content, place)
        if kind not in chunks:
            chunks[kind] = content[place + 8 : place + 8 + size]
        place += 8 + size
    return chunks.get(JSON_CHUNK, b""), chunks.get(BINARY_CHUNK, b"")
