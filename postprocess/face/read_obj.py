"""A head as a folder of Wavefront OBJ files: a neutral face, and one file for each shape at its fullest."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config.errors import UserError
from config.files import find, regular, within
from postprocess.face.colour import to_linear
from postprocess.face.mesh import Head, Part
from postprocess.face.names import arkit_places

_SKIN = (0.6, 0.42, 0.34)  # linear, for an OBJ that names no colour
_FARTHEST = 1e15  # of a coordinate, in whatever unit
_SMALLEST = 1e-9  # of a face's height, likewise
_UNNAMED = "head"  # the part of faces that come before any material


@dataclass(frozen=True)
class Obj:
    """What an OBJ file says, lengths in its own unit."""

    vertices: np.ndarray  # (V, 3) float64
    colours: np.ndarray  # (V, 3) float64, linear
    faces: dict[str, np.ndarray]  # material → its triangles (F, 3) int32, among all vertices


def read_obj_folder(folder: Path) -> tuple[Head, list[str]]:
    """The head, and the names of all its shapes.

    The neutral face is neutral.obj, or the only file with that in its name. A shape has the neutral face's vertices
    in its order. An OBJ has no unit: a power of ten makes the head 0.1 to 1 m tall. Raises UserError for a folder
    without a neutral face and for a shape with another number of vertices.
    """
    files = find(folder, (".obj",))
    neutral_file = neutral_among(files)
    neutral = read_obj(neutral_file)
    shapes = {file.stem: file for file in files if file != neutral_file}
    scale = _to_metres(neutral_file, neutral.vertices)
    offsets = {name: offset * scale for name, offset in shape_offsets(shapes, neutral_file, neutral.vertices).items()}
    return Head(parts_by_material(neutral, neutral.vertices * scale, offsets)), list(shapes)


def neutral_among(files: list[Path]) -> Path:
    """The neutral face's file. Raises UserError where none or several could be it."""
    found = [file for file in files if file.stem.lower() == "neutral"]
    found = found or [file for file in files if "neutral" in file.stem.lower()]
    if len(found) != 1:
        what = f"{found[0].name} and {found[1].name} could both be" if found else "no file is"
        raise UserError(f"{files[0].parent}: {what} the neutral face; name it neutral.obj")
    return found[0]


def shape_offsets(shapes: dict[str, Path], neutral_file: Path, neutral: np.ndarray) -> dict[str, np.ndarray]:
    """ARKit name → (V, 3): how far each ARKit shape lies from the neutral vertices; shapes in halves are added up.

    Raises UserError for a shape with another number of vertices than the neutral face.
    """
    stems = list(shapes)
    offsets = {}
    for name, places in arkit_places(stems).items():
        total = np.zeros_like(neutral)
        for place in places:
            file = shapes[stems[place]]
            vertices = _vertices(file, _lines(file))[:, :3]
            if len(vertices) != len(neutral):
                raise UserError(
                    f"{file}: {len(vertices)} vertices, but {neutral_file.name} has {len(neutral)}; "
                    "export both from one mesh, its vertices in one order"
                )
            total += vertices - neutral
        offsets[name] = total
    return offsets


def parts_by_material(obj: Obj, vertices: np.ndarray, offsets: dict[str, np.ndarray]) -> tuple[Part, ...]:
    """One part a material, with its own vertices and the shapes that move them.

    vertices: (V, 3), metres. offsets: ARKit name → (V, 3), metres.
    """
    parts = []
    for material, faces in obj.faces.items():
        used, corners = np.unique(faces, return_inverse=True)
        mine = {name: offset[used].astype(np.float32) for name, offset in offsets.items() if offset[used].any()}
        parts.append(
            Part(
                name=material,
                vertices=vertices[used].astype(np.float32),
                triangles=corners.reshape(-1, 3).astype(np.int32),
                colours=obj.colours[used].astype(np.float32),
                offsets=mine,
            )
        )
    return tuple(parts)


def read_obj(path: Path) -> Obj:
    """Read vertices, faces, and colours: of vertices, else of materials.

    Raises UserError, with the line, for what is no number and for a face with a vertex that is not there.
    """
    lines = _lines(path)
    table = _vertices(path, lines)
    faces = _faces(path, lines, len(table))
    if table.shape[1] >= 6:  # x y z r g b, as many tools write vertex colours
        return Obj(table[:, :3], to_linear(table[:, 3:6].clip(0, 1)), faces)
    colours = np.tile(np.array(_SKIN), (len(table), 1))
    for material, colour in _diffuse_colours(path, lines).items():
        if material in faces:
            colours[faces[material]] = colour
    return Obj(table, colours, faces)


def _lines(path: Path) -> list[str]:
    try:
        return regular(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _vertices(path: Path, lines: list[str]) -> np.ndarray:
    """(V, 3), or (V, 6) with colours, float64."""
    rows = [line.split()[1:7] for line in lines if line.startswith(("v ", "v\t"))]
    if not rows:
        raise UserError(f"{path}: no vertices; expected the OBJ of a face")
    width = 6 if all(len(row) == 6 for row in rows) else 3
    try:
        table = np.array([row[:width] for row in rows], np.float64)
        if table.shape[1:] == (width,) and (np.abs(table) <= _FARTHEST).all():
            return table
    except ValueError:
        pass
    vertices = [n for n, line in enumerate(lines, 1) if line.startswith(("v ", "v\t"))]
    number = next((n for n in vertices if not _is_vertex(lines[n - 1])), vertices[0])
    raise UserError(f'{path}, line {number}: a vertex is three numbers, not "{lines[number - 1].strip()[:60]}"')


def _is_vertex(line: str) -> bool:
    try:
        values = [float(cell) for cell in line.split()[1:7]]
    except ValueError:
        return False
    return len(values) >= 3 and all(abs(value) <= _FARTHEST for value in values)


def _faces(path: Path, lines: list[str], count: int) -> dict[str, np.ndarray]:
    triangles: dict[str, list[tuple[int, int, int]]] = {}
    material, before = _UNNAMED, 0
    for number, line in enumerate(lines, 1):
        word, _, rest = line.strip().partition(" ")
        if word == "v":
            before += 1
        elif word == "usemtl":
            material = rest.strip() or _UNNAMED
        elif word == "f":
            try:
                triangles.setdefault(material, []).extend(_fan(rest.split(), before, count))
            except ValueError:
                raise UserError(
                    f'{path}, line {number}: a face is three or more of the vertices 1 to {count}, not "{rest[:60]}"'
                ) from None
    if not triangles:
        raise UserError(f"{path}: no faces; expected the OBJ of a face")
    return {material: np.array(rows, np.int32) for material, rows in triangles.items()}


def _fan(cells: list[str], before: int, count: int) -> list[tuple[int, int, int]]:
    """The triangles of a face `a/at/an b/bt/bn …`: counted from 1, or back from the vertices before it."""
    numbers = [int(cell.partition("/")[0]) for cell in cells]
    corners = [number - 1 if number > 0 else before + number for number in numbers]
    if len(corners) < 3 or 0 in numbers or min(corners) < 0 or max(corners) >= count:
        raise ValueError
    return [(corners[0], corners[i], corners[i + 1]) for i in range(1, len(corners) - 1)]


def _diffuse_colours(path: Path, lines: list[str]) -> dict[str, np.ndarray]:
    """Material → linear colour, of the mtl files in an OBJ's folder; what cannot be read there has none."""
    colours = {}
    libraries = dict.fromkeys(line.partition(" ")[2].strip() for line in lines if line.startswith("mtllib "))
    for library in libraries:
        file = within(path.parent, library)
        material = _UNNAMED
        for line in _lines(file) if file is not None and file.is_file() else []:
            word, _, rest = line.strip().partition(" ")
            if word == "newmtl":
                material = rest.strip()
            elif word == "Kd" and _is_vertex(line):
                colours[material] = to_linear(np.array(rest.split()[:3], np.float64).clip(0, 1))
    return colours


def _to_metres(path: Path, vertices: np.ndarray) -> float:
    tall = float(np.ptp(vertices[:, 1]))
    if tall < _SMALLEST:
        raise UserError(f"{path}: all vertices are at one height; expected a face, y up")
    return 10.0 ** -np.ceil(np.log10(tall))
