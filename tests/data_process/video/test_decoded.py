"""Frames of real files: when they stand, which way is up, and what is refused."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_process.video.decoded import pictures, turned
from tests.helpers import refused, write_movie

IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
CLOCKWISE = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)  # as a phone held upright writes


def write_frames(path: Path, stamps_ms: list[int], size: tuple[int, int] = (96, 64)) -> Path:
    """A video whose left half is white, with frames at these times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for stamp in stamps_ms:
            rgb = np.zeros((size[1], size[0], 3), np.uint8)
            rgb[:, : size[0] // 2] = 255
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = stamp, stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_frames_stand_where_the_file_says(tmp_path: Path, suffix: str) -> None:
    stamps = [0, 33, 67, 200, 233, 400]
    times = [picture.time_s for picture in pictures(write_frames(tmp_path / f"a{suffix}", stamps))]
    assert times == pytest.approx([stamp / 1000 for stamp in stamps], abs=1e-3)


def test_a_phone_held_upright_is_turned(tmp_path: Path) -> None:
    path = write_frames(tmp_path / "a.mp4", [0, 40])
    data = path.read_bytes()
    at = data.index(b"tkhd")
    where = data.index(IDENTITY, at)
    path.write_bytes(data[:where] + CLOCKWISE + data[where + len(CLOCKWISE) :])
    picture = next(iter(pictures(path)))
    assert picture.frame.rotation == -90
    rgb = picture.rgb()
    assert rgb.shape == (96, 64, 3)
    assert rgb[:40].mean() > 200 > 50 > rgb[-40:].mean()  # left went up


def test_quarter_turns() -> None:
    rgb = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert turned(rgb, 90)[:, :, 0].tolist() == [[2, 5], [1, 4], [0, 3]]
    assert turned(rgb, -180)[:, :, 0].tolist() == [[5, 4, 3], [2, 1, 0]]


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    text, sound, tiny = tmp_path / "a.mp4", tmp_path / "b.mkv", tmp_path / "c.mp4"
    text.write_text("hello")
    assert "cannot be decoded after 0.00 s" in refused(lambda: list(pictures(text)))
    write_movie(sound, np.zeros((48_000, 1)), picture=False)
    assert refused(lambda: list(pictures(sound))) == f"{sound}: has no picture; give a video"
    write_frames(tiny, [0], (16, 16))
    assert "no face can be seen" in refused(lambda: list(pictures(tiny)))


def test_what_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_frames(tmp_path / "a.mp4", [0, 40, 5_000])
    monkeypatch.setattr("data_process.video.decoded.MOST_PIXELS", 96 * 64 - 1)
    assert "frames of 96 × 64 pixels, more than 8K" in refused(lambda: list(pictures(path)))
    monkeypatch.undo()
    monkeypatch.setattr("data_process.video.decoded.MOST_HOURS", 4 / 3600)
    assert "split it" in refused(lambda: list(pictures(path)))


def test_half_a_video_is_refused_with_its_place(tmp_path: Path) -> None:
    path = write_frames(tmp_path / "a.mp4", list(range(0, 2000, 40)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert str(path) in refused(lambda: list(pictures(path)))
