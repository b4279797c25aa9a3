import numpy as np
import pytest
from scipy import stats

from postprocess.life.seeded import STRATA, Deck, Seeded, fnv1a


@pytest.mark.parametrize(("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_hash_by_its_authors_vectors(text: str, value: int) -> None:
    assert fnv1a(text) == value


def test_the_numbers_are_those_of_a_browser() -> None:
    """Of mulberry32 as it is written in JavaScript, run by node."""
    random = Seeded(3, "你好", "gaze")
    drawn = [random.uniform() * 2**32 for _ in range(5)]
    assert drawn == [1616866087, 4048624369, 958020242, 2724977450, 3388629817]


def test_streams_of_a_seed_and_a_clip_differ_and_each_is_even() -> None:
    streams = [Seeded(seed, clip, stream) for seed in (0, 1) for clip in ("a", "b") for stream in ("gaze", "head")]
    drawn = np.array([[stream.uniform() for _ in range(4000)] for stream in streams])
    assert np.abs(np.corrcoef(drawn) - np.eye(8)).max() < 0.06
    assert max(stats.kstest(row, "uniform").statistic for row in drawn) < 0.03


def test_the_laws() -> None:
    random = Seeded(0, "a", "laws")
    normal = [random.normal() for _ in range(8000)]
    assert stats.kstest(normal, "norm").statistic < 0.02
    assert stats.kstest([random.exponential() for _ in range(8000)], "expon").statistic < 0.02
    law = stats.lognorm(0.6, scale=2.0)
    assert stats.kstest([random.log_normal(2.0, 0.6) for _ in range(8000)], law.cdf).statistic < 0.02


def test_a_deck_holds_one_number_of_each_part_and_no_order() -> None:
    for seed in range(5):
        deck = Deck(Seeded(seed, "a", "deck"))
        drawn = np.array([deck.uniform() for _ in range(40 * STRATA)])
        parts = (STRATA * drawn).astype(int).reshape(-1, STRATA)
        np.testing.assert_array_equal(np.sort(parts), np.tile(np.arange(STRATA), (40, 1)))
        assert stats.kstest(drawn, "uniform").statistic < 0.02  # of as many independent ones 0.054, one time in twenty
        assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.15
