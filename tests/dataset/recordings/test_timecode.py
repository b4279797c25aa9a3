import numpy as np
import pytest

from dataset.recordings.timecode import format_timecode, read_timecodes
from dataset.recordings.timing import doubled_rows, dropped_before, frame_rate


def place(row: int) -> str:
    return f"row {row}"


def label(time_s: float, base: int, sub: bool = True) -> str:
    """A time of day as a timecode of a base, with or without the fraction of a frame."""
    whole = int(time_s)
    frames = (time_s - whole) * base
    shown = f"{frames:06.3f}" if sub else f"{int(frames + 1e-6):02}"
    return f"{whole // 3600 % 24}:{whole // 60 % 60}:{whole % 60}:{shown}"


@pytest.mark.parametrize(
    ("fps", "base"), [(24, 24), (25, 25), (30, 30), (30, 60), (60, 60), (50, 50), (29.97, 60), (24, 60), (120, 120)]
)
@pytest.mark.parametrize("start_s", [3601.004, 86_397.504])  # the second passes midnight
def test_base_rate_and_times_are_found(fps: float, base: int, start_s: float) -> None:
    fps = 30_000 / 1001 if fps == 29.97 else fps
    times = np.arange(int(6 * fps)) / fps
    found = read_timecodes([label(start_s + time, base) for time in times], place)
    assert found.base == base
    np.testing.assert_allclose(found.times_s, times, atol=1e-3 / base)
    assert found.start_s == pytest.approx(start_s, abs=1e-3 / base)
    assert frame_rate(found.times_s) == pytest.approx(fps, abs=1e-9)
    assert not dropped_before(found.times_s, fps).any()


def test_sixtieths_without_fractions_count_24_frames_a_second() -> None:
    times = np.arange(24 * 20) / 24
    found = read_timecodes([label(100 + time, 60, sub=False) for time in times], place)
    assert found.base == 60
    assert frame_rate(found.times_s) == 24
    assert not dropped_before(found.times_s, 24).any()


def test_dropped_and_doubled_frames_are_found_where_they_are() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        gone = np.sort(random.choice(np.arange(1, 299), 15, replace=False))
        times = np.delete(np.arange(300), gone) / 30
        twice = np.sort(random.choice(np.arange(285), 5, replace=False))
        times = np.insert(times, twice, times[twice])
        found = read_timecodes([label(50 + time, 60) for time in times], place)
        assert frame_rate(found.times_s) == 30
        missing = dropped_before(found.times_s, 30)
        assert missing.sum() == 15
        after = [np.flatnonzero(times > frame / 30)[0] for frame in gone]
        assert set(np.flatnonzero(missing)) == set(after)
        np.testing.assert_array_equal(doubled_rows(found.times_s, 30), twice + np.arange(1, 6))


def test_drop_frame_timecode_skips_labels_not_time() -> None:
    """SMPTE ST 12-1: after 00:00:59;29 comes 00:01:00;02, and 00:10:00;00 is 600.0 s less 0.6 ms of true time."""
    cells = ["00:00:59;28", "00:00:59;29", "00:01:00;02", "00:01:00;03"]
    found = read_timecodes(
        [*(f"00:00:58;{i:02}" for i in range(30)), *(f"00:00:59;{i:02}" for i in range(28)), *cells], place
    )
    np.testing.assert_allclose(np.diff(found.times_s), 1001 / 30_000)
    minutes = read_timecodes([*(f"00:00:58;{i:02}" for i in range(30)), "00:00:59;00", "00:10:00;00"], place)
    assert minutes.start_s + minutes.times_s[-1] == pytest.approx(17_982 * 1001 / 30_000)


def test_a_clip_within_a_second_is_counted_in_sixtieths() -> None:
    found = read_timecodes([f"1:2:3:{frame}" for frame in (4, 6, 8)], place)
    assert found.base == 60
    np.testing.assert_allclose(found.times_s, [0, 1 / 30, 2 / 30])


def test_written_timecodes_read_back() -> None:
    for time_s, text in [(0, "00:00:00:00.000"), (86_399.999_999_9, "00:00:00:00.000"), (3661.5, "01:01:01:30.000")]:
        assert format_timecode(time_s) == text
    times = 80_000 + np.sort(np.random.default_rng(1).random(500)) * 100
    found = read_timecodes([format_timecode(time) for time in times], place)
    np.testing.assert_allclose(found.start_s + found.times_s, times, atol=1e-5)


@pytest.mark.parametrize("fps", [24_000 / 1001, 24, 25, 30_000 / 1001, 30, 48, 50, 60_000 / 1001, 60])
def test_a_clock_a_little_off_does_not_change_the_rate(fps: float) -> None:
    times = np.arange(300) / fps * (1 + 1.5e-4)
    assert frame_rate(times) == pytest.approx(fps, rel=1e-12)


def test_a_rate_of_its_own_is_measured() -> None:
    assert frame_rate(np.arange(200) / 27.3) == pytest.approx(27.3)
    assert frame_rate(np.zeros(1)) is None
