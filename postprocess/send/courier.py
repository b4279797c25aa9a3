"""A thread of its own for a receiver that must be waited for, so that no other waits with it."""

import threading
from abc import ABC, abstractmethod
from collections import deque

from dataset.face_frame import FaceFrame
from postprocess.send.datagrams import why
from postprocess.send.sender import Address, Health, Sender

QUEUED = 8  # frames on their way; a receiver that is slower misses the oldest
RETRY_S = 1.0
PATIENCE_S = 1.0  # for which a patient courier waits for a receiver that takes nothing
CLOSING_S = 1.0  # for the last frames to go out


class LinkRefused(OSError):
    """The receiver does not want us: there is no use in trying again."""


class Link(ABC):
    """A connection; its methods may take their time, and raise OSError, or LinkRefused, when it is lost."""

    @abstractmethod
    def connect(self, health: Health) -> None: ...

    @abstractmethod
    def deliver(self, frame: FaceFrame) -> None: ...

    @abstractmethod
    def disconnect(self) -> None: ...


class Courier(Sender):
    """Delivers frames over a link, which it makes anew every RETRY_S where it is lost.

    patient: `send` waits for a receiver that is there until it has room, PATIENCE_S at most.
    """

    def __init__(self, address: Address, link: Link, patient: bool = False) -> None:
        self._link, self._patient, self._health = link, patient, Health(address)
        self._frames: deque[FaceFrame] = deque(maxlen=QUEUED)
        self._changed = threading.Condition()
        self._closing = False
        self._is_there = True
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def send(self, frame: FaceFrame) -> None:
        with self._changed:
            if self._patient and self._is_there:
                self._changed.wait_for(lambda: len(self._frames) < QUEUED or not self._is_there, PATIENCE_S)
                self._is_there = len(self._frames) < QUEUED
            self._frames.append(frame)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSING_S)
        if self._thread.is_alive():
            self._link.disconnect()

    def _work(self) -> None:
        while not self._closing:
            try:
                self._link.connect(self._health)
                while (frame := self._take()) is not None:
                    self._link.deliver(frame)
                    self._health.works()
                    self._is_there = True
            except LinkRefused as error:
                self._health.say(f"{error}; nothing more is sent there")
                self._closing = True
            except OSError as error:
                self._lose(error)
            finally:
                self._link.disconnect()

    def _take(self) -> FaceFrame | None:
        """The next frame; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._closing)
            frame = self._frames.popleft() if self._frames else None
            self._changed.notify_all()
            return frame

    def _lose(self, error: OSError) -> None:
        with self._changed:
            if self._closing:
                return
            self._health.fails(why(error))
            self._is_there = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing, RETRY_S)
