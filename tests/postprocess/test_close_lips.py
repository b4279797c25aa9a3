from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, FACE, read_csv
from postprocess import close_lips as script
from postprocess.close_lips import JAW_SHARE, close_lips, closedness


def test_the_gate_is_whole_inside_and_gone_beyond_its_reach() -> None:
    np.testing.assert_allclose(
        closedness([(0.4, 0.5)], 12, 10, reach=2), [0, 0, 0.25, 0.75, 1, 1, 0.75, 0.25, 0, 0, 0, 0]
    )
    np.testing.assert_array_equal(closedness([(0.4, 0.4)], 7, 10, reach=0), [0, 0, 0, 0, 1, 0, 0])
    np.testing.assert_allclose(closedness([(0.0, 0.0), (0.3, 0.3)], 4, 10, reach=1), [1, 0.5, 0.5, 1])


def test_the_gate_at_the_borders_and_between_frames() -> None:
    np.testing.assert_array_equal(closedness([], 3, 30), np.zeros(3))
    assert closedness([(9.0, 9.1)], 5, 30).max() == 0
    assert closedness([(0.26, 0.29)], 6, 10, reach=0).tolist() == [0, 0, 0, 1, 0, 0]  # nearest to no frame inside
    assert closedness([(0.0, 1.0)], 1, 30).tolist() == [1]


def test_by_hand_opening_shrinks_by_the_weight() -> None:
    names = ("MouthClose", "JawOpen", "MouthFunnel", "MouthPucker")
    curves = np.array([[0.1, 0.5, 0.4, 0.3]] * 3)
    result = close_lips(curves, names, np.array([0, 0.5, 1.0]), with_jaw=0.6)
    np.testing.assert_allclose(
        result, [[0.1, 0.5, 0.4, 0.3], [0.1 + 0.5 * (0.35 - 0.1), 0.35, 0.2, 0.3], [0.2, 0.2, 0, 0.3]]
    )
    without = close_lips(curves[:, 1:2], ("JawOpen",), np.array([0, 0.5, 1.0]), with_jaw=1.0)
    np.testing.assert_allclose(without[:, 0], [0.5, 0.25, 0])


def test_a_folder_by_its_transcripts(
    tmp_path: Path, run_main: Callable[..., None], random_csv: Callable[..., np.ndarray]
) -> None:
    values = random_csv(tmp_path / "in" / "a.csv", 40)
    (tmp_path / "tsv").mkdir()
    (tmp_path / "tsv" / "a.tsv").write_text("0.2\t0.4\t你\n0.5\t0.75\t妈\n")
    words = [
        "--input",
        tmp_path / "in",
        "--output",
        tmp_path / "out",
        "--transcript_path",
        tmp_path / "tsv",
        "--fps",
        "20",
    ]
    run_main(script, *words)
    changed = read_csv(tmp_path / "out" / "a.csv").values
    jaw, lips = ARKIT.index("JawOpen"), ARKIT.index("MouthClose")
    np.testing.assert_allclose(changed[10:13, jaw], (1 - JAW_SHARE) * values[10:13, jaw], atol=1e-6)
    np.testing.assert_allclose(changed[10:13, lips], changed[10:13, jaw], atol=2e-6)
    np.testing.assert_array_equal(np.delete(changed, range(8, 15), axis=0), np.delete(values, range(8, 15), axis=0))
    pucker = ARKIT.index("MouthPucker")
    np.testing.assert_array_equal(changed[:, pucker], values[:, pucker])


def test_refusals(tmp_path: Path, refusal: Callable[..., str], random_csv: Callable[..., np.ndarray]) -> None:
    random_csv(tmp_path / "in" / "b.csv", 5)
    (tmp_path / "tsv").mkdir()
    (tmp_path / "tsv" / "a.tsv").write_text("0\t1\t妈\n")
    words = ["--input", tmp_path / "in", "--output", tmp_path / "out", "--transcript_path", tmp_path / "tsv"]
    lacking = f"{tmp_path / 'tsv'}: no transcript called b, which goes with {tmp_path / 'in' / 'b.csv'}"
    assert refusal(script, *words) == lacking
    assert refusal(script, *words, "--fps", "0") == "--fps 0: must be more than 0"
    assert refusal(script, *words, "--reach", "-1") == "--reach -1: must be a number of frames from 0 up"
    assert refusal(script, *words, "--share", "2") == "--share 2: must be from 0 to 1"
    (tmp_path / "in" / "b.csv").write_text("MouthClose\n0\n")
    words[-1] = tmp_path / "tsv" / "a.tsv"
    assert refusal(script, *words) == (
        f"{tmp_path / 'in' / 'b.csv'}, line 1: no column for JawOpen; the lips cannot be closed without it"
    )


@pytest.mark.parametrize("name", script.CHANNELS)
def test_channels_are_the_faces(name: str) -> None:
    assert name in FACE
