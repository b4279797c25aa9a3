"""What every receiver of live frames has in common: an address, settings, and how its silence is told."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataset.face_frame import FaceFrame

BACK_AFTER_S = (
    1.0  # without a failure until a receiver is said to be there again: UDP fails at every second packet only
)
TOKENS = Path.home() / ".speech-driven-expressions"  # what tools gave us so that they need not ask again


@dataclass(frozen=True)
class SendSettings:
    """What holds for all receivers."""

    fps: float  # frames a second of what is sent
    subject: str = "face"  # whose face it is, for tools that tell several apart
    host: str = "127.0.0.1"  # where we listen, for what is asked of us
    lookahead_ms: float = 0.0  # how far before its frame a sound is heard
    patient: bool = False  # nothing is late: wait for a slow receiver a while, so that it misses no frame
    tokens: Path = TOKENS


@dataclass(frozen=True)
class Address:
    """Where frames go, as a person wrote it: `vmc://127.0.0.1:39539?names=camel`, or `csv:out.csv`."""

    url: str
    host: str = ""
    port: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    path: str = ""  # of a file

    def __str__(self) -> str:
        return self.url


class Sender(ABC):
    """Takes frames to one receiver; made with its address and the settings, whose mistakes raise UserError then.

    Neither method waits for a receiver or raises when one is away, unless SendSettings.patient says so.
    """

    keeps_all = False  # of frames that are due at once, because the machine was busy, wants all and not the last alone

    @abstractmethod
    def send(self, frame: FaceFrame) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class Health:
    """Says once on stderr that a receiver does not hear us, and once that it does again."""

    def __init__(self, address: Address, clock: Callable[[], float] = time.monotonic) -> None:
        self._address, self._clock = address, clock
        self._failed_at: float | None = None

    def fails(self, reason: object) -> None:
        """A frame did not arrive."""
        if self._failed_at is None:
            self.say(f"{reason}; frames go on, and it is said when it is back")
        self._failed_at = self._clock()

    def works(self) -> None:
        """A frame was taken."""
        if self._failed_at is not None and self._clock() - self._failed_at >= BACK_AFTER_S:
            self._failed_at = None
            self.say("there again")

    def say(self, line: str) -> None:
        print(f"{self._address}: {line}", file=sys.stderr, flush=True)
