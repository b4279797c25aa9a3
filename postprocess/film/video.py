"""Pictures and a sound as an mp4 that any player takes: H.264 in yuv420p at a constant rate, AAC, its index first."""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import Colorspace

SOUND_RATE = 48_000  # Hz: every player's
SOUND_BITS_PER_S = 128_000
QUALITY, PRESET = "18", "faster"  # x264's constant rate factor: no loss that one sees
BT709 = 1  # in FFmpeg's lists of colour spaces, primaries and transfers

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """function of each item, in the items' order, computed in threads that stay a little ahead of who takes them."""
    with ThreadPoolExecutor(threads, thread_name_prefix="picture") as pool:
        waiting: list[Future[Result]] = []
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * threads:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def write_mp4(
    path: Path, pictures: Iterable[np.ndarray], size: tuple[int, int], fps: float, sound: Iterable[np.ndarray] | None
) -> None:
    """Write a movie, whole or not at all is the caller's care.

    pictures: (height, width, 3) uint8 sRGB, picture i shown from i / fps s on. size: (height, width), both even.
    sound: (samples,) float32 at SOUND_RATE in blocks, heard from 0 s on; its end is not cut where the pictures end
    before.
    """
    rate = Fraction(fps).limit_denominator(1001)  # 30000/1001 and whole rates exactly
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as movie:
        # Without B-frames the first picture stands at 0 s in every player, whether it heeds edit lists or not.
        video = movie.add_stream("libx264", rate=rate, options={"crf": QUALITY, "preset": PRESET, "bf": "0"})
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        video.codec_context.colorspace = video.codec_context.color_primaries = BT709
        video.codec_context.color_trc = BT709
        track = None if sound is None else _Track(movie, sound)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
            frame.pts, frame.time_base = number, 1 / rate
            movie.mux(video.encode(frame))
            if track is not None:
                track.write(float((number + 1) / rate))
        movie.mux(video.encode(None))
        if track is not None:
            track.close()


class _Track:
    """A movie's sound, written beside its pictures, so that players need not seek between the two."""

    def __init__(self, movie: OutputContainer, sound: Iterable[np.ndarray]) -> None:
        """sound: (samples,) float32 at SOUND_RATE, in blocks."""
        self._movie, self._blocks, self._written = movie, iter(sound), 0
        self._read = np.zeros(0, np.float32)  # and not yet written
        self._stream = movie.add_stream("aac", rate=SOUND_RATE, layout="mono")
        self._stream.bit_rate = SOUND_BITS_PER_S

    def write(self, until_s: float | None) -> None:
        """Go on to a time; None: to the end."""
        wanted = math.inf if until_s is None else round(until_s * SOUND_RATE) - self._written
        while wanted > 0:
            if not len(self._read):
                self._read = next(self._blocks, self._read)
            samples = self._read[: int(min(wanted, len(self._read)))]
            if not len(samples):
                return
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._written, Fraction(1, SOUND_RATE)
            self._movie.mux(self._stream.encode(frame))
            self._read, self._written = self._read[len(samples) :], self._written + len(samples)
            wanted -= len(samples)

    def close(self) -> None:
        self.write(None)
        self._movie.mux(self._stream.encode(None))
