import numpy as np
import pytest

from dataset.recordings.recording import Recording
from postprocess.clocks import at_rate_of, frame_numbers, same_rate


def recording(frames: int, times_s: np.ndarray | None = None, fps: float | None = None) -> Recording:
    return Recording(("JawOpen",), np.arange(frames)[:, None] / 100, times_s, fps, {}, "arkit")


def test_a_phones_clock_is_forgiven_and_ntsc_is_not() -> None:
    assert same_rate(30.005, 30)
    assert not same_rate(30_000 / 1001, 30)


def test_frames_are_numbered_by_their_times_and_else_counted() -> None:
    assert frame_numbers(recording(3), 30).tolist() == [0, 1, 2]
    times_s = np.array([0, 0.041, 0.041, 0.159, 0.2])  # one doubled, two dropped
    assert frame_numbers(recording(5, times_s, 25), 25).tolist() == [0, 1, 1, 4, 5]


@pytest.mark.parametrize(
    "one", [recording(5), recording(5, fps=25), recording(5, np.array([0, 0.041, 0.079, 0.12, 0.16]), 25)]
)
def test_frames_that_stand_where_they_are_wanted_are_not_touched(one: Recording) -> None:
    np.testing.assert_array_equal(at_rate_of(one, 25, 25).values, one.values)


def test_others_are_resampled_by_time() -> None:
    np.testing.assert_allclose(at_rate_of(recording(5), 25, 50).values[:5, 0], [0, 0.005, 0.01, 0.015, 0.02])
    dropped = recording(3, np.array([0, 0.04, 0.12]), 25)
    np.testing.assert_allclose(at_rate_of(dropped, 60, 25).values[:, 0], [0, 0.01, 0.015, 0.02], rtol=1e-6)
