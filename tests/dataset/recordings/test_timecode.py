import numpy as np
import pytest

from config.errors import UserError
from dataset.recordings.layouts import read_recording
from dataset.recordings.timecode import format_timecode, read_timecodes
from dataset.recordings.timing import doubled_rows, dropped_before, frame_rate
from tests.helpers import CAPTURES, CASES, needs_case, needs_shared


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


@needs_case("06-timecode-milliseconds")
def test_neurosyncs_milliseconds_of_the_second() -> None:
    recording = read_recording(CASES / "06-timecode-milliseconds" / "shapes.csv")
    assert recording.fps == 60
    np.testing.assert_allclose(recording.clock_s(), np.arange(recording.frames) / 60, atol=1e-3)
    assert not recording.dropped_before.any() and not len(recording.doubled_rows)


@needs_shared(CAPTURES)
def test_real_takes_are_read_in_thousandths_of_a_frame() -> None:
    for path in sorted(CAPTURES.glob("*.csv")):
        cells = [line.split(",")[0].split(":") for line in path.read_text(encoding="utf-8-sig").splitlines()[1:]]
        times = np.array([int(h) * 3600 + int(m) * 60 + int(s) + float(f) / 60 for h, m, s, f in cells])
        found = read_timecodes([":".join(cell) for cell in cells], place)
        assert np.array_equal(found.times_s, times - times[0]) and found.start_s == times[0]


WRITERS = {
    "thousandths": lambda time_s, frames, row: f"{round(frames % 1 * 1000) % 1000:03}",
    "unpadded thousandths": lambda time_s, frames, row: f"{round(frames % 1 * 1000) % 1000}",
    "milliseconds": lambda time_s, frames, row: f"{int(time_s % 1 * 1000 + 1e-6):03}",
    "unpadded milliseconds": lambda time_s, frames, row: f"{int(time_s % 1 * 1000 + 1e-6)}",
    "counter": lambda time_s, frames, row: f"{row % 1000:03}",
    "unpadded counter": lambda time_s, frames, row: f"{row}",
    "noise": lambda time_s, frames, row: f"{row * 617 % 1000:03}",
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(("fps", "base", "rows"), [(60, 60, 2500), (30, 60, 90), (30, 60, 1500), (24, 60, 300)])
@pytest.mark.parametrize("start_s", [0, 3600.4])
def test_the_last_digits_are_read_as_they_were_meant(
    writer: str, fps: int, base: int, rows: int, start_s: float
) -> None:
    """Within a millisecond, but for digits that mean nothing: then the frame field's own step, 1 / base, is left."""
    cells = []
    for row, time_s in enumerate(start_s + np.arange(rows) / fps):
        second = int(time_s + 1e-7)
        frames = max(0.0, time_s - second) * base + 1e-6
        digits = WRITERS[writer](time_s + 1e-9, frames, row)
        cells.append(f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}:{int(frames):02}.{digits}")
    found = read_timecodes(cells, place)
    assert frame_rate(found.times_s) == fps
    np.testing.assert_allclose(found.times_s, np.arange(rows) / fps, atol=1 / base if writer == "noise" else 1.001e-3)


def test_jitter_and_drops_do_not_unsettle_true_digits() -> None:
    """A phone's uneven frames, whose fractions are true, are not evened out."""
    random = np.random.default_rng(0)
    for fps in (30, 58.3, 60):
        for spread in (0.05, 0.2):
            times = 50 + np.delete(
                np.arange(900) / fps + random.normal(0, spread / fps, 900).clip(-0.4 / fps, 0.4 / fps), [300, 301]
            )
            found = read_timecodes([label(time, 60) for time in times], place)
            np.testing.assert_allclose(found.start_s + found.times_s, times, atol=1e-4)


@pytest.mark.parametrize("cell", [5, None, ["00:00:00:00"], "٠٠:00:00:00", "00:00:00:00." + "9" * 50])
def test_a_cell_of_another_kind_gets_its_place(cell: object) -> None:
    with pytest.raises(UserError, match="row 1: Timecode is not hours:minutes:seconds:frames"):
        read_timecodes(["00:00:00:00", cell], place)  # type: ignore[list-item]
