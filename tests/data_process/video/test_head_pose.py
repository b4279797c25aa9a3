"""Head angles against the renderer's own turn of a head, and matrices against MediaPipe's layout of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from data_process.video.head_pose import head_angles
from data_process.video.landmarker import as_faces
from dataset.blendshapes import ARKIT
from postprocess.face.turning import TURNS, rotation


@pytest.mark.parametrize("turn", [(20, 0, 0), (0, 15, 0), (0, 0, 10), (-30, 12, -8), (5, -20, 25)])
def test_angles_are_those_that_turn_a_head(turn: tuple[float, float, float]) -> None:
    """turning.rotation takes yaw, pitch and roll as the head sees them; TURNS says which way the csv's run."""
    angles = np.degrees(head_angles(rotation(*turn)[None]))[0]
    np.testing.assert_allclose(angles * list(TURNS.values()), turn, atol=1e-9)


def test_a_result_is_read_by_name_in_pixels() -> None:
    places = np.random.default_rng(0).random((478, 3))
    points = [SimpleNamespace(x=x, y=y, z=z) for x, y, z in places]
    weights = [
        SimpleNamespace(category_name="_neutral", score=0.9),
        SimpleNamespace(category_name="jawOpen", score=0.5),
        SimpleNamespace(category_name="mouthSmileLeft", score=0.25),
    ]
    matrix = np.eye(4)
    matrix[:3, :3] = 2 * rotation(10, 0, 0)
    result = SimpleNamespace(
        face_landmarks=[points], face_blendshapes=[weights], facial_transformation_matrixes=[matrix]
    )
    (face,) = as_faces(result, width=200, height=100)
    pixels = places * (200, 100, 200)
    assert face.box == pytest.approx([*pixels[:, :2].min(axis=0), *pixels[:, :2].max(axis=0)])
    assert dict(zip(ARKIT, face.scores.tolist(), strict=True))["JawOpen"] == 0.5
    assert face.scores.sum() == pytest.approx(0.75)
    assert np.degrees(head_angles(face.rotation[None]))[0] == pytest.approx([10, 0, 0])
    inner, outer = (np.linalg.norm(pixels[one] - pixels[other]) for one, other in ((133, 362), (33, 263)))
    assert face.build[0] == pytest.approx(np.log(inner / outer), rel=1e-5)
