from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, indices, read_csv
from postprocess import symmetrise as script
from postprocess.symmetrise import PAIRS, symmetrise

NAMES = ("MouthSmileLeft", "JawOpen", "MouthSmileRight", "MouthLeft", "MouthRight", "BrowDownLeft")
CURVES = np.array([[0.2, 0.7, 0.6, 0.1, 0.3, 0.9], [0.5, 0.1, 0.1, 0.0, 0.4, 0.2]])


@pytest.mark.parametrize(
    ("by", "share", "left", "right"),
    [
        ("mean", 1.0, [0.4, 0.3], [0.4, 0.3]),
        ("max", 1.0, [0.6, 0.5], [0.6, 0.5]),
        ("mean", 0.5, [0.3, 0.4], [0.5, 0.2]),
        ("max", 0.0, [0.2, 0.5], [0.6, 0.1]),
    ],
)
def test_by_hand_and_directions_and_lone_sides_pass(
    by: Literal["mean", "max"], share: float, left: list, right: list
) -> None:
    before = CURVES.copy()
    result = symmetrise(CURVES, NAMES, by, share)
    np.testing.assert_allclose(result[:, [0, 2]].T, [left, right])
    np.testing.assert_array_equal(result[:, [1, 3, 4, 5]], CURVES[:, [1, 3, 4, 5]])
    np.testing.assert_array_equal(CURVES, before)


def test_pairs_are_all_those_of_a_face_but_directions() -> None:
    assert len(PAIRS) == 16
    assert all(left in ARKIT and right in ARKIT for left, right in PAIRS)
    assert {name for pair in PAIRS for name in pair}.isdisjoint({"JawLeft", "MouthRight", "EyeLookInLeft"})


def test_a_file(tmp_path: Path, run_main: Callable[..., None], random_csv: Callable[..., np.ndarray]) -> None:
    values = random_csv(tmp_path / "a.csv", 20)
    words = ["--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--by", "max", "--channels", "mouth"]
    run_main(script, *words)
    changed = read_csv(tmp_path / "b.csv").values
    sides = indices(ARKIT, ("MouthFrownLeft", "MouthFrownRight"))
    np.testing.assert_array_equal(changed[:, sides], np.repeat(values[:, sides].max(axis=1, keepdims=True), 2, axis=1))
    brows = indices(ARKIT, ("BrowDownLeft", "BrowDownRight"))
    np.testing.assert_array_equal(changed[:, brows], values[:, brows])


def test_refusals(tmp_path: Path, refusal: Callable[..., str], random_csv: Callable[..., np.ndarray]) -> None:
    random_csv(tmp_path / "a.csv", 2)
    words = ["--input", tmp_path / "a.csv", "--output", tmp_path / "b.csv"]
    assert refusal(script, *words, "--share", "1.5") == "--share 1.5: must be from 0 to 1"
    assert refusal(script, *words, "--share", "nan") == "--share nan: must be from 0 to 1"
