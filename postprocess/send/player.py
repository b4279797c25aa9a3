"""Where the sound of a stream is heard, and how far: the clock that frames go by."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from config.units import SAMPLE_RATE
from dataset.live_sound import import_sounddevice, no_device


class Player(Protocol):
    """Takes sound and tells how much of it has been heard; where there is none, its clock stands still."""

    def play(self, sound: np.ndarray) -> None:
        """(samples,) float32 at 16 kHz, after what was given before."""

    def position_s(self) -> float:
        """How far into the sound we are: what was heard, and what was dropped."""

    def left_s(self) -> float:
        """How much was given and not yet heard."""

    def drop(self) -> None:
        """Pass over what was not yet heard."""

    def close(self) -> None: ...


class SilentPlayer:
    """Lets the time go by that the sound takes.

    most_behind_s: of sound that is happening now, how much may wait; what is older is dropped. clock: seconds.
    """

    def __init__(self, most_behind_s: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_behind_s, self._clock = most_behind_s, clock
        self._samples = 0
        self._position_s, self._asked_s = 0.0, clock()
        self._lock = threading.Lock()

    def play(self, sound: np.ndarray) -> None:
        """sound: (samples,)"""
        with self._lock:
            self._go_on()
            self._samples += len(sound)
            if self._most_behind_s is not None:
                most_s = max(self._most_behind_s, len(sound) / SAMPLE_RATE)
                self._position_s = max(self._position_s, self._given_s - most_s)

    def position_s(self) -> float:
        with self._lock:
            self._go_on()
            return self._position_s

    def left_s(self) -> float:
        return self._given_s - self.position_s()

    def drop(self) -> None:
        with self._lock:
            self._go_on()
            self._position_s = self._given_s

    def close(self) -> None: ...

    @property
    def _given_s(self) -> float:
        return self._samples / SAMPLE_RATE

    def _go_on(self) -> None:
        now_s = self._clock()
        self._position_s = min(self._given_s, self._position_s + now_s - self._asked_s)
        self._asked_s = now_s


class DevicePlayer:
    """Plays by the sound device that the system prefers; its clock is the device's, silence between sounds left out.

    Raises OSError where there is none.
    """

    def __init__(self) -> None:
        sounddevice = import_sounddevice()
        self._blocks: deque[np.ndarray] = deque()
        self._given = self._handed = 0  # samples: from the stream, to the device
        self._heard_from = (0.0, 0)  # at this time of the device's, so many samples have been heard
        self._heard = 0.0
        self._lock = threading.Lock()
        with no_device():
            self._stream = sounddevice.OutputStream(
                samplerate=SAMPLE_RATE, channels=1, dtype="float32", callback=self._fill
            )
            self._stream.start()

    def play(self, sound: np.ndarray) -> None:
        """sound: (samples,)"""
        with self._lock:
            self._given += len(sound)
            self._blocks.append(sound)

    def position_s(self) -> float:
        with self._lock:
            since_s, heard = self._heard_from
            now_heard = heard + (self._stream.time - since_s) * SAMPLE_RATE
            self._heard = min(max(self._heard, now_heard), self._handed)  # after a silence, what follows is to come yet
            return self._heard / SAMPLE_RATE

    def left_s(self) -> float:
        return self._given / SAMPLE_RATE - self.position_s()

    def drop(self) -> None:
        with self._lock:
            self._blocks.clear()
            self._handed = self._given
            self._heard_from = (0.0, self._given)

    def close(self) -> None:
        self._stream.close()

    def _fill(self, out: np.ndarray, samples: int, times: Any, _: object) -> None:
        """The device asks for (samples, 1)."""
        out[:] = 0
        filled = 0
        with self._lock:
            first = self._handed
            while filled < samples and self._blocks:
                block = self._blocks.popleft()
                taken = block[: samples - filled]
                out[filled : filled + len(taken), 0] = taken
                filled += len(taken)
                if len(taken) < len(block):
                    self._blocks.appendleft(block[len(taken) :])
            self._handed += filled
            if filled:
                self._heard_from = (times.outputBufferDacTime, first)


def open_player() -> Player:
    """A sound device's, or where there is none, which is said, a silent one."""
    try:
        return DevicePlayer()
    except OSError as error:
        print(f"the sound is not played: {error}", file=sys.stderr)
        return SilentPlayer()
