"""Head angles against the renderer's own turn of a head, and matrices against MediaPipe's layout of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from data_process.video.head_pose import head_angles
from data_process.video.landmarker import BONES, as_faces
from dataset.blendshapes import ARKIT
from postprocess.face.turning import TURNS, rotation


@pytest.mark.parametrize("turn", [(20, 0, 0), (0, 15, 0), (0, 0, 10), (-30, 12, -8), (5, -20, 25)])
def test_angles_are_those_that_turn_a_head(turn: tuple[float, float, float]) -> None:
    """turning.rotation takes yaw, pitch and roll as the head sees them; TURNS says which way the csv's run."""
    angles = np.degrees(head_angles(rotation(*turn)[None]))[0]
    np.testing.assert_allclose(angles * list(TURNS.values()), turn, atol=1e-9)


def test_a_result_is_read_by_name_in_pixels() -> None:
    points = [SimpleNamespace(x=0.25, y=0.5, z=0.0) for _ in range(478)]
    points[33], points[263] = SimpleNamespace(x=0.2, y=0.5, z=0.0), SimpleNamespace(x=0.4, y=0.5, z=0.0)
    for one, other in BONES:
        points[one], points[other] = SimpleNamespace(x=0.2, y=0.4, z=0.0), SimpleNamespace(x=0.3, y=0.4, z=0.0)
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
    assert face.box == pytest.approx([40, 40, 80, 50])
    assert dict(zip(ARKIT, face.scores.tolist(), strict=True))["JawOpen"] == 0.5
    assert face.scores.sum() == pytest.approx(0.75)
    assert np.degrees(head_angles(face.rotation[None]))[0] == pytest.approx([10, 0, 0])
    assert face.build == pytest.approx(np.full(6, np.log(0.5)))
