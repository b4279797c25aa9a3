"""A head that moves, as glb: morph target weights that browsers, Blender and engines play.

glTF 2.0, section 3.11: the weights of a node's mesh are one track, a key holding the weight of every target.
"""

from pathlib import Path

import numpy as np

from dataset.blendshapes import ARKIT
from dataset.recordings.recording import Recording
from postprocess.export.head_bone import head_bone
from postprocess.export.keyframes import head_keys, keyframes
from postprocess.face.heads import DEFAULT_HEAD, open_head, read_head
from postprocess.face.mesh import Mesh
from postprocess.face.read_gltf import Morphs
from postprocess.face.turning import neck
from postprocess.film.studio import framed


def write_glb(path: Path, recording: Recording, head: Path = DEFAULT_HEAD) -> None:
    """The head's own meshes, materials and bones, and one animation more, the first; straight lines between keys.

    Where the head's angles are known its bone turns, or, in a file without bones, all of it about its neck.

    Raises UserError for a head that cannot be read or has no ARKit shape.
    """
    document, moved = open_head(head)
    times_s, curves = keyframes(recording)
    tracks = {morphs.node: _weights(morphs, curves) for morphs in moved}
    animation = document.animation(path.stem, times_s, "weights", tracks)
    turned = head_keys(recording)
    bone = None if turned is None else head_bone(document, neck(*framed(Mesh.of(read_head(head)))).tolist())
    if turned is not None and bone is not None:
        document.add_track(animation, bone.node, "rotation", bone.rotations(turned))
    document.tree["animations"] = [animation, *document.tree.get("animations", [])]
    document.write(path)


def channels_without_a_shape(head: Path = DEFAULT_HEAD) -> tuple[str, ...]:
    """The blendshapes that do not move the head."""
    there = {name for morphs in open_head(head)[1] for name in morphs.mixes}
    return tuple(name for name in ARKIT if name not in there)


def _weights(morphs: Morphs, curves: np.ndarray) -> np.ndarray:
    """(keys, shapes) float32; shapes that are not ARKit's stay at rest. curves: (keys, 52)."""
    weights = np.tile(np.array(morphs.at_rest), (len(curves), 1))
    weights[:, sorted({place for mix in morphs.mixes.values() for place, _ in mix})] = 0
    for name, mix in morphs.mixes.items():
        for place, share in mix:
            weights[:, place] += share * curves[:, ARKIT.index(name)]
    return weights.astype(np.float32)
