"""A stream from its source to its receivers: sound and the frames that belong to it, paced or as fast as it goes."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from config.units import SAMPLE_RATE
from dataset.blendshapes import ANGLES
from dataset.face_frame import FaceFrame, face_frame
from dataset.recordings.recording import Recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.send.pacing import Pacer, pace
from postprocess.send.player import Player

AHEAD_S = 2.0  # of frames that wait for their time, after which the source waits
SWITCH_S = 0.0005  # how soon a thread that computes makes way for the one that sends


class Piece(NamedTuple):
    """What a source hands on at once."""

    frames: Sequence[FaceFrame]
    sound: np.ndarray  # (samples,) float32 at 16 kHz; of a stream without sound, silence as long as its frames


Told: TypeAlias = tuple[float, np.ndarray] | tuple[float, np.ndarray, np.ndarray]
"""A frame: its time in s, (52,) in ARKIT's order, and (9,) degrees in ANGLES' order where they are known."""


class CurveStream(Protocol):
    """Tells curves of sound as it comes."""

    @property
    def fps(self) -> float:
        """Frames a second."""

    @property
    def lookahead_ms(self) -> float:
        """How much sound after a frame is heard before it is told."""

    @property
    def moving(self) -> frozenset[str]:
        """The channels that it moves."""

    def push(self, samples: np.ndarray) -> Sequence[Told]:
        """(samples,) float32 at 16 kHz → the frames that can be told now, from the stream's start on."""

    def flush(self) -> Sequence[Told]:
        """The stream has ended → its last frames. What is pushed next is another, from 0 s on."""

    def interrupt(self) -> None:
        """Forget what was heard. What is pushed next is another stream."""


def synthesized(blocks: Iterable[np.ndarray], stream: CurveStream) -> Iterator[Piece]:
    """blocks: (samples,) float32 at 16 kHz each. Sound is handed on once the frames that go with it are there."""
    held = np.zeros(0, np.float32)
    handed = 0
    for block in blocks:
        frames = [face_frame(*told) for told in stream.push(block)]
        held = np.concatenate([held, block])
        ready = min(len(held), max(0, round(frames[-1].time_s * SAMPLE_RATE) - handed)) if frames else 0
        yield Piece(frames, held[:ready])
        held, handed = held[ready:], handed + ready
    yield Piece([face_frame(*told) for told in stream.flush()], held)


def replayed(recording: Recording, blocks: Iterable[np.ndarray] = ()) -> Iterator[Piece]:
    """A recording's frames at their own times, with its sound, or without.

    blocks: (samples,) float32 at 16 kHz each; silence stands where they end before the frames do.
    """
    told = recording.with_rate(USUAL_FPS)
    turns = told.angles_deg()
    angles = np.column_stack([turns.get(name, np.zeros(told.frames)) for name in ANGLES])
    times_s = told.clock_s()
    frames = [face_frame(*row) for row in zip(times_s.tolist(), told.curves(), angles, strict=True)]
    given = handed = 0
    for block in blocks:
        given += len(block)
        until = int(np.searchsorted(times_s, given / SAMPLE_RATE, side="right"))
        yield Piece(frames[handed:until], block)
        handed = until
    silence = max(0, round((told.duration_s or 0) * SAMPLE_RATE) - given)
    yield Piece(frames[handed:], np.zeros(silence, np.float32))


def send_at_once(pieces: Iterable[Piece], fps: float, send: Callable[[FaceFrame], None]) -> None:
    """As fast as it goes; each frame once, at even times of fps a second."""
    pacer = Pacer(fps)
    for piece in pieces:
        pacer.push(piece.frames)
        for frame in pacer.rest_of():
            send(frame)
    pacer.finish()
    for frame in pacer.rest_of():
        send(frame)


class LiveStream:
    """Pieces, fetched by a thread of its own, sent when their sound is heard."""

    def __init__(self, pieces: Iterable[Piece], fps: float, player: Player) -> None:
        self._pieces, self._pacer, self._player = pieces, Pacer(fps), player
        self._failure: BaseException | None = None
        self._stopped = threading.Event()

    def run(self, send: Callable[..., None], delay_s: float = 0.0) -> None:
        """Until the end; at Ctrl-C, and where the source fails, until the face is at rest. Raises what the source does.

        send, delay_s: as in `pace`.
        """
        switch_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        threading.Thread(target=self._fetch, daemon=True).start()
        try:
            pace(self._pacer, self._player, send, delay_s)
        except KeyboardInterrupt:
            self._stopped.set()
            self.interrupt()
            self._pacer.finish()
            pace(self._pacer, self._player, send)
            raise
        finally:
            self._stopped.set()
            sys.setswitchinterval(switch_s)
        if self._failure is not None:
            raise self._failure

    def interrupt(self) -> None:
        """Someone else speaks: no more of what was said, and the face to rest."""
        self._player.drop()
        self._pacer.interrupt(time.monotonic())

    def _fetch(self) -> None:
        try:
            for piece in self._pieces:
                if self._stopped.is_set():
                    return
                self._pacer.push(piece.frames)
                self._player.play(piece.sound)
                while self._pacer.ahead_s > AHEAD_S and not self._stopped.wait(AHEAD_S / 10):
                    pass
        except BaseException as error:
            self._failure = error
        finally:
            self._pacer.finish()
