"""The head that is drawn, exported and posed: ours, or any file that names its shapes as ARKit does."""

from pathlib import Path

from config.errors import UserError
from dataset.head.mesh import Head
from dataset.head.read_gltf import read_gltf
from dataset.head.read_obj import read_obj_folder

DEFAULT_HEAD = Path(__file__).with_name("neutral.glb")
_GLTF = (".glb", ".gltf", ".vrm")


def read_head(path: Path) -> Head:
    """Read a glb, gltf or vrm, or a folder of OBJ shapes; shapes that are not ARKit's are passed over.

    A file's own transforms, skin (as it rests) and colours are in the vertices. Raises UserError, with the file and the
    place, for a file that cannot be read and for one that has no ARKit shape.
    """
    if path.is_dir():
        head, shapes = read_obj_folder(path)
    elif not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    elif path.suffix.lower() in _GLTF:
        head, shapes = read_gltf(path)
    else:
        kinds = ", ".join(_GLTF)
        raise UserError(f"{path}: not a head ({kinds} or a folder of OBJ shapes); Blender turns fbx into glb")
    if not head.channels:
        raise UserError(f"{path}: none of its shapes is an ARKit blendshape; it has {_listed(shapes)}")
    return head


def _listed(shapes: list[str]) -> str:
    if not shapes:
        return "none at all"
    more = f" and {len(shapes) - 5} more" if len(shapes) > 5 else ""
    return ", ".join(shapes[:5]) + more
