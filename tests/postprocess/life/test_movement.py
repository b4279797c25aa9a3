import numpy as np
import pytest

from postprocess.life.movement import Glide, Pulses, Sway, ease
from postprocess.life.seeded import Seeded


def test_a_move_is_the_polynomial_of_least_jerk() -> None:
    share = np.linspace(0, 1, 101)
    path = np.array([ease(s) for s in share])
    assert path[[0, 50, 100]] == pytest.approx([0, 0.5, 1])
    speed = np.gradient(path, share)
    assert speed.max() == pytest.approx(1.875, abs=0.01)  # Flash & Hogan 1985
    np.testing.assert_allclose(np.diff(path, 6), 0, atol=1e-12)  # of degree 5
    assert ease(-1) == 0 and ease(2) == 1


def test_moves_that_overlap_end_where_the_last_one_goes() -> None:
    glide = Glide()
    glide.go(0.0, 1.0, 2.0)
    glide.go(0.5, 1.0, -1.0)
    assert [glide.at(t) for t in (0.0, 0.5, 1.5, 9.0)] == pytest.approx([0, 1, -1, -1])


def test_what_comes_and_goes_adds_up_and_is_gone() -> None:
    pulses = Pulses()
    pulses.add(0.0, 0.2, 0.1, 0.2, 1.0)
    pulses.add(0.1, 0.1, 0.2, 0.2, 0.5)
    assert [pulses.at(t) for t in (0.0, 0.25, 0.9, 1.0)] == pytest.approx([0, 1.5, 0, 0])


def test_a_sway_is_as_large_as_told() -> None:
    sway = Sway(Seeded(0, "a", "sway"), 0.1, 3.0)
    values = np.array([sway.at(t) for t in np.arange(0, 2000, 0.5)])
    assert np.sqrt((values**2).mean()) == pytest.approx(3.0, rel=0.05)
    assert abs(values.mean()) < 0.1
