"""The head put together: skin and parts, painted, each with the blendshapes that move it."""

import numpy as np
from scipy.spatial import cKDTree

from postprocess.face.mesh import Head, Part
from postprocess.face.sculptor import parts as p
from postprocess.face.sculptor import targets as t
from postprocess.face.sculptor.muscles import Face
from postprocess.face.sculptor.paint import paint
from postprocess.face.sculptor.parts import Piece
from postprocess.face.sculptor.skin import FIRST_LID, FIRST_LIP, Skin, build_skin

METRES = 0.001
STILL_MM = 0.06  # what moves less is left out
Fields = dict[str, np.ndarray]


def build_head() -> Head:
    return assemble(build_skin())


def assemble(skin: Skin) -> Head:
    contact = skin.vertices[skin.mouth[FIRST_LIP, 0]]
    upper, lower = p.arches(contact)
    fields = t.skin_fields(Face(skin))
    lash, brow, ear = p.lashes(skin, FIRST_LID), p.brow(), p.ear()
    brows, tongue, eye = p.joined(brow, brow.mirrored()), p.tongue(contact), p.eyeball()
    teeth_lower, eye_right = p.teeth(lower), eye.mirrored()
    return Head((
        _part("face", Piece(skin.vertices, skin.triangles, paint(skin)), 0.55, fields),
        _part("ears", p.joined(ear, ear.mirrored()), 0.6, {}),
        _part("eye_left", eye, 0.12, t.gaze_fields(eye.vertices, "Left")),
        _part("eye_right", eye_right, 0.12, t.gaze_fields(eye_right.vertices, "Right")),
        _part("lashes", p.joined(lash, lash.mirrored()), 0.8, _lash_fields(skin, lash, fields)),
        _part("brows", brows, 0.85, _carried(brows.vertices, skin, fields, "Brow")),
        _part("teeth_upper", p.teeth(upper), 0.45, {}),
        _part("teeth_lower", teeth_lower, 0.45, t.jaw_fields(teeth_lower.vertices)),
        _part("tongue", tongue, 0.4, {**t.jaw_fields(tongue.vertices), "TongueOut": t.tongue_out(tongue.vertices)}),
        _part("hair", p.hair(), 0.65, {}),
    ))  # fmt: skip


def _carried(points: np.ndarray, skin: Skin, fields: Fields, prefix: str) -> Fields:
    """What lies on the skin goes with the nearest of its vertices."""
    distance, nearest = cKDTree(skin.vertices).query(points, k=6)
    weight = 1 / (distance + 0.5) ** 2
    weight /= weight.sum(1, keepdims=True)
    return {
        name: (weight[..., None] * field[nearest]).sum(1) for name, field in fields.items() if name.startswith(prefix)
    }


def _lash_fields(skin: Skin, lash: Piece, fields: Fields) -> Fields:
    """The lashes go with the lid's edge that they grow from."""
    half = skin.eye.shape[1] // 2 + 1
    edge = skin.eye[FIRST_LID, :half]
    result = {}
    for name, field in fields.items():
        left, right = field[edge], field[skin.mirror[edge]]
        if np.abs(left).max() + np.abs(right).max() > STILL_MM and name.startswith(("Eye", "Cheek")):
            rows = len(lash.vertices) // half
            result[name] = np.concatenate([np.tile(left, (rows, 1)), np.tile(right, (rows, 1))])
    return result


def _part(name: str, piece: Piece, roughness: float, fields: Fields) -> Part:
    offsets = {}
    for target, field in fields.items():
        moved = np.where(np.linalg.norm(field, axis=1, keepdims=True) > STILL_MM, field, 0)
        if moved.any():
            offsets[target] = (moved * METRES).astype(np.float32)
    return Part(
        name,
        (piece.vertices * METRES).astype(np.float32),
        piece.triangles.astype(np.int32),
        np.clip(piece.colours, 0, 1).astype(np.float32),
        roughness,
        offsets,
    )
