"""Sound files in: any rate, width and channel count, sound tracks of movies too; out as 16 kHz mono float32."""

import io
import math
import re
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, TypeAlias

import numpy as np

from config.errors import UserError
from config.files import regular, written_whole
from config.units import SAMPLE_RATE
from dataset.stream_resampler import StreamResampler

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")  # of a corpus's wav/
SOUND_SUFFIXES = (*AUDIO_SUFFIXES, ".opus", ".aif", ".aiff", ".caf", ".au", ".w64")  # what soundfile reads
VIDEO_SUFFIXES = (".mov", ".mp4", ".m4v", ".mkv", ".webm", ".mpg", ".mpeg", ".avi")
TRACK_SUFFIXES = (*VIDEO_SUFFIXES, ".m4a", ".aac")  # what PyAV reads
BLOCK_SECONDS = 30
MOST_GAP_S = 3600
GAP_S = 0.02  # a sound track's times are off by less where nothing is missing
LOST_S = 0.25  # by which a sound track may be shorter than its movie promises
INT16_SCALE = 32768.0
MOST_VALUES = 30 * 192_000 * 8  # in a block: fewer seconds of sound that has more channels or a higher rate
RATES_HZ = (1_000, 768_000)  # lowest and highest; a header beyond them is damaged
MOST_CHANNELS = 128
MOST_HOURS = 24
MOST_OVER_DB = 1.0  # by which mp3 and resampling may overshoot full scale
# What a writer that cannot seek back (espeak-ng, sox, ffmpeg) leaves as a WAV's size, or more; speech servers leave
# PLACEHOLDER_BYTES or more, which may also be a true size; some leave 0.
UNKNOWN_BYTES = 0x7FFF0000
PLACEHOLDER_BYTES = 2_000_000_000
PLACEHOLDER_EXCESS = 1.5  # times what is there
LARGEST_SIZE = 0xFFFFFFFF
_WAV_START = 12  # bytes: RIFF, its size, WAVE
# How files start, by what reads them; what starts otherwise is told by its suffix.
_SOUND_STARTS = (rb"RIFF....WAVE", rb"RF64....WAVE", rb"RIFX....WAVE", rb"riff\x2e\x91\xcf\x11", rb"fLaC", rb"OggS",
                 rb"FORM....AIF[FC]", rb"caff", rb"\.snd", rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]")  # fmt: skip
_TRACK_STARTS = (rb"....(ftyp|moov|mdat|wide|free|skip)", rb"\x1a\x45\xdf\xa3", rb"\xff[\xf0\xf1\xf8\xf9]", rb"ADIF",
                 rb"RIFF....AVI ")  # fmt: skip
Channel: TypeAlias = int | Literal["mean", "loudest"]  # of several: one, counted from 1; all; the one that varies most
_Block: TypeAlias = tuple[int, np.ndarray]  # rate in Hz, (samples, channels) or (samples,) float32


def read_audio(path: Path, channel: Channel = "mean") -> np.ndarray:
    """A whole sound file → (samples,) float32 in [-1, 1], 16 kHz.

    Raises UserError for a file that is missing, empty, truncated, no sound file, lacks the channel, or holds a NaN or
    infinite sample.
    """
    return np.concatenate(list(audio_blocks(path, channel)))


def audio_blocks(path: Path, channel: Channel = "mean", rate: int = SAMPLE_RATE) -> Iterator[np.ndarray]:
    """The samples of read_audio, (samples,) a block of BLOCK_SECONDS or so, so that hours need little memory.

    rate: in Hz, of what is given.
    """
    yield from _resampled(_one_channel(path, channel), rate)


def read_unresampled(path: Path, channel: Channel = "mean") -> tuple[np.ndarray, int]:
    """((samples,) float32, their rate in Hz). Raises UserError as read_audio does."""
    blocks = list(_one_channel(path, channel))
    return np.concatenate([block for _, block in blocks]), blocks[0][0]


def resample_audio(audio: np.ndarray, rate: int) -> np.ndarray:
    """(samples,) float32 at a rate in Hz → 16 kHz: what read_audio would have given."""
    size = BLOCK_SECONDS * rate
    return np.concatenate(list(_resampled((rate, audio[i : i + size]) for i in range(0, len(audio), size))))


def pick_channel(path: Path, channel: Channel) -> tuple[Channel, int]:
    """(the channel, how many there are), "loudest" and "mean" told as a number where that is the same."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    samples = 0
    for _, block in _blocks(path):
        count = block.shape[1]
        if count == 1 and isinstance(channel, str):
            return 1, 1
        if channel != "loudest":
            return channel, count
        samples += len(block)
        total = total + block.sum(axis=0, dtype=np.float64)
        squares = squares + np.square(block, dtype=np.float64).sum(axis=0)
    return int(np.argmax(squares / samples - np.square(total / samples))) + 1, count  # an offset is not loud


def sample_count(path: Path) -> int:
    """How many samples read_audio gives: from the header, or, of a sound track, by listening to it.

    Raises UserError as read_audio does.
    """
    with open_sound(path) as sound:
        return sound.samples


class Sound(NamedTuple):
    """A sound that is open: how long it is, and its samples, to be read once."""

    path: Path | None  # None for samples that come from no file
    samples: int  # in all, at 16 kHz
    blocks: Iterator[np.ndarray]  # (samples,) float32 in [-1, 1] each, as of audio_blocks

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    def __str__(self) -> str:
        return str(self.path or "the sound")


@contextmanager
def open_sound(source: str | Path | np.ndarray) -> Iterator[Sound]:
    """A sound file opened once, or (samples,) float32 at 16 kHz.

    A file is read block by block; a movie's track, which tells its length only at its end, is held in memory (230 MB
    an hour). Raises UserError as read_audio does, here or at a later block.
    """
    if isinstance(source, np.ndarray):
        yield Sound(None, len(source), iter((source,)))
    elif _is_track(path := Path(source)):
        blocks = list(audio_blocks(path))
        yield Sound(path, sum(map(len, blocks)), iter(blocks))
    else:
        with _opened(path) as file:
            mono = ((rate, block.mean(axis=1)) for rate, block in _finite(path, _file_blocks(path, file)))
            yield Sound(path, _resampled_length(file), _resampled(mono))


def _one_channel(path: Path, channel: Channel) -> Iterator[_Block]:
    if channel == "loudest":
        channel = pick_channel(path, channel)[0]
    for rate, block in _blocks(path):
        if channel == "mean":
            yield rate, block.mean(axis=1)
        elif isinstance(channel, int) and 1 <= channel <= block.shape[1]:
            yield rate, np.ascontiguousarray(block[:, channel - 1])
        else:
            raise UserError(f"{path}: has {block.shape[1]} channel(s), and no channel {channel}; they count from 1")


def _resampled(blocks: Iterator[_Block], out_rate: int = SAMPLE_RATE) -> Iterator[np.ndarray]:
    """(samples,) at a rate in Hz, in all the nearest whole number to the same duration."""
    resampler = None
    for rate, block in blocks:
        resampler = resampler or StreamResampler(rate, out_rate)
        if len(heard := resampler.push(block)):
            yield heard
    if resampler and len(rest := resampler.flush()):
        yield rest


def _blocks(path: Path) -> Iterator[_Block]:
    """A sound file's samples as they are, (samples, channels) in [-1, 1], at least one."""
    return _finite(path, _track_blocks(path) if _is_track(path) else _sound_blocks(path))


def _finite(path: Path, blocks: Iterator[_Block]) -> Iterator[_Block]:
    """The blocks. Raises UserError at one that holds what is no number."""
    for rate, block in blocks:
        if not np.isfinite(block).all():
            raise UserError(f"{path}: holds NaN or infinite samples; export it again")
        yield rate, block


def _sound_blocks(path: Path) -> Iterator[_Block]:
    with _opened(path) as file:
        yield from _file_blocks(path, file)


def _file_blocks(path: Path, file: "soundfile.SoundFile") -> Iterator[_Block]:
    read, wanted = 0, min(BLOCK_SECONDS * file.samplerate, MOST_VALUES // file.channels)
    while read < file.frames:
        with _readable(path):
            block = file.read(wanted, dtype="float32", always_2d=True)
        read += len(block)
        if not len(block):
            raise UserError(f"{path}: truncated after {read / file.samplerate:.2f} s; export it again")
        yield file.samplerate, block


def _track_blocks(path: Path) -> Iterator[_Block]:
    """The first sound track, from where the picture begins: silence stands where the track has none."""
    gathered: list[np.ndarray] = []
    samples = rate = 0
    for rate, piece in _without_gaps(path):
        samples += len(piece)
        gathered.append(piece)
        if sum(map(len, gathered)) >= BLOCK_SECONDS * rate:
            yield rate, np.concatenate(gathered)
            gathered = []
    if not rate or not round(samples * SAMPLE_RATE / rate):
        raise UserError(f"{path}: its sound track holds no samples")
    if gathered:
        yield rate, np.concatenate(gathered)


def _without_gaps(path: Path) -> Iterator[_Block]:
    """The track's pieces, with silence between those that are apart, in pieces too."""
    position, form = 0, None
    for rate, start, piece in _track_pieces(path):
        if form not in (None, (rate, piece.shape[1])):
            raise UserError(f"{path}: the rate or the channels of its sound track change midway; export it again")
        form = rate, piece.shape[1]
        if start > position + MOST_GAP_S * rate:
            raise UserError(f"{path}: its sound track has a gap of {(start - position) / rate:.0f} s; export it again")
        if start < -GAP_S * rate:  # sound from before the picture
            piece = piece[-start:]
        while start > position + GAP_S * rate:
            silence = min(start - position, BLOCK_SECONDS * rate)
            yield rate, np.zeros((silence, piece.shape[1]), np.float32)
            position += silence
        yield rate, piece
        position += len(piece)


def _track_pieces(path: Path) -> Iterator[tuple[int, int, np.ndarray]]:
    """(rate, the sample where the piece starts, counted from the picture's start, (samples, channels) float32)."""
    import av

    _check_exists(path)
    try:
        with path.open("rb") as file, av.open(file, "r") as container:
            if not container.streams.audio:
                raise UserError(f"{path}: has no sound track")
            stream, origin, end_s = container.streams.audio[0], _picture_start(container), Fraction(0)
            to_float = av.AudioResampler(format="fltp")
            for frame in container.decode(stream):
                rate, start_s = frame.sample_rate, end_s
                if frame.pts is not None and frame.time_base is not None:
                    origin = frame.pts * frame.time_base if origin is None else origin
                    start_s = frame.pts * frame.time_base - origin
                _check_format(path, rate, len(frame.layout.channels), round(start_s * rate))
                for piece in to_float.resample(frame):
                    yield rate, round(start_s * rate), piece.to_ndarray().T
                end_s = start_s + Fraction(frame.samples, rate)
            promised_s = (stream.duration or 0) * (stream.time_base or Fraction(0))
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UserError(f"{path}: its sound track cannot be read: {reason}; export it again") from None
    if end_s < promised_s - Fraction(LOST_S):
        raise UserError(
            f"{path}: truncated: {float(end_s):.2f} s of {float(promised_s):.2f} s of sound are there; export it again"
        )


def _picture_start(container: Any) -> Fraction | None:
    """When the movie's first frame is shown, in seconds of the container; None without a picture."""
    stream = picture_stream(container)
    return None if stream is None or stream.start_time is None else Fraction(stream.start_time * stream.time_base)


def picture_stream(container: Any) -> Any:
    """The picture of an open PyAV container: its first video stream that is no cover; None where there is none."""
    from av.stream import Disposition

    streams = container.streams.video
    return next((stream for stream in streams if not stream.disposition & Disposition.attached_pic), None)


def _opened(path: Path) -> "soundfile.SoundFile":
    """A sound file with a sample at least, which closes itself at the end of a with block."""
    import soundfile

    _check_exists(path)
    sizes = _true_sizes(path)
    with _readable(path):
        file = soundfile.SoundFile(_Resized(path, sizes) if sizes else path)
    try:
        _check_format(path, file.samplerate, file.channels, file.frames)
        if not _resampled_length(file):
            raise UserError(f"{path}: holds no samples; export it again")
    except UserError:
        file.close()
        raise
    return file


def _resampled_length(file: "soundfile.SoundFile") -> int:
    """In samples at 16 kHz."""
    return round(file.frames * SAMPLE_RATE / file.samplerate)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What libsndfile says against a file, as a UserError."""
    import soundfile

    try:
        yield
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
        reason = str(error).rpartition(": ")[2].rstrip(".").lower()
        raise UserError(f"{path}: cannot be read as sound: {reason}; export it as WAV") from None


def _check_exists(path: Path) -> None:
    if not regular(path, math.inf).is_file():
        raise UserError(f"{path}: no such file")
    if not path.stat().st_size:
        raise UserError(f"{path}: empty file; export it again")


def _check_format(path: Path, rate: int, channels: int, samples: int) -> None:
    """Before memory is taken for what a header says."""
    lowest, highest = RATES_HZ
    if not lowest <= rate <= highest:
        raise UserError(f"{path}: {rate} samples a second, not {lowest} to {highest}; export it again at {SAMPLE_RATE}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise UserError(f"{path}: {channels} channels, more than {MOST_CHANNELS}; export it with one")
    if samples > MOST_HOURS * 3600 * rate:
        raise UserError(f"{path}: {samples / rate / 3600:.0f} hours of sound, more than {MOST_HOURS}; split it")


def _is_track(path: Path) -> bool:
    """Whether PyAV reads it, by how it starts; by its suffix where that does not tell."""
    _check_exists(path)
    with _reading(path) as file:
        start = file.read(16)
    if any(re.match(form, start, re.DOTALL) for form in _TRACK_STARTS):
        return True
    return path.suffix.lower() in TRACK_SUFFIXES and not any(re.match(form, start, re.DOTALL) for form in _SOUND_STARTS)


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _true_sizes(path: Path) -> dict[int, int]:
    """Where in a WAV its sizes stand → what they should be; {} where they are right or libsndfile mends them itself.

    libsndfile plays what is left of a truncated WAV without a word, and nothing of one whose size is 0.
    Raises UserError for a truncated one.
    """
    size = path.stat().st_size
    with _reading(path) as file:
        start = file.read(_WAV_START)
        if start[:4] != b"RIFF" or start[8:] != b"WAVE":
            return {}
        length = _sound_bytes(path, file)
        first = file.tell()
    there, is_whole = max(0, size - first), struct.unpack("<I", start[4:8])[0] + 8 == size
    if _is_placeholder(length, there, is_whole):
        _say_once(f"{path}: its header does not tell its length; read to the end of the file")
        return {} if length else {4: min(size - 8, LARGEST_SIZE), first - 4: min(there, LARGEST_SIZE)}
    if length > there:
        share = there / length
        raise UserError(f"{path}: truncated: {share:.0%} of the promised sound is there; export it again")
    return {}


def _sound_bytes(path: Path, file: BinaryIO) -> int:
    """How long a WAV says that its sound is, the file left where that begins."""
    while len(header := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", header)
        if name == b"data":
            return int(length)
        file.seek(length + length % 2, 1)
    raise UserError(f"{path}: truncated before any sound; export it again")


def _is_placeholder(length: int, there: int, is_whole: bool) -> bool:
    """Whether the size of a WAV's sound was written before that was known; is_whole: that of the file is true."""
    if not length:
        return there > 0 and not is_whole
    return length >= UNKNOWN_BYTES or (length >= PLACEHOLDER_BYTES and length > PLACEHOLDER_EXCESS * there)


@cache
def _say_once(line: str) -> None:
    print(line, file=sys.stderr)


class _Resized(io.FileIO):
    """A file with other sizes, 32 bits little-endian, at these places."""

    def __init__(self, path: Path, sizes: Mapping[int, int]) -> None:
        super().__init__(path)
        self._sizes = {place: struct.pack("<I", size) for place, size in sizes.items()}

    def readinto(self, buffer: Any) -> int:
        """As FileIO's."""
        first = self.tell()
        count = super().readinto(buffer) or 0
        for place, content in self._sizes.items():
            for index, byte in enumerate(content, place - first):
                if 0 <= index < count:
                    memoryview(buffer)[index : index + 1] = bytes([byte])
        return count


def write_wav(path: Path, audio: np.ndarray) -> None:
    """(samples,) int16 → 16 kHz mono 16-bit wav, whole or not at all."""
    import soundfile

    with written_whole(path) as partial:
        soundfile.write(partial, audio, SAMPLE_RATE, subtype="PCM_16", format="WAV")


def fitting_scale(audio: np.ndarray, resampled: np.ndarray) -> np.float32:
    """What brings sound that goes past full scale to 1 at most; 1 where only resampling overshoots, as it may by a bit.

    audio, resampled: (samples,) each.
    """
    if np.abs(audio).max(initial=0) <= 1:
        return np.float32(1)
    return np.float32(1 / np.abs(resampled).max(initial=1))


def read_int16(path: Path) -> np.ndarray:
    """(samples,) int16, 16 kHz mono of a sound file, whose overshoots of up to a decibel are cut.

    Raises UserError as read_audio does, and for sound that goes further past full scale.
    """
    audio = read_audio(path)
    over_db = 20 * math.log10(max(1.0, float(np.abs(audio).max(initial=0))))
    if over_db > MOST_OVER_DB:
        raise UserError(f"{path}: goes {over_db:.1f} dB past full scale; data_process.prepare scales it to fit")
    return to_int16(audio)


def to_int16(audio: np.ndarray) -> np.ndarray:
    """(samples,) float32 in [-1, 1] → int16; what came from 16-bit sound comes back bit for bit."""
    return np.clip(np.round(audio * INT16_SCALE), -32768, 32767).astype(np.int16)


def to_float(audio: np.ndarray) -> np.ndarray:
    """(samples,) int16 → float32 in [-1, 1)."""
    return audio.astype(np.float32) / np.float32(INT16_SCALE)
