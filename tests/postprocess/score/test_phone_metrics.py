import numpy as np
import pytest

from dataset.blendshapes import ARKIT
from dataset.transcript import Word
from postprocess.score.lips import lips_mm, standardised
from postprocess.score.phone_metrics import phone_scores

FPS = 10
NAMES = ("JawOpen", "MouthPucker")


def test_a_hand_computed_clip() -> None:
    jaw = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.5, 0.3, 0.1, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.2])
    pucker = np.zeros(18)
    pucker[[10, 11, 15]] = 0.2, 0.8, 0.4
    curves = np.column_stack([jaw, pucker])
    said = [
        Word("m", 0.5, 0.6), Word("a", 0.7, 0.7), Word("ɛ", 0.8, 0.8), Word("i", 0.9, 0.9), Word("w", 1.2, 1.2),
        Word("f", 1.2, 1.25),
    ]  # fmt: skip
    found = phone_scores(curves, NAMES, said, FPS)
    z = standardised(jaw)  # the gap and the chin follow JawOpen alone
    assert found["gap_at_pbm"] == pytest.approx(z[6], abs=1e-4)  # the least of frames 4 to 6
    assert found["gap_at_fv"] == pytest.approx(z[11], abs=1e-4)
    assert found["bilabials_closed"] == 1
    assert found["closures_without_cause"] == 0  # frames 0 to 4, 6 and 13 on: in silence, or at the m
    assert found["jaw_at_open"] == pytest.approx(z[7])
    assert found["jaw_at_mid"] == pytest.approx(z[8])
    assert found["jaw_at_close"] == pytest.approx(z[9])
    assert found["jaw_height_correlation"] == pytest.approx(np.corrcoef([0.5, 0.3, 0.1], [3, 2, 1])[0, 1])
    assert found["silence_gap_mm"] == pytest.approx(0.2 * 28.52 / 8, abs=0.01)  # frames 0 to 3 and 14 to 17
    assert found["silence_open"] == 1 / 8
    mm = lips_mm(curves, NAMES)
    mm[:, 0] = mm[:, 0].clip(0)
    speeds = np.abs(np.diff(mm, axis=0))[[0, 1, 2, 14, 15, 16]].mean() * FPS
    assert found["silence_motion_mm_s"] == pytest.approx(speeds)
    assert found["rounding_at_uwo"] is not None and found["rounding_at_uwo"] > 2  # of frames 11 and 12, the pucker


def test_what_a_clip_does_not_have_is_none() -> None:
    curves = np.random.default_rng(0).random((30, 52))
    found = phone_scores(curves, ARKIT, [Word("s", 0, 3)], FPS)
    assert {name for name, value in found.items() if value is not None} <= {"closures_without_cause"}
    still = phone_scores(np.zeros((30, 52)), ARKIT, [Word("p", 0, 1), Word("a", 1, 2), Word("u", 2, 2.2)], FPS)
    assert (still["bilabials_closed"], still["silence_gap_mm"], still["silence_motion_mm_s"]) == pytest.approx(
        (1, 0, 0)
    )
    assert still["gap_at_pbm"] is None and still["rounding_at_uwo"] is None and still["jaw_height_correlation"] is None


def test_phones_past_the_end_and_before_the_start_count_for_nothing() -> None:
    curves = np.random.default_rng(0).random((30, 52))
    said = [Word("p", 0, 0.1), Word("a", 0.1, 1), Word("i", 1, 1.5), Word("u", 1.5, 1.9)]
    later = [*said, Word("p", 3.2, 3.4), Word("a", 3.4, 4), Word("u", 4, 5)]
    assert phone_scores(curves, ARKIT, later, FPS) == phone_scores(curves, ARKIT, said, FPS)
