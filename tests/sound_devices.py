"""A stand-in for the sounddevice module, with a clock of its own."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest


class PortAudioError(Exception):
    """What sounddevice raises."""


class SoundDevices:
    """One device for both ways; `pull` and `speak` do what the sound card would."""

    def __init__(self, rate: int = 48_000, fails: str = "") -> None:
        self.rate, self.fails, self.time_s, self.latency_s = rate, fails, 100.0, 0.05
        self.opened: dict[str, Any] = {}
        self.is_open = False

    def __enter__(self) -> "SoundDevices":
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False

    @property
    def time(self) -> float:
        return self.time_s

    def start(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def query_devices(self, device: object, kind: str) -> dict[str, float]:
        assert kind == "input"
        if self.fails:
            raise ValueError(self.fails)
        return {"default_samplerate": float(self.rate)}

    def open(self, **how: Any) -> "SoundDevices":
        if self.fails:
            raise PortAudioError(self.fails)
        self.opened = how
        return self

    def pull(self, samples: int) -> np.ndarray:
        """The card plays so many samples, which takes it that long: (samples,)."""
        out = np.full((samples, 1), np.nan, np.float32)
        times = SimpleNamespace(outputBufferDacTime=self.time_s + self.latency_s)
        self.opened["callback"](out, samples, times, None)
        self.time_s += samples / self.opened["samplerate"]
        return out[:, 0]

    def speak(self, sound: np.ndarray) -> None:
        """The card hears (samples,)."""
        self.opened["callback"](sound[:, None].astype(np.float32), len(sound), None, None)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "SoundDevices":
        module = SimpleNamespace(
            OutputStream=self.open,
            InputStream=self.open,
            query_devices=self.query_devices,
            PortAudioError=PortAudioError,
        )
        monkeypatch.setitem(sys.modules, "sounddevice", module)
        return self
