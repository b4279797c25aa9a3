"""Scores of held-out clips as tables show them."""

from dataclasses import replace

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, MOUTH, indices
from postprocess.score.held_out import COLUMNS, HeldOutScorer, cells, spread, training_time
from tests.helpers import noise_clip


def test_the_spread_of_repeated_measurements() -> None:
    assert spread([1.0, 2.0, 3.0], ".2f") == "2.00 ± 1.00"
    assert spread([0.5, None], ".1f") == "0.5"
    assert spread([None], ".1f") == "–"


def test_a_training_time_is_known_only_where_every_part_is() -> None:
    assert training_time([10.4, 20.0]) == "15"
    assert training_time([10.4, None]) == "–"


def test_what_a_clip_does_not_capture_is_not_scored() -> None:
    lacking = ("MouthClose", "MouthFunnel", "TongueOut")
    clip = noise_clip("a")
    masked = replace(clip, channels=tuple(name for name in ARKIT if name not in lacking))
    curves = np.random.default_rng(1).random((30, 52))
    other = curves.copy()
    other[:, indices(ARKIT, lacking)] = 0.5
    scorer = HeldOutScorer()
    scores = scorer.clip(masked, curves, ARKIT)
    assert scores == scorer.clip(masked, other, ARKIT) != scorer.clip(clip, curves, ARKIT)
    assert set(scores["channels"]) == set(ARKIT) - set(lacking)
    of_mouth = indices(ARKIT, tuple(name for name in MOUTH if name not in lacking))
    error = np.abs(curves - clip.curves)[:, of_mouth]
    assert scores["groups"]["mouth"]["mae"] == pytest.approx(error.mean())
    assert cells(scores)[list(COLUMNS).index("r MouthFunnel")] == "–"
