"""The head that is drawn, exported and posed: ours, or any file that names its shapes as ARKit does."""

from pathlib import Path

import numpy as np

from config.errors import UserError
from config.files import regular
from postprocess.face.gltf import Document, head_document
from postprocess.face.mesh import Head
from postprocess.face.names import no_arkit_shape
from postprocess.face.read_gltf import Morphs, morphs, open_gltf, read_gltf
from postprocess.face.read_obj import read_obj_folder

DEFAULT_HEAD = Path(__file__).with_name("neutral.glb")
FARTHEST_M, SMALLEST_M = 1e5, 1e-5  # of a head's vertices and movements, of its size: a rig may be in any unit
_GLTF = (".glb", ".gltf", ".vrm")


def read_head(path: Path) -> Head:
    """Read a glb, gltf or vrm, or a folder of OBJ shapes; shapes that are not ARKit's are passed over.

    A file's own transforms, skin (as it rests) and colours are in the vertices. Raises UserError, with the file and the
    place, for a file that cannot be read and for one that has no ARKit shape.
    """
    head, shapes = read_obj_folder(path) if _is_folder(path) else read_gltf(path)
    if not head.channels:
        raise no_arkit_shape(path, shapes)
    _check_numbers(path, head)
    return head


def _check_numbers(path: Path, head: Head) -> None:
    """Raises UserError for what cannot be drawn, whichever way it came into the file."""
    for part in head.parts:
        if not np.isfinite(part.colours).all():
            raise UserError(f"{path}: a colour of {part.name} is not finite; export it again")
        for what, lengths in (("vertex", part.vertices), *part.offsets.items()):
            if not (np.abs(lengths) <= FARTHEST_M).all():  # nor for what is no number
                raise UserError(f"{path}: {part.name}, {what}: farther than {FARTHEST_M:g} m; export it again")
    low, high = head.bounds()
    if (high - low).max() < SMALLEST_M:
        raise UserError(f"{path}: all its vertices are at one place; export it again")


def open_head(path: Path) -> tuple[Document, list[Morphs]]:
    """The same file as glTF, with all that it holds, and what its shapes move; errors as in read_head."""
    if _is_folder(path):
        document = head_document(read_head(path))
        return document, morphs(document)
    document, found, shapes = open_gltf(path)
    if not found:
        raise no_arkit_shape(path, shapes)
    return document, found


def _is_folder(path: Path) -> bool:
    """False for a glb, gltf or vrm. Raises UserError for what is neither."""
    if path.is_dir() or (regular(path).is_file() and path.suffix.lower() in _GLTF):
        return path.is_dir()
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    kinds = ", ".join(_GLTF)
    raise UserError(f"{path}: not a head ({kinds} or a folder of OBJ shapes); Blender turns fbx into glb")
