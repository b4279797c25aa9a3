"""Where the head of a glTF document turns: its bone, as VRM or its name tells, or a node put above everything."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from postprocess.face.gltf import Document

_AWAY = (-1, 1, -1, 1)  # quaternions of VRM 0 models, which look along -z
TURNING = "head_turn"


class HeadBone(NamedTuple):
    """A node, and what turns the head's own turn (frames, 4) into its rotation."""

    node: int
    above: np.ndarray  # (4,) the world rotation of what holds it, at rest
    at_rest: np.ndarray  # (4,) its own
    mirrored: bool = False  # the model looks along -z

    def rotations(self, turned: np.ndarray) -> np.ndarray:
        """turned: (frames, 4) x, y, z, w, as turning.quaternions gives → (frames, 4) float32, the node's rotation."""
        turned = turned * _AWAY if self.mirrored else turned
        inverse = self.above * (-1, -1, -1, 1)
        return product(product(product(inverse, turned), self.above), self.at_rest).astype(np.float32)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton's product of quaternions (…, 4) x, y, z, w: first b's turn, then a's."""
    ax, ay, az, aw = np.moveaxis(np.asarray(a), -1, 0)
    bx, by, bz, bw = np.moveaxis(np.asarray(b), -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def head_bone(document: Document, pivot: Sequence[float]) -> HeadBone | None:
    """The bone that turns the head. A file without bones gets a node above its scene that turns about the pivot (3,).

    None for a body whose head's bone is not to be told.
    """
    tree = document.tree
    node = _named_bone(tree)
    if node is not None and "matrix" in tree["nodes"][node]:
        return None  # glTF lets nothing turn it
    if node is not None:
        holders = {child: index for index, one in enumerate(tree["nodes"]) for child in one.get("children", [])}
        above = np.array([0.0, 0, 0, 1])
        for holder in _upwards(holders, node):
            above = product(_rotation(tree["nodes"][holder]), above)
        return HeadBone(node, above, _rotation(tree["nodes"][node]), "VRM" in tree.get("extensions", {}))
    return None if tree.get("skins") else _put_above(document, pivot)


def _named_bone(tree: dict[str, Any]) -> int | None:
    extensions = tree.get("extensions", {})
    if one := extensions.get("VRMC_vrm", {}).get("humanoid", {}).get("humanBones", {}).get("head"):
        return one["node"]
    for bone in extensions.get("VRM", {}).get("humanoid", {}).get("humanBones", []):
        if bone.get("bone") == "head":
            return bone["node"]
    joints = sorted({joint for skin in tree.get("skins", []) for joint in skin["joints"]})
    return next((joint for joint in joints if is_head(tree["nodes"][joint].get("name", ""))), None)


def is_head(name: str) -> bool:
    """Head, mixamorig:Head, DEF-head, CC_Base_Head."""
    return name.lower().replace(":", "_").replace("-", "_").replace(".", "_").split("_")[-1] == "head"


def _upwards(holders: dict[int, int], node: int) -> Iterator[int]:
    while node in holders:
        node = holders[node]
        yield node


def _rotation(node: dict[str, Any]) -> np.ndarray:
    """(4,) of a node, by its matrix too."""
    if "matrix" not in node:
        return np.array(node.get("rotation", (0, 0, 0, 1)), float)
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(np.array(node["matrix"], float).reshape(4, 4).T[:3, :3]).as_quat()


def _put_above(document: Document, pivot: Sequence[float]) -> HeadBone:
    scene = document.tree["scenes"][document.tree.get("scene", 0)]
    place = [float(length) for length in pivot]
    moved_back = {"name": f"{TURNING}_below", "translation": [-length for length in place], "children": scene["nodes"]}
    below = document.add("nodes", moved_back)
    node = document.add("nodes", {"name": TURNING, "translation": place, "children": [below]})
    scene["nodes"] = [node]
    at_rest = np.array([0.0, 0, 0, 1])
    return HeadBone(node, at_rest, at_rest)
