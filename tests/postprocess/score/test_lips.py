import numpy as np
import pytest

from dataset.blendshapes import ARKIT, FACE, indices
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.face.mesh import Mesh, Part
from postprocess.face.sculptor.skin import MOUTH_HALF_WIDTH_MM, MOUTH_Y_MM
from postprocess.score.lips import MEASURES, landmarks, lip_scores, lips_mm, rounding, seen, standardised
from postprocess.score.metrics import correlation

GAP, WIDTH, PROTRUSION, CHIN_DROP = range(4)


@pytest.fixture(scope="module")
def face() -> Part:
    [part] = [part for part in read_head(DEFAULT_HEAD).parts if part.name == "face"]
    return part


def posed(**coefficients: float) -> np.ndarray:
    """(4,) mm of one frame."""
    names = tuple(coefficients)
    return lips_mm(np.array([list(coefficients.values())]), names)[0]


def test_the_landmarks_are_where_the_sculptor_put_them(face: Part) -> None:
    at = landmarks(face)
    points = face.vertices * 1000
    np.testing.assert_allclose(points[[at.upper, at.lower], 0], 0, atol=1e-4)
    np.testing.assert_allclose(points[[at.upper, at.lower], 1], MOUTH_Y_MM - 0.5, atol=0.01)
    np.testing.assert_allclose(points[[at.left, at.right], 0], [MOUTH_HALF_WIDTH_MM, -MOUTH_HALF_WIDTH_MM], atol=0.2)
    np.testing.assert_allclose(points[[at.left, at.right], 1], MOUTH_Y_MM + 1.2, atol=0.1)
    assert MOUTH_Y_MM < points[at.tip, 1] < MOUTH_Y_MM + 7.2  # within the red of the upper lip
    assert points[at.chin, 1] < MOUTH_Y_MM - 30


def test_the_map_is_the_whole_mesh_posed_and_measured(face: Part) -> None:
    head = read_head(DEFAULT_HEAD)
    mesh, at = Mesh.of(head), landmarks(face)
    assert mesh.channels == ARKIT
    assert head.parts[0].name == "face"  # its vertices are the mesh's first
    curves = np.random.default_rng(0).random((20, 52))
    rest = mesh.vertices.astype(np.float64) * 1000
    for coefficients, found in zip(curves, lips_mm(curves, ARKIT), strict=True):
        moved = np.tensordot(coefficients, mesh.offsets.astype(np.float64) * 1000, 1)
        points = rest + moved
        expected = [
            points[at.upper, 1] - points[at.lower, 1],
            points[at.left, 0] - points[at.right, 0],
            points[at.tip, 2] - rest[at.tip, 2],
            rest[at.chin, 1] - points[at.chin, 1],
        ]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
        float32 = mesh.posed(coefficients.astype(np.float32)) * 1000  # as it is drawn
        assert found[GAP] == pytest.approx(float32[at.upper, 1] - float32[at.lower, 1], abs=1e-3)


def test_what_each_channel_does_to_the_lips() -> None:
    rest = posed(JawOpen=0)
    assert rest[GAP] == pytest.approx(0, abs=1e-3)
    np.testing.assert_array_equal(rest[[PROTRUSION, CHIN_DROP]], 0)
    half = posed(JawOpen=0.5)
    assert (half[GAP], half[CHIN_DROP]) == pytest.approx((14.26, 11.27), abs=0.02)
    assert posed(JawOpen=0.5, MouthClose=0.5)[GAP] == pytest.approx(0, abs=0.02)  # ARKit's MouthClose undoes JawOpen
    assert posed(JawOpen=0.5, MouthClose=0.5)[CHIN_DROP] == half[CHIN_DROP]
    assert posed(MouthRollUpper=1, MouthRollLower=1)[GAP] == pytest.approx(-4.4, abs=0.05)
    pucker, smile = posed(MouthPucker=1), posed(MouthSmileLeft=1, MouthSmileRight=1)
    assert pucker[WIDTH] < rest[WIDTH] - 10 and pucker[PROTRUSION] > 5
    assert smile[WIDTH] > rest[WIDTH] + 10
    np.testing.assert_array_equal(posed(BrowInnerUp=1, EyeBlinkLeft=1, TongueOut=1), rest)


def test_a_channel_that_is_missing_or_unknown_rests() -> None:
    curves = np.random.default_rng(1).random((5, 52))
    without = curves.copy()
    without[:, [index for index, name in enumerate(ARKIT) if name not in FACE]] = 0
    np.testing.assert_allclose(lips_mm(curves[:, indices(ARKIT, FACE)], FACE), lips_mm(without, ARKIT), atol=1e-12)
    np.testing.assert_array_equal(
        lips_mm(np.ones((1, 2)), ("JawOpen", "head_yaw")), lips_mm(np.ones((1, 1)), ("JawOpen",))
    )


def test_lips_that_overlap_look_closed() -> None:
    mm = np.array([[-2.0, 48.0, 1.0, 3.0], [4.0, -1.0, -1.0, -3.0]])
    np.testing.assert_array_equal(seen(mm), [[0, 48, 1, 3], [4, -1, -1, -3]])


def test_rounding_is_lips_forward_and_drawn_together_however_far() -> None:
    share = np.array([0.0, 0.1, 0.5, 0.2])[:, None]
    funnel, pucker = lips_mm(share, ("MouthFunnel",)), lips_mm(0.3 * share, ("MouthPucker",))
    np.testing.assert_allclose(rounding(funnel), rounding(pucker), atol=1e-9)
    np.testing.assert_allclose(rounding(funnel), standardised(share[:, 0]), atol=1e-9)
    smile = lips_mm(np.hstack([share, share]), ("MouthSmileLeft", "MouthSmileRight"))
    np.testing.assert_allclose(rounding(smile), -standardised(share[:, 0]), atol=1e-9)
    np.testing.assert_array_equal(rounding(np.ones((4, 4))), 0)


def test_scores_are_of_what_is_seen_over_the_frames_that_both_have() -> None:
    prediction = np.array([[0.2, 0.4], [0.2, 0.1], [0.6, 0.0], [0.1, 0.0], [0.9, 0.9]])  # the lips overlap at first
    target = np.array([[0.0, 0.0], [0.3, 0.0], [0.4, 0.0], [0.2, 0.0]])
    found = lip_scores(prediction, target, ("JawOpen", "MouthClose"), 30)
    assert list(found) == [*MEASURES, "rounding"]
    shown = [28.52 * np.clip(curves[:4, 0] - curves[:4, 1], 0, None) for curves in (prediction, target)]
    assert found["gap"]["mae"] == pytest.approx(np.abs(shown[0] - shown[1]).mean(), abs=0.02)
    assert found["gap"]["correlation"] == pytest.approx(correlation(shown[0][:, None], shown[1][:, None])[0], abs=1e-3)
    assert found["chin_drop"]["rmse"] == pytest.approx(22.54 * np.sqrt((0.04 + 0.01 + 0.04 + 0.01) / 4), abs=0.01)
