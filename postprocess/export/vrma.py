"""A VRM animation (.vrma) of expressions, which plays on any VRM model that has them.

The glTF extension VRMC_vrm_animation 1.0: each expression is a node, whose translation along x is its weight, from 0
to 1. The extension asks for a humanoid besides; the bones that VRM requires stand here in its T-pose, and the head's
turns where its angles are known.
"""

from pathlib import Path

import numpy as np

from dataset.recordings.recording import Recording
from postprocess.export.expressions import vrm_expressions
from postprocess.export.keyframes import head_keys, keyframes
from postprocess.face.gltf import Document

_EXTENSION = "VRMC_vrm_animation"
# Bone → (the bone that holds it, metres from there) of the left side and the middle: a person of 1.7 m, y up, facing z.
_T_POSE = {
    "hips": (None, (0, 0.95, 0)),
    "spine": ("hips", (0, 0.1, 0)),
    "head": ("spine", (0, 0.5, 0)),
    "leftUpperArm": ("spine", (0.15, 0.4, 0)),
    "leftLowerArm": ("leftUpperArm", (0.27, 0, 0)),
    "leftHand": ("leftLowerArm", (0.25, 0, 0)),
    "leftUpperLeg": ("hips", (0.1, -0.05, 0)),
    "leftLowerLeg": ("leftUpperLeg", (0, -0.42, 0)),
    "leftFoot": ("leftLowerLeg", (0, -0.4, 0)),
}


def write_vrma(path: Path, recording: Recording, names: str = "JawOpen") -> None:
    """names: how the model names its expressions, of expressions.NAMES; `vowels` keeps a part of the motion only.

    Weights below 0 and above 1, which the extension does not know, are cut off.
    """
    times_s, curves = keyframes(recording)
    weights = vrm_expressions(np.clip(curves, 0, 1), names)
    document = Document.new()
    bones = _add_bones(document)
    nodes = {name: document.add("nodes", {"name": name}) for name in weights}
    tracks = {nodes[name]: np.outer(values, (1, 0, 0)).astype(np.float32) for name, values in weights.items()}
    animation = document.animation(path.stem, times_s, "translation", tracks)
    if (turned := head_keys(recording)) is not None:
        document.add_track(animation, bones["head"], "rotation", turned.astype(np.float32))
    document.add("animations", animation)
    document.add("scenes", {"nodes": [bones["hips"], *nodes.values()]})
    document.tree["extensionsUsed"] = [_EXTENSION]
    kind = "preset" if names == "vowels" else "custom"
    document.tree["extensions"] = {
        _EXTENSION: {
            "specVersion": "1.0",
            "humanoid": {"humanBones": {bone: {"node": node} for bone, node in bones.items()}},
            "expressions": {kind: {name: {"node": node} for name, node in nodes.items()}},
        }
    }
    document.write(path)


def _add_bones(document: Document) -> dict[str, int]:
    """Bone → node."""
    nodes: dict[str, int] = {}
    for left, (holder, (x, y, z)) in _T_POSE.items():
        for side in ("left", "right") if left.startswith("left") else ("left",):
            bone = left.replace("left", side)
            place = [x if side == "left" else -x, y, z]
            nodes[bone] = document.add("nodes", {"name": bone, "translation": place})
            if holder is not None:
                above = document.tree["nodes"][nodes[holder.replace("left", side)]]
                above.setdefault("children", []).append(nodes[bone])
    return nodes
