"""A video's frames, upright, each with the time at which it is shown, in bounded memory."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from config.errors import UserError
from config.files import regular
from dataset.audio import picture_stream

if TYPE_CHECKING:
    import av

MOST_PIXELS = 8192 * 4320  # of a frame: 8K; a header beyond it would take gigabytes
LEAST_SIDE = 32
MOST_HOURS = 2.0
THUMBNAIL = (48, 32)  # width, height: what two frames are compared by


class Picture(NamedTuple):
    """One frame."""

    time_s: float  # from the first frame on: where the sound, as dataset.audio reads it, begins too
    frame: "av.VideoFrame"

    def rgb(self) -> np.ndarray:
        """(height, width, 3) uint8, turned as the container says that it is to be shown."""
        return turned(self.frame.to_ndarray(format="rgb24"), self.frame.rotation)

    def thumbnail(self) -> np.ndarray:
        """(height, width) of THUMBNAIL, its grey values, float32 from 0 to 1."""
        width, height = THUMBNAIL
        grey = self.frame.reformat(width, height, "gray").to_ndarray()
        return grey.astype(np.float32) / 255


def turned(rgb: np.ndarray, counterclockwise_deg: float) -> np.ndarray:
    """(height, width, 3), turned by the nearest quarter turns; a phone that was held upright writes −90."""
    return np.ascontiguousarray(np.rot90(rgb, round(counterclockwise_deg / 90)))


def pictures(path: Path) -> Iterator[Picture]:
    """A video's frames, one at a time, in the order of their times.

    Frames that stand no later than the one before are passed over. Raises UserError, in one line, for a file without a
    picture, one that does not decode, one with frames of more than MOST_PIXELS, and one longer than MOST_HOURS.
    """
    import av

    end_s = 0.0
    try:
        with regular(path, float("inf")).open("rb") as file, av.open(file, "r") as container:
            stream = picture_stream(container)
            if stream is None:
                raise UserError(f"{path}: has no picture; give a video")
            _check_length(path, stream, container)
            _check_size(path, stream.codec_context.width, stream.codec_context.height)
            stream.thread_type = "AUTO"
            origin, before_s = _start_s(stream), -1.0
            for frame in container.decode(stream):
                _check_size(path, frame.width, frame.height)
                if frame.time is None:
                    raise UserError(f"{path}: its frames have no times; export it again as mp4")
                origin = frame.time if origin is None else origin
                end_s = frame.time - origin
                if end_s > MOST_HOURS * 3600:
                    raise UserError(f"{path}: longer than {MOST_HOURS:g} hours; split it")
                if end_s > before_s and end_s >= 0:
                    before_s = end_s
                    yield Picture(end_s, frame)
            if before_s < 0:
                raise UserError(f"{path}: holds no frame that can be shown; export it again")
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UserError(f"{path}: cannot be decoded after {end_s:.2f} s: {reason}; export it again") from None


def has_sound(path: Path) -> bool:
    """Whether a video has a sound track. Raises UserError for what is no video."""
    import av

    try:
        with regular(path, float("inf")).open("rb") as file, av.open(file, "r") as container:
            return bool(container.streams.audio)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise UserError(f"{path}: cannot be opened: {error}; export it again") from None


def _start_s(stream: Any) -> float | None:
    return None if stream.start_time is None else float(Fraction(stream.start_time * stream.time_base))


def _check_length(path: Path, stream: Any, container: Any) -> None:
    told_s = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
    if told_s > MOST_HOURS * 3600:
        raise UserError(f"{path}: {told_s / 3600:.1f} hours, more than {MOST_HOURS:g}; split it")


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise UserError(f"{path}: frames of {width:,} × {height:,} pixels, more than 8K; export it smaller")
    if min(width, height) < LEAST_SIDE:
        raise UserError(f"{path}: frames of {width} × {height} pixels; no face can be seen in them")
