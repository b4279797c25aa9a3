"""Frames that go through a step of post-processing as they come: those of a live stream, and those of a whole file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

SEEN = 0.02  # a column that spans no more does not move, whatever a model leaves in it


class Frames(NamedTuple):
    """Frames that follow those before; none where both are empty."""

    times_s: np.ndarray = np.zeros(0)  # (frames,) of the clip's clock
    values: np.ndarray = np.zeros((0, 0))  # (frames, columns)

    def cut(self, wanted: slice) -> "Frames":
        """Some of them."""
        return Frames(self.times_s[wanted], self.values[wanted])


@dataclass(frozen=True)
class Opening:
    """What a step is told of a clip before its first frame."""

    name: str  # equal names and seeds give equal faces
    channels: tuple[str, ...]  # that it changes, its first columns; the angles that it turns are those after them
    fps: float  # frames a second
    moving: frozenset[str] = frozenset()  # the channels and angles of the face that move already
    file: Path | None = None  # that the clip is read from; None: it is live


class Flow(ABC):
    """A step at work on one clip. What it gives is the same however sound and frames are cut."""

    def hear(self, sound: np.ndarray) -> None:  # noqa: B027  most steps do not listen
        """sound: (samples,) at 16 kHz, after what was heard before; a step that does not listen lets it pass."""

    @abstractmethod
    def push(self, frames: Frames) -> Frames:
        """The next frames → those that are known now, with as many columns."""

    def flush(self) -> Frames:
        """No more sound or frames come → the frames that waited for them."""
        return Frames()


class EachFrame(Flow):
    """Changes a frame by itself."""

    def __init__(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """change: (frames, columns) → the same shape."""
        self._change = change

    def push(self, frames: Frames) -> Frames:
        return Frames(frames.times_s, self._change(frames.values)) if len(frames.times_s) else frames


class Waiting(Flow):
    """Frames that wait until enough has been heard, or enough frames have come, to tell them."""

    def __init__(self) -> None:
        self._waiting = Frames()

    def push(self, frames: Frames) -> Frames:
        self._waiting = joined(self._waiting, frames)
        return self._told(self._known(self._waiting.times_s))

    def flush(self) -> Frames:
        if not len(self._waiting.times_s):
            return Frames()
        self._end(float(self._waiting.times_s[-1]))
        return self._told(len(self._waiting.times_s))

    def _told(self, count: int) -> Frames:
        ready, self._waiting = self._waiting.cut(slice(count)), self._waiting.cut(slice(count, None))
        return Frames(ready.times_s, self._changed(ready)) if count else Frames()

    @abstractmethod
    def _known(self, times_s: np.ndarray) -> int:
        """How many of the frames that wait can be told."""

    @abstractmethod
    def _changed(self, frames: Frames) -> np.ndarray:
        """Frames that can be told → their values."""

    @abstractmethod
    def _end(self, last_s: float) -> None:
        """Nothing more comes; the last frame stands there."""


@dataclass(frozen=True)
class Live:
    """How a step runs on frames as they come, and what it waits for."""

    begin: Callable[[Opening], Flow]
    frames: int = 0  # after a frame, until it is told
    sound_s: float = 0.0  # after a frame's time, likewise

    def lookahead_ms(self, before_ms: float, fps: float) -> float:
        """How much sound after a frame is heard before it leaves the step. before_ms: … before it comes to it."""
        return max(before_ms + 1000 * self.frames / fps, 1000 * self.sound_s)


def joined(*pieces: Frames) -> Frames:
    """Frames after one another."""
    some = [piece for piece in pieces if len(piece.times_s)]
    if len(some) < 2:
        return some[0] if some else Frames()
    return Frames(np.concatenate([piece.times_s for piece in some]), np.concatenate([piece.values for piece in some]))


def moving(columns: Mapping[str, np.ndarray]) -> frozenset[str]:
    """The names of those columns, (frames,) each, that are seen to move."""
    return frozenset(name for name, column in columns.items() if np.ptp(column) > SEEN)
