"""The ICT-FaceKit head: its shapes by ARKit's names, halves added up, eyes that turn, placed and scaled as ours."""

from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT
from postprocess.face.heads import read_head
from postprocess.face.ict_head import BLINK, LEFT_EYE, NEUTRAL, RIGHT_EYE, UPPER_LASHES, VERTICES, ict_head, main
from postprocess.face.mesh import Head
from tests.heads import posed
from tests.helpers import ICT_FACEKIT, skip_without

EYE_CENTRE = np.array([3.1, 3.6, 7.9])


def made_up_face() -> tuple[np.ndarray, list[str]]:
    """Vertices (VERTICES, 3) that lie anywhere, but for two eyeballs, and faces that use some of every part."""
    rng = np.random.default_rng(3)
    vertices = rng.uniform(-10, 10, (VERTICES, 3)).round(4)
    for shell, side in ((LEFT_EYE, 1), (RIGHT_EYE, -1)):
        ball = rng.normal(size=(shell.stop - shell.start, 3))
        ball *= 1.5 / np.linalg.norm(ball, axis=1, keepdims=True)
        ball[ball[:, 2] > 1.4] *= 1.15  # the cornea
        vertices[shell] = ball + EYE_CENTRE * (side, 1, 1)
    vertices[UPPER_LASHES] = vertices[: len(UPPER_LASHES)]
    eyeballs = [n + 1 for eye in (LEFT_EYE, RIGHT_EYE) for n in range(eye.start, eye.stop - 3)]
    starts = [1, 2, 3, 4, 9_500, 14_100, 17_100, 19_300, *eyeballs, 24_700, 26_000]
    return vertices, [f"f {first} {first + 1} {first + 2} {first + 3}" for first in starts]


def write_obj(path: Path, vertices: np.ndarray, faces: list[str]) -> None:
    rows = "\n".join(f"v {x} {y} {z}" for x, y, z in vertices.round(5).tolist())
    path.write_text(rows + "\n" + "\n".join(faces) + "\n")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as the public repository: one OBJ an expression beside the neutral face and identities."""
    folder = tmp_path_factory.mktemp("ict")
    model = folder / "FaceXModel"
    model.mkdir()
    vertices, faces = made_up_face()
    write_obj(model / NEUTRAL, vertices, faces)
    moves = {"jawOpen": (0, -3, 0), "browInnerUp_L": (0, 1, 0), "browInnerUp_R": (0, 2, 0), "eyeBlink_L": (0, -1, 0)}
    for shape, move in moves.items():
        moved = vertices.copy()
        moved[:3] += move
        moved[3] += (0, 0.001, 0)  # a tenth of a hundredth of a centimetre: noise
        write_obj(model / f"{shape}.obj", moved, faces)
    write_obj(model / "identity000.obj", vertices[:5], [])  # another shape of face, not an expression
    return folder


def face_offset(head: Head, name: str) -> np.ndarray:
    """The first vertex's offset, in centimetres."""
    return 100 * head.parts[0].offsets[name][0]


def test_a_folder_of_expressions_becomes_a_head(repository: Path) -> None:
    head = ict_head(repository)
    names = [part.name for part in head.parts]
    assert names == ["face", "gums_and_tongue", "teeth_upper", "teeth_lower", "eye_left", "eye_right"]
    np.testing.assert_allclose(face_offset(head, "JawOpen"), (0, -3, 0), atol=1e-4)
    np.testing.assert_allclose(face_offset(head, "BrowInnerUp"), (0, 3, 0), atol=1e-4)  # both halves
    np.testing.assert_allclose(face_offset(head, "EyeBlinkLeft"), (0, -BLINK, 0), atol=1e-4)
    assert not head.parts[0].offsets["JawOpen"][3].any()
    assert {"JawOpen", "BrowInnerUp", "EyeLookUpLeft", "EyeLookInRight"} < set(head.channels)
    assert "TongueOut" in head.missing


def test_eyes_turn_where_their_names_say(repository: Path) -> None:
    parts = {part.name: part for part in ict_head(repository).parts}
    for side, outwards in (("Left", 1), ("Right", -1)):
        eye = parts[f"eye_{side.lower()}"]
        centre = np.array([0.01 * EYE_CENTRE[0] * outwards, 0, 0.06])
        np.testing.assert_allclose(np.linalg.norm(eye.vertices - centre, axis=1).min(), 0.015, atol=2e-4)
        front = eye.vertices[:, 2].argmax()
        for look, axis, sign in (("Up", 1, 1), ("Down", 1, -1), ("Out", 0, outwards), ("In", 0, -outwards)):
            moved = eye.offsets[f"EyeLook{look}{side}"][front]
            assert sign * moved[axis] > 0.003
            looking = posed(eye, {f"EyeLook{look}{side}": 1})  # a turn keeps every distance to the centre
            before, after = (np.linalg.norm(vertices - centre, axis=1) for vertices in (eye.vertices, looking))
            np.testing.assert_allclose(after, before, atol=1e-4)


def test_what_is_no_ict_facekit_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no FaceXModel/generic_neutral_mesh\.obj in it; give the folder"):
        ict_head(tmp_path)
    vertices, faces = made_up_face()
    write_obj(tmp_path / NEUTRAL, vertices[:100], faces[:2])
    with pytest.raises(UserError, match=r"100 vertices; ICT-FaceKit's face has 26719"):
        ict_head(tmp_path)
    write_obj(tmp_path / NEUTRAL, vertices, faces)
    with pytest.raises(UserError, match=r"no expressions beside the neutral face"):
        ict_head(tmp_path)
    (tmp_path / "expression_deltas.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UserError, match=r"expression_deltas\.npz: cannot be read"):
        ict_head(tmp_path)
    np.savez(tmp_path / "expression_deltas.npz", d_jawOpen=np.zeros((5, 3), np.float32))
    with pytest.raises(UserError, match=r"JawOpen moves 5 vertices; the face has 26719"):
        ict_head(tmp_path)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Head, str]:
    """The head of the real data, written and read back, and what the command said."""
    skip_without(ICT_FACEKIT)
    out = tmp_path_factory.mktemp("real") / "ict.glb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["ict_head", "--source", str(ICT_FACEKIT), "--out", str(out)])
        main()
    return read_head(out), str(out)


def test_the_real_face_has_every_blendshape_but_the_tongues(real: tuple[Head, str]) -> None:
    head, _ = real
    assert head.channels == tuple(name for name in ARKIT if name != "TongueOut")
    low, high = head.bounds()
    assert 0.3 < high[1] - low[1] < 0.4  # a head with its shoulders' beginning
    face = head.parts[0]
    chin = np.argmin(np.where(face.vertices[:, 2] > 0.06, face.vertices[:, 1], 0))
    assert face.offsets["JawOpen"][chin, 1] < -0.02
    assert head.parts[2].name == "teeth_upper"
    assert "JawOpen" not in head.parts[2].offsets  # the skull's teeth stay
    assert head.parts[3].offsets["JawOpen"][:, 1].max() < 0  # the jaw's go down with it


def test_the_real_faces_sides_are_true(real: tuple[Head, str]) -> None:
    """What a Left shape moves lies at x > 0, the face's own left as it looks towards +z."""
    face = real[0].parts[0]
    for name in ("MouthSmile", "EyeBlink", "BrowOuterUp", "NoseSneer", "MouthUpperUp"):
        for side, sign in (("Left", 1), ("Right", -1)):
            weight = np.linalg.norm(face.offsets[name + side], axis=1)
            assert sign * (weight @ face.vertices[:, 0]) / weight.sum() > 0.01
    assert face.vertices[np.linalg.norm(face.offsets["JawOpen"], axis=1).argmax(), 2] > 0.06


def test_the_real_faces_lips_and_eyes_are_painted(real: tuple[Head, str]) -> None:
    face, left = real[0].parts[0], real[0].parts[4]
    red = face.colours[:, 0] / face.colours[:, 1]
    lips = np.linalg.norm(face.offsets["MouthPucker"], axis=1) > 0.009
    assert red[lips].max() > 3
    assert np.median(red) < 2
    front = left.vertices[:, 2].argmax()
    assert left.colours[front].max() < 0.3  # pupil or iris
    assert left.colours[left.vertices[:, 2].argmin()].min() > 0.6  # white behind
