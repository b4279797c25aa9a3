import numpy as np
import pytest

from dataset.audio import read_audio
from dataset.blendshapes import ARKIT
from dataset.recordings.layouts import read_recording
from postprocess.life.enlivener import HEAD, LIVING, Enlivener, look
from postprocess.score.upper_face import UpperFaceScores, blinks, gaze_deg, upper_face_scores
from tests.helpers import CAPTURES, DEMO, needs_shared

FPS = 60.0


def numbers(scores: UpperFaceScores) -> dict[str, float]:
    return {name: float(value) for name, value in scores.items() if isinstance(value, float | int)}


def lids() -> np.ndarray:
    """A minute: six blinks that close in 6 frames and open in 9, every other one by half; then one long closed eye."""
    values = np.zeros(3600)
    for number in range(6):
        size, at = (1.0, 0.5)[number % 2], 100 + 400 * number
        values[at : at + 7] = size * np.linspace(0, 1, 7)
        values[at + 6 : at + 16] = size * np.linspace(1, 0, 10)
    values[3000:3300] = 0.95
    return values


def test_blinks_by_hand() -> None:
    found = blinks(lids(), FPS)
    assert found[:, 0].tolist() == [106, 506, 906, 1306, 1706, 2106]
    np.testing.assert_allclose(found[:, 1], 1.5)
    np.testing.assert_allclose(found[:, 2], [1, 0.5] * 3)
    scores = upper_face_scores({"EyeBlinkLeft": lids(), "EyeBlinkRight": lids()}, FPS)
    assert (scores["blinks_a_minute"], scores["blink_speed_ratio"], scores["partial_blinks"]) == (
        6,
        pytest.approx(1.5),
        0.5,
    )
    assert scores["gaze_at"] is None and scores["head_range_deg"] is None and scores["head_jerk"] is None


def test_gaze_and_head_by_hand() -> None:
    frames = 100
    shapes = [look(20.0 if frame >= 70 else 0.0, 0.0) for frame in range(frames)]
    columns = {name: np.array([shape[name] for shape in shapes]) for name in shapes[0]}
    gaze = gaze_deg(columns)
    assert gaze is not None
    np.testing.assert_allclose(gaze, [[20.0 * (frame >= 70), 0] for frame in range(frames)], atol=1e-9)
    assert upper_face_scores(columns, FPS)["gaze_at"] == pytest.approx(0.7)
    assert upper_face_scores(columns, FPS, np.arange(frames) >= 50)["gaze_at"] == pytest.approx(0.4)
    time_s = np.arange(frames) / FPS
    turned = {name: np.radians(scale * time_s**3) for name, scale in zip(HEAD, (1, 2, 2), strict=True)}
    scores = upper_face_scores(turned, FPS)
    assert scores["head_jerk"] == pytest.approx(6 * np.sqrt(3))
    assert scores["head_range_deg"] == pytest.approx(3 * np.diff(np.percentile(time_s**3, (2, 98)))[0])


def test_a_living_face_is_within_what_is_published() -> None:
    """Two minutes of the demo's speech, without a pause between."""
    sound = np.tile(read_audio(DEMO / "hello.flac").astype(float), 16)
    face = Enlivener(5, "a", FPS).hear(sound)
    scores = numbers(upper_face_scores(dict(zip(LIVING, face.T, strict=True)), FPS))
    assert 10.5 <= scores["blinks_a_minute"] <= 32.5
    assert 1.3 <= scores["blink_speed_ratio"] <= 1.6
    assert 0.3 <= scores["partial_blinks"] <= 0.7
    assert 0.5 <= scores["gaze_at"] <= 0.9  # most looks away are short ones
    assert 3 <= scores["head_range_deg"] <= 20
    assert scores["head_jerk"] < 5000


@needs_shared(CAPTURES)
def test_two_real_takes() -> None:
    """Of a person who acts shapes one after the other, and does not turn the head."""
    for file in ("alex_rom_3.csv", "alex_rom_4.csv"):
        take = read_recording(CAPTURES / file).at_rate(30.0)
        columns = {**dict(zip(take.names, take.values.T, strict=True)), **take.angles}
        scores = numbers(upper_face_scores(columns, 30.0))
        assert 8 <= scores["blinks_a_minute"] <= 32.5
        assert 1.2 <= scores["blink_speed_ratio"] <= 1.6
        assert "head_range_deg" not in scores
    assert set(columns) >= set(ARKIT)
