"""The head of our own: every blendshape moves what ARKit says, and the file that ships is what the code makes."""

from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, EYE, JAW, MOUTH
from postprocess.face.gltf import write_head
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.face.mesh import Head, Part
from postprocess.face.sculptor.build import assemble
from postprocess.face.sculptor.clay import EYE_CENTRE_MM, EYE_RADIUS_MM
from postprocess.face.sculptor.skin import FIRST_LID, FIRST_LIP, Skin, build_skin
from tests.heads import posed

SIDED = [name for name in ARKIT if name.endswith("Left")]


@pytest.fixture(scope="module")
def skin() -> Skin:
    return build_skin()


@pytest.fixture(scope="module")
def head(skin: Skin) -> Head:
    return assemble(skin)


@pytest.fixture(scope="module")
def face(head: Head) -> Part:
    return head.parts[0]


def part(head: Head, name: str) -> Part:
    return next(part for part in head.parts if part.name == name)


def moved(face: Part, name: str) -> np.ndarray:
    """Rest places (N, 3), millimetres, of the skin that a blendshape moves by more than a tenth of a millimetre."""
    return face.vertices[np.linalg.norm(face.offsets[name], axis=1) > 1e-4] * 1000


def swapped(name: str) -> str:
    return name.replace("Left", "%").replace("Right", "Left").replace("%", "Right")


def test_all_52_move_something(head: Head) -> None:
    assert head.missing == ()


def test_it_is_a_head_of_a_human_size_and_few_vertices(head: Head) -> None:
    low, high = head.bounds()
    chin = moved(head.parts[0], "JawOpen")[:, 1].min() / 1000
    assert 0.20 < high[1] - chin < 0.26
    assert 0.14 < high[0] - low[0] < 0.20
    assert 4_000 < sum(len(part.vertices) for part in head.parts) < 9_000


@pytest.mark.parametrize("name", ARKIT)
def test_left_and_right_are_mirror_images(head: Head, skin: Skin, name: str) -> None:
    face = head.parts[0]
    assert np.allclose(face.vertices[skin.mirror], face.vertices * (-1, 1, 1), atol=1e-7)
    if name in face.offsets:
        assert np.allclose(face.offsets[name][skin.mirror], face.offsets[swapped(name)] * (-1, 1, 1), atol=1e-7)


@pytest.mark.parametrize("name", [name for name in SIDED if name.startswith("EyeLook")])
def test_the_eyeballs_mirror_each_other(head: Head, name: str) -> None:
    left, right = part(head, "eye_left"), part(head, "eye_right")
    assert np.allclose(left.offsets[name] * (-1, 1, 1), right.offsets[swapped(name)], atol=1e-7)


@pytest.mark.parametrize("name", EYE)
def test_eye_shapes_leave_the_mouth_and_the_other_eye_alone(face: Part, name: str) -> None:
    places = moved(face, name)
    assert places[:, 1].min() > -42
    assert (places[:, 0] * (1 if "Left" in name else -1)).min() > 0


@pytest.mark.parametrize("name", JAW + MOUTH)
def test_jaw_and_mouth_shapes_move_nothing_above_the_nose_bridge(face: Part, name: str) -> None:
    assert moved(face, name)[:, 1].max() < -8


@pytest.mark.parametrize("name", [name for name in ARKIT if name.startswith("Brow")])
def test_brow_shapes_stay_above_the_eyes_middle(head: Head, name: str) -> None:
    assert moved(head.parts[0], name)[:, 1].min() > -3
    assert name in part(head, "brows").offsets


# Where each shape's liveliest point goes: axis (0: left, 1: up, 2: forwards) and sign.
WAYS = {
    "JawForward": (2, 1), "JawLeft": (0, 1), "JawOpen": (1, -1), "MouthLeft": (0, 1), "MouthSmileLeft": (1, 1),
    "MouthFrownLeft": (1, -1), "MouthStretchLeft": (0, 1), "MouthDimpleLeft": (2, -1), "MouthRollLower": (2, -1),
    "MouthRollUpper": (2, -1), "MouthShrugLower": (1, 1), "MouthShrugUpper": (2, 1), "MouthLowerDownLeft": (1, -1),
    "MouthUpperUpLeft": (1, 1), "BrowDownLeft": (1, -1), "BrowInnerUp": (1, 1), "BrowOuterUpLeft": (1, 1),
    "CheekSquintLeft": (1, 1), "NoseSneerLeft": (1, 1), "EyeBlinkLeft": (1, -1), "EyeWideLeft": (1, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_a_shape_goes_the_way_that_arkit_says(face: Part, name: str) -> None:
    axis, sign = WAYS[name]
    move = face.offsets[name]
    liveliest = np.linalg.norm(move, axis=1).argmax()
    assert move[liveliest, axis] * sign > 0.3 * np.linalg.norm(move[liveliest])
    if name in SIDED and not name.startswith(("Jaw", "MouthLeft")):
        assert face.vertices[liveliest, 0] > 0


def test_the_cheeks_puff_outwards(face: Part) -> None:
    move = face.offsets["CheekPuff"]
    assert (move[:, 0] * np.sign(face.vertices[:, 0]) > 0.004).any()
    assert (move[:, 0] * np.sign(face.vertices[:, 0])).min() > -1e-4


WAYS_OF_LOOKING = {"Up": (1, 1), "Down": (1, -1), "In": (0, -1), "Out": (0, 1)}


@pytest.mark.parametrize("way", WAYS_OF_LOOKING)
def test_the_left_pupil_looks_where_the_name_says(head: Head, way: str) -> None:
    eye = part(head, "eye_left")
    axis, sign = WAYS_OF_LOOKING[way]
    assert eye.offsets[f"EyeLook{way}Left"][eye.vertices[:, 2].argmax(), axis] * sign > 0.005


def lip_gaps(face: Part, skin: Skin, pose: dict[str, float]) -> np.ndarray:
    """Distances (columns,), millimetres, from the upper to the lower lip along the line where they meet at rest."""
    line = posed(face, pose)[skin.mouth[FIRST_LIP]] * 1000
    return np.linalg.norm(line - line[::-1], axis=1)


def test_lips_are_closed_at_rest_and_when_closed_over_an_open_jaw(face: Part, skin: Skin) -> None:
    assert lip_gaps(face, skin, {}).max() < 0.3
    for amount in (0.3, 1.0):
        assert lip_gaps(face, skin, {"JawOpen": amount, "MouthClose": amount}).max() < 0.3


def test_an_open_jaw_parts_the_lips_but_for_the_corners(face: Part, skin: Skin) -> None:
    gaps = lip_gaps(face, skin, {"JawOpen": 1.0})
    assert gaps[0] > 20
    assert gaps[len(gaps) // 2] == 0
    assert (np.diff(gaps[: len(gaps) // 2 + 1]) <= 0.01).all()


@pytest.mark.parametrize("name", ["MouthFunnel", "MouthPucker"])
def test_rounded_lips_are_narrower_and_further_ahead(face: Part, skin: Skin, name: str) -> None:
    ring = skin.mouth[FIRST_LIP]
    rest, moved_to = face.vertices[ring] * 1000, posed(face, {name: 1.0})[ring] * 1000
    assert moved_to[:, 0].max() < 0.7 * rest[:, 0].max()
    assert moved_to[0, 2] > rest[0, 2] + 5


def test_a_funnel_is_open_and_a_pucker_closed(face: Part, skin: Skin) -> None:
    assert lip_gaps(face, skin, {"MouthFunnel": 1.0}).max() > 5
    assert lip_gaps(face, skin, {"MouthPucker": 1.0}).max() < 0.3


def test_a_blink_closes_the_lids(face: Part, skin: Skin) -> None:
    def gaps(amount: float) -> np.ndarray:
        edge = posed(face, {"EyeBlinkLeft": amount})[skin.eye[FIRST_LID]] * 1000
        half = len(edge) // 2
        return edge[1:half, 1] - edge[:half:-1, 1]

    assert gaps(0.0).max() > 14
    assert np.abs(gaps(1.0)).max() < 1.0


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("name", ["EyeBlinkLeft", "EyeSquintLeft", "EyeLookDownLeft", "EyeWideLeft"])
def test_the_lids_stay_outside_the_eyeball(face: Part, skin: Skin, name: str, amount: float) -> None:
    lids = posed(face, {name: amount})[skin.eye[FIRST_LID:]] * 1000
    assert np.linalg.norm(lids - EYE_CENTRE_MM, axis=-1).min() > EYE_RADIUS_MM


def test_the_tongue_comes_out_in_front_of_the_lips(head: Head, skin: Skin) -> None:
    tongue = posed(part(head, "tongue"), {"TongueOut": 1.0, "JawOpen": 0.5})
    assert tongue[:, 2].max() > head.parts[0].vertices[skin.mouth[FIRST_LIP, 0], 2] + 0.010


def test_every_triangle_has_an_area_and_faces_as_its_neighbours_do(head: Head) -> None:
    for piece in head.parts:
        corners = piece.vertices[piece.triangles].astype(float)
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert np.linalg.norm(across, axis=1).min() / 2 > 1e-9, piece.name  # square metres: a thousandth of a mm²
        edges = np.concatenate([piece.triangles[:, [0, 1]], piece.triangles[:, [1, 2]], piece.triangles[:, [2, 0]]])
        assert len(np.unique(edges, axis=0)) == len(edges), piece.name


@pytest.mark.parametrize(
    "name", ["face", "ears", "eye_left", "eye_right", "brows", "teeth_upper", "teeth_lower", "tongue"]
)
def test_outside_is_outside(head: Head, name: str) -> None:
    piece = part(head, name)
    left = piece.vertices[:, 0] >= 0 if name in ("ears", "brows") else np.ones(len(piece.vertices), bool)
    corners = (piece.vertices - piece.vertices[left].mean(0))[piece.triangles[left[piece.triangles].all(1)]]
    assert np.einsum("ij,ij->", np.cross(corners[:, 0], corners[:, 1]), corners[:, 2]) > 0


def test_the_shipped_head_is_what_the_code_makes(head: Head, tmp_path: Path) -> None:
    write_head(tmp_path / "head.glb", head)
    made, shipped = read_head(tmp_path / "head.glb"), read_head(DEFAULT_HEAD)
    assert [part.name for part in made.parts] == [part.name for part in shipped.parts]
    for ours, theirs in zip(made.parts, shipped.parts, strict=True):
        assert np.array_equal(ours.triangles, theirs.triangles)
        assert np.allclose(ours.vertices, theirs.vertices, atol=1e-5)
        assert np.allclose(ours.colours, theirs.colours, atol=0.01)
        assert ours.offsets.keys() == theirs.offsets.keys()
        for name, offsets in ours.offsets.items():
            assert np.allclose(offsets, theirs.offsets[name], atol=1e-4)
    assert DEFAULT_HEAD.stat().st_size < 1_500_000


def test_the_same_code_makes_the_same_head(skin: Skin) -> None:
    again = build_skin()
    assert np.array_equal(again.vertices, skin.vertices)
    assert np.array_equal(again.triangles, skin.triangles)
