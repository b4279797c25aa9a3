"""Sound as it happens, in short blocks of 16 kHz mono float32: a microphone, or PCM through a pipe."""

import itertools
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np

from config.errors import UserError
from config.units import SAMPLE_RATE
from dataset.audio import RATES_HZ, to_float
from dataset.stream_resampler import StreamResampler

BLOCK_S = 0.02
MOST_WAITING = 250  # blocks of a microphone that no one fetches: five seconds
STDIN = Path("-")
INSTALL = "pip install sounddevice"


def microphone_blocks(device: str | None) -> Iterator[np.ndarray]:
    """(samples,) a block, until the microphone is stopped. device: a number or a part of a name; None: the usual one.

    Raises UserError where there is no such device, or no sounddevice to hear it by.
    """
    blocks: queue.Queue[np.ndarray] = queue.Queue(MOST_WAITING)

    def take(sound: np.ndarray, *_: object) -> None:
        if not blocks.full():  # what is not fetched for seconds is lost
            blocks.put_nowait(sound[:, 0].copy())

    rate = microphone_rate(device)
    form = {"samplerate": rate, "blocksize": round(rate * BLOCK_S), "channels": 1, "dtype": "float32"}
    with _microphone(device) as (sounddevice, chosen):
        stream = sounddevice.InputStream(device=chosen, callback=take, **form)
    with stream:
        yield from at_16_khz((blocks.get() for _ in itertools.count()), rate)


def microphone_rate(device: str | None) -> int:
    """Samples a second of a microphone, named as for microphone_blocks, which says what is raised."""
    with _microphone(device) as (sounddevice, chosen):
        return int(sounddevice.query_devices(chosen, "input")["default_samplerate"])


def pcm_blocks(path: Path, rate: int) -> Iterator[np.ndarray]:
    """(samples,) a block of signed 16-bit little-endian mono PCM, as it comes. path: a file or a pipe; `-`: stdin.

    rate: in Hz. Raises UserError for a rate that is none, a place that cannot be read, and a stdin that is a keyboard.
    """
    check_rate(rate)
    if path == STDIN:
        if sys.stdin is None or sys.stdin.isatty():
            raise UserError("--pcm -: nothing is piped in: ffmpeg -i a.mp3 -f s16le -ar 16000 -ac 1 - | …")
        yield from at_16_khz(_pcm(sys.stdin.buffer, rate), rate)
        return
    try:
        with path.open("rb") as file:
            yield from at_16_khz(_pcm(file, rate), rate)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def check_rate(rate: int) -> None:
    """rate: of PCM, in Hz. Raises UserError for one that is none."""
    lowest, highest = RATES_HZ
    if not lowest <= rate <= highest:
        raise UserError(f"--rate {rate}: must be from {lowest} to {highest} Hz")


def short_blocks(blocks: Iterator[np.ndarray], seconds: float = BLOCK_S) -> Iterator[np.ndarray]:
    """The samples of longer blocks, (samples,) of so many seconds at most."""
    size = round(seconds * SAMPLE_RATE)
    for block in blocks:
        for start in range(0, len(block), size):
            yield block[start : start + size]


def _pcm(file: BinaryIO, rate: int) -> Iterator[np.ndarray]:
    most = 2 * max(1, round(rate * BLOCK_S))
    kept = b""
    while data := file.read1(most) if hasattr(file, "read1") else file.read(most):  # what is there, without waiting
        data = kept + data
        whole = len(data) // 2 * 2
        kept = data[whole:]
        yield to_float(np.frombuffer(data[:whole], "<i2"))


def at_16_khz(blocks: Iterator[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Blocks (samples,) of a rate in Hz → the same sound at 16 kHz."""
    resampler = StreamResampler(rate)
    yield from map(resampler.push, blocks)
    yield resampler.flush()


@contextmanager
def _microphone(device: str | None) -> Iterator[tuple[ModuleType, int | str | None]]:
    """The module sounddevice, and what it knows a microphone by; what fails is a UserError."""
    try:
        sounddevice = import_sounddevice()
        with no_device():
            yield sounddevice, int(device) if device is not None and device.isdecimal() else device
    except OSError as error:
        raise UserError(f"--mic {device or ''}".rstrip() + f": {error}") from None


def import_sounddevice() -> ModuleType:
    """Raises OSError, with what to do, where it or the library below it is not installed."""
    try:
        import sounddevice
    except ImportError:
        raise OSError(f"sounddevice is not installed; {INSTALL}") from None
    except OSError:
        raise OSError("PortAudio is not installed; apt install libportaudio2, or what the system calls it") from None
    return sounddevice


@contextmanager
def no_device() -> Iterator[None]:
    """What PortAudio says against a device, as an OSError in a line."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # sounddevice.PortAudioError, which cannot be named where it is not; ValueError
        raise OSError(f"no such sound device: {' '.join(str(error).split())}") from None
