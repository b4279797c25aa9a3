"""A live stream whose frames go through steps of post-processing, by the code that changes files."""

from collections.abc import Sequence

import numpy as np

from dataset.blendshapes import ANGLES, ARKIT, indices
from postprocess.flow import Flow, Frames, Live, Opening, joined
from postprocess.send.live import CurveStream, Told
from postprocess.steps import Step

COLUMNS = (*ARKIT, *ANGLES)


class PostProcessed:
    """A CurveStream that waits a little longer than the one it takes its frames from, as its steps say."""

    def __init__(self, stream: CurveStream, steps: Sequence[Step], name: str) -> None:
        """steps: such as run live. name: of the stream; it and a seed tell which face it gets."""
        self._stream, self._name = stream, name
        self._steps = [(step, step.live) for step in steps if isinstance(step.live, Live)]
        self._sounds = 0  # that were begun; each has a face of its own
        self._begin()

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self._stream.fps

    @property
    def lookahead_ms(self) -> float:
        """How much sound after a frame is heard before it is told."""
        waited_ms = self._stream.lookahead_ms
        for _, live in self._steps:
            waited_ms = live.lookahead_ms(waited_ms, self.fps)
        return waited_ms

    @property
    def moving(self) -> frozenset[str]:
        """The channels that it moves."""
        return self._stream.moving

    def push(self, samples: np.ndarray) -> Sequence[Told]:
        """(samples,) float32 at 16 kHz → the frames that can be told now."""
        for stage in self._stages:
            stage.flow.hear(samples)
        return self._through(self._stream.push(samples))

    def flush(self) -> Sequence[Told]:
        """The sound has ended → its last frames."""
        told = self._through(self._stream.flush(), has_ended=True)
        self._begin()
        return told

    def interrupt(self) -> None:
        """Forget what was heard."""
        self._stream.interrupt()
        self._begin()

    def _begin(self) -> None:
        self._sounds += 1
        name = self._name if self._sounds == 1 else f"{self._name} {self._sounds}"
        self._stages = [
            _Stage(live.begin(Opening(name, step.wanted, self.fps, self.moving)), (*step.wanted, *step.turns))
            for step, live in self._steps
        ]

    def _through(self, told: Sequence[Told], has_ended: bool = False) -> list[Told]:
        frames = Frames()
        if told:
            values = np.zeros((len(told), len(COLUMNS)))
            values[:, : len(ARKIT)] = np.clip([frame[1] for frame in told], 0, 1)  # as files have them
            frames = Frames(np.array([frame[0] for frame in told]), values)
        for stage in self._stages:
            frames = stage.push(frames, has_ended)
        return [
            (time_s, row[: len(ARKIT)], np.degrees(row[len(ARKIT) :]))
            for time_s, row in zip(frames.times_s.tolist(), frames.values, strict=True)
        ]


class _Stage:
    """A step at work on some columns, the others of a frame waiting for it."""

    def __init__(self, flow: Flow, names: tuple[str, ...]) -> None:
        self.flow, self._places, self._waiting = flow, indices(COLUMNS, names), Frames()

    def push(self, frames: Frames, has_ended: bool) -> Frames:
        self._waiting = joined(self._waiting, frames)
        own = Frames(frames.times_s, frames.values[:, self._places]) if len(frames.times_s) else frames
        changed = joined(self.flow.push(own), self.flow.flush() if has_ended else Frames())
        count = len(changed.times_s)
        ready, self._waiting = self._waiting.cut(slice(count)), self._waiting.cut(slice(count, None))
        if count:
            ready.values[:, self._places] = changed.values
        return ready
