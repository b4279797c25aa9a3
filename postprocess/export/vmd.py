"""A MikuMikuDance motion (.vmd): morph keys at 30 frames a second, for a model's morphs by name.

The layout was never published; every tool follows the one found by taking MikuMikuDance's own files apart, all numbers
little-endian: a signature (30 bytes) and the model's name (20), then lists that begin with their length (uint32):
bones, morphs, cameras, lights, shadows, inverse kinematics. A morph's key is its name (15 bytes of Shift-JIS), its
frame (uint32) and its weight (float32); MikuMikuDance joins keys by straight lines. A bone's key is name and frame,
place (3 float32), rotation (4, on axes of which z runs the other way than glTF's) and how it moves on (64 bytes). Its
users report that it loads no more than 20,000 keys of a file: about 40 s of 52 lively channels.
"""

import struct
from pathlib import Path

from config.files import written_whole
from dataset.recordings.recording import Recording
from postprocess.export.expressions import mmd_morphs
from postprocess.export.keyframes import corners, head_keys

FPS = 30.0
_SIGNATURE, _MODEL = b"Vocaloid Motion Data 0002", b"ARKit"
_HEAD = "頭"
_STRAIGHT = bytes([20] * 8 + [107] * 8) * 4  # from key to key: the points (20, 20) and (107, 107) of 127
_NAME_BYTES = 15  # a longer name is cut, as MikuMikuDance cuts it; no two of ARKit's then are one


def write_vmd(path: Path, recording: Recording, names: str = "vowels") -> None:
    """names: how the model names its morphs, of expressions.NAMES; `vowels` keeps a part of the motion only.

    Resamples to FPS, the only rate that the format knows.
    """
    played = recording.at_rate(FPS)
    morphs = mmd_morphs(played.curves(), names)
    keys = [
        (frame, struct.pack(f"<{_NAME_BYTES}sIf", name.encode("shift_jis"), frame, weights[frame]))
        for name, weights in morphs.items()
        for frame in corners(weights)
    ]
    keys.sort(key=lambda key: key[0])
    bones = _head_keys(played)
    header = struct.pack("<30s20s", _SIGNATURE, _MODEL)
    no_cameras_lights_shadows_or_kinematics = struct.pack("<I", 0)
    with written_whole(path) as partial:
        partial.write_bytes(
            header
            + struct.pack("<I", len(bones))
            + b"".join(bones)
            + struct.pack("<I", len(keys))
            + b"".join(key for _, key in keys)
            + 4 * no_cameras_lights_shadows_or_kinematics
        )


def _head_keys(played: Recording) -> list[bytes]:
    """Of the head's bone, a key a frame; none where its angles are not known."""
    turned = head_keys(played)
    if turned is None:
        return []
    rotations = (turned * (-1, -1, 1, 1)).tolist()
    return [
        struct.pack(f"<{_NAME_BYTES}sI7f", _HEAD.encode("shift_jis"), frame, 0, 0, 0, *rotation) + _STRAIGHT
        for frame, rotation in enumerate(rotations)
    ]
