from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from dataset.blendshapes import ARKIT
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.life.mood import FADE_S, MOOD_CHANNELS, MOODS, POSES, Mood, pose_at, read_moods
from postprocess.score.lips import lips_mm
from tests.heads import posed
from tests.helpers import refused

NAMES = ("amazement", "anger", "cheekiness", "disgust", "fear", "grief", "joy", "out of breath", "pain", "sadness")
MOUTHS: tuple[dict[str, float], ...] = ({}, {"JawOpen": 0.3}, {"JawOpen": 0.3, "MouthClose": 0.3})


def test_the_ten_and_neutral_are_poses_of_arkits_names() -> None:
    assert sorted(MOODS) == sorted((*NAMES, "neutral"))
    assert set(MOOD_CHANNELS) <= set(ARKIT)
    assert all(0 < value <= 1 for pose in POSES.values() for value in pose.values())
    assert POSES["joy"]["MouthSmileRight"] == POSES["joy"]["MouthSmileLeft"] > 0
    assert len({tuple(sorted(pose.items())) for pose in POSES.values()}) == 11


@pytest.mark.parametrize("mouth", MOUTHS, ids=["closed", "open", "closed over an open jaw"])
def test_no_mood_opens_closed_lips_or_closes_open_ones(mouth: dict[str, float]) -> None:
    """On our head, in millimetres between lip and lip, besides the coefficients."""
    face = next(part for part in read_head(DEFAULT_HEAD).parts if part.name == "face")
    drop_mm = -1000 * face.offsets["JawOpen"][:, 1]
    middle = np.abs(face.vertices[:, 0]) < 0.022
    upper, lower = np.flatnonzero(middle & (drop_mm < 1)), np.flatnonzero(middle & (drop_mm > 4))
    apart, nearest = cKDTree(face.vertices[upper]).query(face.vertices[lower])
    upper, lower = upper[nearest[apart < 0.003]], lower[apart < 0.003]
    assert len(lower) > 20

    def gaps_mm(pose: dict[str, float]) -> np.ndarray:
        vertices = posed(face, pose)
        return 1000 * (vertices[upper, 1] - vertices[lower, 1])

    for name in NAMES:
        pose = {channel: mouth.get(channel, 0) + POSES[name].get(channel, 0) for channel in ARKIT}
        change = gaps_mm(pose) - gaps_mm(mouth)
        assert abs(change.mean()) < 0.1 and np.abs(change).max() < 0.5, name
        row, before = (np.array([[of.get(channel, 0) for channel in ARKIT]]) for of in (pose, mouth))
        assert abs(lips_mm(row, ARKIT)[0, 0] - lips_mm(before, ARKIT)[0, 0]) < 0.5


def test_a_mood_comes_and_goes_within_its_time() -> None:
    moods = [Mood("joy", 0.5, 1.0, 3.0), Mood("sadness", 1.0, 2.0, 4.0)]
    assert pose_at(moods, 0.9) == pose_at(moods, 4.1) == {}
    assert pose_at(moods, 1 + FADE_S)["MouthSmileLeft"] == pytest.approx(0.5 * POSES["joy"]["MouthSmileLeft"])
    assert 0 < pose_at(moods, 1.2)["CheekSquintLeft"] < 0.5 * POSES["joy"]["CheekSquintLeft"]
    both = pose_at(moods, 2.5)["EyeSquintLeft"]
    assert both == pytest.approx(0.5 * POSES["joy"]["EyeSquintLeft"] + POSES["sadness"]["EyeSquintLeft"])
    assert pose_at([Mood("joy")], 0.0) == POSES["joy"]


def test_moods_are_read_from_words_and_from_a_tsv(tmp_path: Path) -> None:
    assert read_moods("Out_of_Breath:0.25") == [Mood("out of breath", 0.25)]
    file = tmp_path / "moods.tsv"
    file.write_text("start\tend\tmood\tstrength\n0.5\t2\tjoy\t0.6\n# so\n2\t3.5\tanger\n", encoding="utf-8")
    assert read_moods(str(file)) == [Mood("joy", 0.6, 0.5, 2.0), Mood("anger", 1.0, 2.0, 3.5)]
    for row, reason in (
        ("2\t3.5\tangst", "no mood called angst; did you mean anger?"),
        ("3.5\t2\tjoy", 'expected seconds, the end after the start, found "3.5" and "2"'),
        ("2\t3.5\tjoy\tmuch", 'a strength is a number from 0 to 1, not "much"'),
        ("joy", "expected start, end, mood and strength separated by tabs, found 1 cell(s)"),
    ):
        file.write_text(f"0.5\t2\tjoy:0.6\n{row}\n", encoding="utf-8")
        assert refused(read_moods, str(file)).startswith(f"{file}, line 2: {reason}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("joyy", "--mood joyy: no mood called joyy; did you mean joy?"),
        ("joy:2", '--mood joy:2: a strength is a number from 0 to 1, not "2"'),
        ("joy:", '--mood joy:: a strength is a number from 0 to 1, not ""'),
        ("joy:nan", '--mood joy:nan: a strength is a number from 0 to 1, not "nan"'),
    ],
)
def test_refusals(words: str, line: str) -> None:
    assert refused(read_moods, words) == line
