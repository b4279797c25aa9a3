"""Sound files in: any rate, width and channel count soundfile reads, out as 16 kHz mono float32, whole or streamed."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from config.errors import UserError
from config.units import SAMPLE_RATE

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
BLOCK_SECONDS = 30
INT16_SCALE = 32768.0
UNKNOWN_BYTES = (
    0x7FFF0000  # what a writer that cannot seek back (espeak-ng, sox, ffmpeg) leaves as a WAV's size, or more
)


def read_audio(path: Path) -> np.ndarray:
    """A whole sound file → (samples,) float32 in [-1, 1], 16 kHz, channels averaged.

    Raises UserError for a file that is missing, empty, truncated, no sound file, or holds a NaN or infinite sample.
    """
    return np.concatenate(list(audio_blocks(path)))


def audio_blocks(path: Path) -> Iterator[np.ndarray]:
    """The same samples as read_audio, in blocks of at most about BLOCK_SECONDS, so that hours need little memory."""
    import soxr

    with _opened(path) as file:
        resampler = soxr.ResampleStream(file.samplerate, SAMPLE_RATE, 1, dtype="float32")
        expected = round(file.frames * SAMPLE_RATE / file.samplerate)
        written = read = 0
        while read < file.frames:
            block = file.read(BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True).mean(axis=1)
            read += len(block)
            if not len(block):
                raise UserError(f"{path}: truncated after {read / file.samplerate:.2f} s; export it again")
            if not np.isfinite(block).all():
                raise UserError(f"{path}: holds NaN or infinite samples; export it again")
            if file.samplerate != SAMPLE_RATE:
                block = resampler.resample_chunk(block, last=read >= file.frames)
            block = block[: expected - written]
            written += len(block)
            yield block
        if written < expected:
            yield np.zeros(expected - written, np.float32)


def sample_count(path: Path) -> int:
    """How many samples read_audio gives, from the file's header. Raises UserError as read_audio does."""
    with _opened(path) as file:
        return round(file.frames * SAMPLE_RATE / file.samplerate)


@contextmanager
def _opened(path: Path) -> Iterator["soundfile.SoundFile"]:
    import soundfile

    _check_length(path)
    try:
        with soundfile.SoundFile(path) as file:
            if not round(file.frames * SAMPLE_RATE / file.samplerate):
                raise UserError(f"{path}: holds no samples")
            yield file
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
        reason = str(error).rpartition(": ")[2].rstrip(".").lower()
        raise UserError(f"{path}: cannot be read as sound: {reason}") from None


def _check_length(path: Path) -> None:
    """libsndfile plays what is left of a truncated WAV without a word; compare its header with the file's size."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    size = path.stat().st_size
    if not size:
        raise UserError(f"{path}: empty file")
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.seek(8) != 8 or file.read(4) != b"WAVE":
            return
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", header)
            if name == b"data":
                if length < UNKNOWN_BYTES and file.tell() + length > size:
                    kept = max(size - file.tell(), 0) / length
                    raise UserError(f"{path}: truncated: {kept:.0%} of the promised sound is there; export it again")
                return
            file.seek(length + length % 2, 1)
        raise UserError(f"{path}: truncated before any sound; export it again")


def to_int16(audio: np.ndarray) -> np.ndarray:
    """float32 in [-1, 1] → int16; what came from 16-bit sound comes back bit for bit."""
    return np.clip(np.round(audio * INT16_SCALE), -32768, 32767).astype(np.int16)


def to_float(audio: np.ndarray) -> np.ndarray:
    """int16 → float32 in [-1, 1)."""
    return audio.astype(np.float32) / np.float32(INT16_SCALE)
