"""Scores of held-out clips as tables show them."""

from postprocess.score.held_out import spread, training_time


def test_the_spread_of_repeated_measurements() -> None:
    assert spread([1.0, 2.0, 3.0], ".2f") == "2.00 ± 1.00"
    assert spread([0.5, None], ".1f") == "0.5"
    assert spread([None], ".1f") == "–"


def test_a_training_time_is_known_only_where_every_part_is() -> None:
    assert training_time([10.4, 20.0]) == "15"
    assert training_time([10.4, None]) == "–"
