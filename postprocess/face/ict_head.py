"""A realistic head from USC's ICT-FaceKit (https://github.com/ICT-VGL/ICT-FaceKit, MIT): its neutral face and one OBJ
per expression → a glb with ARKit's blendshapes, all but the tongue's. The mesh has no texture; it is coloured here."""

import sys
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # runs as a file as well as with -m, from any folder

import numpy as np

from config.command import parser, run
from config.errors import UserError
from config.files import files_in, keep_apart
from postprocess.face.gltf import write_head
from postprocess.face.mesh import Head
from postprocess.face.names import arkit_places
from postprocess.face.read_obj import Obj, parts_by_material, read_obj, shape_offsets

EXAMPLES = """
python -m postprocess.face.ict_head --source ICT-FaceKit --out head.glb
"""
NEUTRAL = "generic_neutral_mesh.obj"
DELTAS = "expression_deltas.npz"  # the same shapes as offsets, `d_<shape>`, in one file
METRES_PER_UNIT = 0.01
EYES_M = (0.0, 0.0, 0.06)  # where the point between the eyeballs is put: as in the head we ship
BLINK = 1.1  # the shape leaves 1 mm open, which the lashes that we leave out hid
STILL = 2e-3  # centimetres; shorter offsets are what fitting the scans left over

# Vertex ranges, from ICT-FaceKit's README. What only a texture makes transparent is left out: the layers over the eyes
# (24,591 to 25,350), and the lashes' strips, whose roots we paint on the lids.
VERTICES = 26719
SKIN = slice(0, 9409)  # the face; it joins the next two without a seam
NECK = slice(9409, 11248)
LEFT_EYE, RIGHT_EYE = slice(21451, 22221), slice(23021, 23791)  # the clear outer shells, on which we paint
UPPER_LASHES, LOWER_LASHES = np.r_[25351:25693, 26035:26377], np.r_[25693:26035, 26377:26719]
# Part → (its vertices, roughness).
PARTS = {
    "face": (slice(0, 14062), 0.5),
    "gums_and_tongue": (slice(14062, 17039), 0.35),
    "teeth_upper": (slice(17039, 19247), 0.25),
    "teeth_lower": (slice(19247, 21451), 0.25),
    "eye_left": (LEFT_EYE, 0.1),
    "eye_right": (RIGHT_EYE, 0.1),
}
# Landmarks in the mesh's numbering, from the same README (Multi-PIE's 68 points).
BROW_LEFT, BROW_RIGHT = (3615, 4240, 4114, 2734, 2509), (1401, 2044, 1914, 493, 268)
LIPS = (5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841)
NOSE_TIP = 4857
CHEEK = (4.4, -0.4, 8.6)  # the left one's middle, centimetres

# Linear colours.
SKIN_COLOUR, BLUSH_COLOUR, LIP_COLOUR = (0.52, 0.30, 0.215), (0.50, 0.20, 0.14), (0.36, 0.11, 0.095)
BROW_COLOUR, LASH_COLOUR = (0.055, 0.032, 0.022), (0.012, 0.009, 0.008)
SOCKET_COLOUR, GUM_COLOUR, TOOTH_COLOUR = (0.16, 0.035, 0.03), (0.38, 0.11, 0.10), (0.74, 0.68, 0.56)
SCLERA_COLOUR, IRIS_COLOUR, IRIS_RIM_COLOUR = (0.74, 0.70, 0.66), (0.14, 0.20, 0.21), (0.03, 0.045, 0.05)
PUPIL_COLOUR = (0.004, 0.004, 0.004)
IRIS_DEG, PUPIL_DEG = 22.0, 8.5  # radii, seen from the eyeball's centre
BROW_WIDTH, LIP_EDGE, UPPER_LASH_WIDTH, LOWER_LASH_WIDTH = 0.42, 0.12, 0.16, 0.12  # centimetres

# Where to and how far an eyeball turns at 1: (up, outwards, degrees). The mesh leaves that to joints and moves only the
# lids, which follow an eye that looks down this far.
GAZE = {"LookUp": (1, 0, 20.0), "LookDown": (-1, 0, 29.0), "LookIn": (0, -1, 30.0), "LookOut": (0, 1, 30.0)}


def main() -> None:
    """Read the folder, write the head, say what it can do."""
    arguments = parser(__doc__, EXAMPLES)
    arguments.add_argument("--source", type=Path, required=True, help="a copy of the ICT-FaceKit repository")
    arguments.add_argument("--out", type=Path, required=True, help="the glb to write")
    given = arguments.parse_args()
    folders = (given.source, given.source / "FaceXModel")
    keep_apart([file for folder in folders for file in files_in(folder, (".obj",))], [("--out", given.out)])
    head = ict_head(given.source)
    write_head(given.out, head)
    vertices = sum(len(part.vertices) for part in head.parts)
    missing = f", all but {', '.join(head.missing)}" if head.missing else ""
    print(f"wrote {given.out}: {vertices:,} vertices, {len(head.channels)} blendshapes{missing}")


def ict_head(source: Path) -> Head:
    """The head of an ICT-FaceKit folder, placed as ours is. Raises UserError for a folder that is none."""
    file = next((f for f in (source / "FaceXModel" / NEUTRAL, source / NEUTRAL) if f.is_file()), None)
    if file is None:
        raise UserError(f"{source}: no FaceXModel/{NEUTRAL} in it; give the folder of the ICT-FaceKit repository")
    neutral = read_obj(file)
    if len(neutral.vertices) != VERTICES:
        raise UserError(f"{file}: {len(neutral.vertices)} vertices; ICT-FaceKit's face has {VERTICES}")
    offsets = _offsets(source, file, neutral.vertices)
    for side, shell in (("Left", LEFT_EYE), ("Right", RIGHT_EYE)):
        for name, turn in _eye_turns(neutral.vertices[shell], side).items():
            offsets.setdefault(name, np.zeros_like(neutral.vertices))[shell] = turn
    parts = _parts(neutral)
    eyes = (_sphere_centre(neutral.vertices[LEFT_EYE]) + _sphere_centre(neutral.vertices[RIGHT_EYE])) / 2
    placed = METRES_PER_UNIT * (neutral.vertices - eyes) + EYES_M
    scaled = {name: METRES_PER_UNIT * offset for name, offset in offsets.items()}
    roughness = {name: rough for name, (_, rough) in PARTS.items()}
    return Head(tuple(replace(p, roughness=roughness[p.name]) for p in parts_by_material(parts, placed, scaled)))


def _offsets(source: Path, neutral_file: Path, neutral: np.ndarray) -> dict[str, np.ndarray]:
    """ARKit name → (V, 3) centimetres, of the OBJ files beside the neutral face, or of the one file of offsets."""
    deltas = source / DELTAS
    if deltas.is_file():
        offsets = _stored_offsets(deltas, neutral)
    else:
        shapes = {file.stem: file for file in sorted(neutral_file.parent.glob("*.obj")) if file != neutral_file}
        offsets = shape_offsets(shapes, neutral_file, neutral)
    if not offsets:
        raise UserError(
            f"{neutral_file.parent}: no expressions beside the neutral face; expected jawOpen.obj and others"
        )
    for blink in {"EyeBlinkLeft", "EyeBlinkRight"} & set(offsets):
        offsets[blink] = BLINK * offsets[blink]
    return {name: np.where(np.abs(offset).max(1, keepdims=True) < STILL, 0, offset) for name, offset in offsets.items()}


def _stored_offsets(file: Path, neutral: np.ndarray) -> dict[str, np.ndarray]:
    try:
        with np.load(file) as stored:
            names = [name.removeprefix("d_") for name in stored.files]
            places = arkit_places(names)
            offsets = {name: np.sum([stored[f"d_{names[i]}"] for i in at], axis=0) for name, at in places.items()}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{file}: cannot be read ({error}); copy it again") from None
    wrong = [name for name, offset in offsets.items() if offset.shape != neutral.shape]
    if wrong:
        raise UserError(f"{file}: {wrong[0]} moves {len(offsets[wrong[0]])} vertices; the face has {len(neutral)}")
    return offsets


def _parts(neutral: Obj) -> Obj:
    """The mesh with its parts in place of its materials, painted."""
    triangles = np.concatenate(list(neutral.faces.values()))
    last = triangles.max(axis=1)
    faces = {name: triangles[(last >= of.start) & (last < of.stop)] for name, (of, _) in PARTS.items()}
    return Obj(neutral.vertices, _colours(neutral.vertices), {name: mine for name, mine in faces.items() if len(mine)})


def _colours(vertices: np.ndarray) -> np.ndarray:
    """(V, 3) linear, of the neutral face's vertices, centimetres."""
    colours = np.zeros_like(vertices)
    colours[:] = SOCKET_COLOUR
    for of, colour in (
        (PARTS["gums_and_tongue"][0], GUM_COLOUR),
        (PARTS["teeth_upper"][0], TOOTH_COLOUR),
        (PARTS["teeth_lower"][0], TOOTH_COLOUR),
        (NECK, SKIN_COLOUR),
    ):
        colours[of] = colour
    colours[SKIN] = _skin_colours(vertices)
    for shell in (LEFT_EYE, RIGHT_EYE):
        colours[shell] = _eye_colours(vertices[shell])
    return colours


def _skin_colours(vertices: np.ndarray) -> np.ndarray:
    """(SKIN, 3): skin, redder at cheeks and nose, with lips, brows and the lashes' edge."""
    skin = vertices[SKIN]
    colours = np.tile(np.array(SKIN_COLOUR), (len(skin), 1))
    spots = ((vertices[NOSE_TIP], 1.6), (CHEEK, 2.6), (np.multiply(CHEEK, (-1, 1, 1)), 2.6))
    for middle, width in spots:
        blush = np.exp(-((np.linalg.norm(skin - middle, axis=1) / width) ** 2))
        colours = _mixed(colours, BLUSH_COLOUR, 0.3 * blush)
    in_front = skin[:, 2] > vertices[list(LIPS), 2].min() - 2  # not the nape, which lies behind the lips
    lips = _smooth_step(_inside(skin[:, :2], vertices[list(LIPS), :2]) / LIP_EDGE + 0.5) * in_front
    colours = _mixed(colours, LIP_COLOUR, 0.85 * lips)
    for brow in (BROW_LEFT, BROW_RIGHT):
        away, along = _from_line(skin, vertices[list(brow)])
        thickness = BROW_WIDTH * (1 - 0.5 * along)  # thinner and sparser towards the temple
        colours = _mixed(colours, BROW_COLOUR, 0.9 * (1 - along**4) * _smooth_step(1.5 - away / thickness))
    for lashes, width, share in ((UPPER_LASHES, UPPER_LASH_WIDTH, 0.95), (LOWER_LASHES, LOWER_LASH_WIDTH, 0.6)):
        away = _from_roots(skin, vertices[lashes])
        colours = _mixed(colours, LASH_COLOUR, share * _smooth_step(1.5 - away / width))
    return colours


def _from_roots(skin: np.ndarray, lashes: np.ndarray) -> np.ndarray:
    """(N,): how far the skin's vertices are from where lashes touch it."""
    from scipy.spatial import KDTree

    roots = lashes[KDTree(skin).query(lashes)[0] < 0.01]
    return KDTree(roots).query(skin)[0]


def _eye_colours(shell: np.ndarray) -> np.ndarray:
    """(V, 3): white, iris and pupil around the cornea's axis."""
    away = _degrees_from_axis(shell)
    colours = np.tile(np.array(SCLERA_COLOUR), (len(shell), 1))
    colours = _mixed(colours, IRIS_RIM_COLOUR, _smooth_step((IRIS_DEG - away) / 2 + 0.5))
    colours = _mixed(colours, IRIS_COLOUR, _smooth_step((IRIS_DEG - 2 - away) / 5))
    return _mixed(colours, PUPIL_COLOUR, _smooth_step((PUPIL_DEG - away) / 2 + 0.5))


def _eye_turns(shell: np.ndarray, side: str) -> dict[str, np.ndarray]:
    """ARKit name → (V, 3): how far an eyeball's surface moves when it looks there."""
    arms = shell - _sphere_centre(shell)
    outwards = 1 if side == "Left" else -1
    turns = {}
    for look, (up, out, degrees) in GAZE.items():
        axis = np.array((-up, out * outwards, 0.0))
        angle = np.radians(degrees)
        along = (arms @ axis)[:, None] * axis
        turned = along + np.cos(angle) * (arms - along) + np.sin(angle) * np.cross(axis, arms)  # Rodrigues
        turns[f"Eye{look}{side}"] = turned - arms
    return turns


def _degrees_from_axis(shell: np.ndarray) -> np.ndarray:
    """(V,): the angle at the eyeball's centre to the axis of the cornea, which is what bulges out of the sphere."""
    arms = shell - _sphere_centre(shell)
    length = np.linalg.norm(arms, axis=1)
    axis = arms[length > 1.03 * np.median(length)].mean(0)
    return np.degrees(np.arccos(np.clip(arms @ axis / (length * np.linalg.norm(axis)), -1, 1)))


def _sphere_centre(shell: np.ndarray) -> np.ndarray:
    """(3,): of the sphere that fits the back of an eyeball's shell best: |p|² = 2 c·p + k, least squares."""
    back = shell[shell[:, 2] < np.median(shell[:, 2])]
    unknowns = np.column_stack([2 * back, np.ones(len(back))])
    return np.linalg.lstsq(unknowns, (back**2).sum(1), rcond=None)[0][:3]


def _mixed(colours: np.ndarray, colour: tuple[float, float, float], share: np.ndarray) -> np.ndarray:
    return colours + share[:, None] * (np.array(colour) - colours)


def _smooth_step(value: np.ndarray) -> np.ndarray:
    clipped = np.clip(value, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """(N,): how far points (N, 2) lie inside a polygon (P, 2), below 0 outside."""
    distance = np.full(len(points), np.inf)
    crossings = np.zeros(len(points), int)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        distance = np.minimum(distance, _from_segment(points, start, end)[0])
        between = (start[1] > points[:, 1]) != (end[1] > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            meets = start[0] + (points[:, 1] - start[1]) / (end[1] - start[1]) * (end[0] - start[0])
        crossings += between & (points[:, 0] < meets)
    return np.where(crossings % 2 == 1, distance, -distance)


def _from_line(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far points (N, 3) are from a line through (P, 3), and where along it their nearest place is, 0 to 1."""
    pieces = [_from_segment(points, start, end) for start, end in pairwise(line)]
    away = np.stack([distance for distance, _ in pieces])
    along = np.stack([share + number for number, (_, share) in enumerate(pieces)]) / len(pieces)
    nearest = away.argmin(0)
    return away.min(0), along[nearest, np.arange(len(points))]


def _from_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,), and the shares (N,) of the way from start to end at which points are nearest."""
    way = end - start
    share = np.clip((points - start) @ way / (way @ way), 0, 1)
    return np.linalg.norm(points - start - share[:, None] * way, axis=1), share


if __name__ == "__main__":
    run(main)
