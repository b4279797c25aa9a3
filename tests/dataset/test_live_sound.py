"""Microphone and PCM as blocks of 16 kHz mono."""

import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dataset.audio import resample_audio
from dataset.live_sound import microphone_blocks, microphone_rate, pcm_blocks, short_blocks
from tests.helpers import posix_only, refused
from tests.sound_devices import SoundDevices


def tone(rate: int, seconds: float = 0.5) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def pcm(rate: int) -> bytes:
    return (tone(rate) * 32768).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_pcm_of_a_file(rate: int, tmp_path: Path) -> None:
    file = tmp_path / "a.pcm"
    file.write_bytes(pcm(rate) + b"\x01")  # half a sample more
    heard = np.concatenate(list(pcm_blocks(file, rate)))
    expected = resample_audio(np.frombuffer(pcm(rate), "<i2").astype(np.float32) / 32768, rate)
    assert abs(len(heard) - len(expected)) <= 1
    np.testing.assert_allclose(heard[: len(expected)], expected[: len(heard)], atol=1e-6)


class Dribble(io.RawIOBase):
    """A pipe that gives three bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._data.read(min(3, len(buffer)))
        buffer[: len(data)] = data
        return len(data)


def test_pcm_of_stdin_that_comes_in_odd_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BufferedReader(Dribble(pcm(16_000)[:999])), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    heard = np.concatenate(list(pcm_blocks(Path("-"), 16_000)))
    np.testing.assert_array_equal(heard, np.frombuffer(pcm(16_000)[:998], "<i2").astype(np.float32) / 32768)


@posix_only
def test_pcm_comes_without_waiting_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", 0) as pipe:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file, isatty=lambda: False))
        blocks = pcm_blocks(Path("-"), 16_000)
        pipe.write(pcm(16_000)[:100])
        assert len(next(blocks)) == 50  # the pipe is open still


def test_pcm_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert refused(next, pcm_blocks(Path("-"), 10)) == "--rate 10: must be from 1000 to 768000 Hz"
    missing = tmp_path / "none.pcm"
    assert refused(next, pcm_blocks(missing, 16_000)) == f"{missing}: No such file or directory"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert refused(next, pcm_blocks(Path("-"), 16_000)).startswith("--pcm -: nothing is piped in: ffmpeg -i ")


@pytest.mark.parametrize(("device", "chosen"), [(None, None), ("2", 2), ("USB mic", "USB mic")])
def test_a_microphone(device: str | None, chosen: object, monkeypatch: pytest.MonkeyPatch) -> None:
    card = SoundDevices(rate=48_000).install(monkeypatch)
    sound, heard = tone(48_000), list[np.ndarray]()
    blocks = microphone_blocks(device)
    fetching = threading.Thread(target=lambda: heard.extend(next(blocks) for _ in range(25)))
    fetching.start()
    while not card.opened:
        pass
    for start in range(0, len(sound), 960):
        card.speak(sound[start : start + 960])
    fetching.join(5)
    assert microphone_rate(device) == 48_000
    assert (card.opened["device"], card.opened["samplerate"], card.opened["channels"]) == (chosen, 48_000, 1)
    told = np.concatenate(heard)
    assert len(told) > 7_000  # of 8,000: what the filter has not told yet is to come
    np.testing.assert_allclose(told, resample_audio(sound, 48_000)[: len(told)], atol=1e-4)


def test_no_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    SoundDevices(fails="No input device matching 'x'").install(monkeypatch)
    assert refused(next, microphone_blocks("x")) == "--mic x: no such sound device: No input device matching 'x'"
    assert refused(microphone_rate, "x") == "--mic x: no such sound device: No input device matching 'x'"
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert refused(next, microphone_blocks(None)) == "--mic: sounddevice is not installed; pip install sounddevice"


def test_blocks_are_cut_short() -> None:
    pieces = list(short_blocks(iter([np.arange(700), np.arange(320)])))
    assert [len(piece) for piece in pieces] == [320, 320, 60, 320]
