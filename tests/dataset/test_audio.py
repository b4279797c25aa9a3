"""Any sound in, 16 kHz mono out: against the sound that was written, a resampler of another make, and broken files."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

import dataset.audio
from dataset.audio import audio_blocks, read_audio, read_int16, sample_count, to_float, to_int16
from tests import helpers

refused = partial(helpers.refused_file, read_audio)

SECONDS = 2.0


def tone(rate: int, hz: float = 440.0, amplitude: float = 0.5, seconds: float = SECONDS) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def level(sound: np.ndarray, hz: float, rate: int = 16_000) -> float:
    """Amplitude at a frequency, away from the ends."""
    middle = sound[1600:-1600].astype(np.float64)
    window = np.hanning(len(middle))
    wave = np.exp(-2j * np.pi * hz * np.arange(len(middle)) / rate)
    return float(2 * abs((middle * window) @ wave) / window.sum())


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(sound: np.ndarray, rate: int = 16_000, name: str = "a.wav", **options: str) -> Path:
        soundfile.write(tmp_path / name, sound, rate, **options)
        return tmp_path / name

    return written


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 0), ("DOUBLE", 2**-24)],
)
def test_every_width(write: Callable[..., Path], subtype: str, step: float) -> None:
    sound = tone(16_000).astype(np.float32)
    read = read_audio(write(sound, subtype=subtype))
    assert (read.dtype, read.shape) == (np.float32, sound.shape)
    assert np.abs(read - sound).max() <= step


def test_sixteen_bit_sound_comes_back_bit_for_bit(write: Callable[..., Path]) -> None:
    sound = np.concatenate([[-32768, 32767, 0, 1, -1], np.arange(-32768, 32768)]).astype(np.int16)
    for name in ("a.wav", "a.flac"):
        assert np.array_equal(to_int16(read_audio(write(sound, name=name))), sound)
    assert np.array_equal(to_int16(to_float(sound)), sound)
    assert to_int16(np.array([1.7, -1.7, 1.0], np.float32)).tolist() == [32767, -32768, 32767]


def test_channels_are_averaged(write: Callable[..., Path]) -> None:
    channels = np.random.default_rng(0).uniform(-1, 1, (4000, 6)).astype(np.float32)
    np.testing.assert_allclose(read_audio(write(channels, subtype="FLOAT")), channels.mean(1), atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_tone_keeps_its_frequency_amplitude_and_time(write: Callable[..., Path], rate: int, name: str) -> None:
    read = read_audio(write(tone(rate), rate, name))
    assert len(read) == 32_000
    assert level(read, 440) == pytest.approx(0.5, rel=1e-3)
    inside = slice(1600, -1600)
    assert np.abs(read - tone(16_000))[inside].max() < 2e-3  # not a sample late


def test_sound_over_full_scale_is_not_cut_in_silence(write: Callable[..., Path]) -> None:
    over = write(tone(16_000, amplitude=2.0), subtype="FLOAT")
    assert (
        helpers.refused_file(read_int16, over) == "goes 6.0 dB past full scale; data_process.prepare scales it to fit"
    )
    slightly = read_int16(write(tone(16_000, amplitude=1.1), subtype="FLOAT"))
    assert (slightly.max(), slightly.min()) == (32767, -32768)


def test_what_16_khz_cannot_hold_is_gone(write: Callable[..., Path]) -> None:
    read = read_audio(write(tone(48_000, 11_000) + tone(48_000, 1_000, 0.25), 48_000))
    assert level(read, 5_000) < 1e-4  # where 11 kHz would fold to
    assert level(read, 1_000) == pytest.approx(0.25, rel=1e-3)


def test_noise_agrees_with_another_resampler_in_the_speech_band(write: Callable[..., Path]) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 44_100)
    ours, theirs = read_audio(write(noise, 44_100, subtype="FLOAT")), resample_poly(noise, 160, 441)
    ours_spectrum, theirs_spectrum = (np.fft.rfft(sound[1000:15_000])[:5000] for sound in (ours, theirs))
    assert np.abs(ours_spectrum - theirs_spectrum).max() < 0.02 * np.abs(theirs_spectrum).max()


@pytest.mark.parametrize(
    ("samples", "rate"), [(1, 8_000), (1, 16_000), (5, 44_100), (44_101, 44_100), (96_007, 96_000)]
)
def test_the_length_is_the_nearest_whole_number_of_samples(write: Callable[..., Path], samples: int, rate: int) -> None:
    path = write(np.zeros(samples, np.int16), rate)
    assert len(read_audio(path)) == sample_count(path) == round(samples * 16_000 / rate)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_blocks_make_up_the_whole(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    path = write(np.random.default_rng(0).normal(0, 0.1, round(5.3 * rate)), rate)
    whole = read_audio(path)
    monkeypatch.setattr(dataset.audio, "BLOCK_SECONDS", 1)
    blocks = list(audio_blocks(path))
    assert len(blocks) > 5
    assert max(map(len, blocks)) < 1.2 * 16_000
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000, 0x7FFFFFFF])
def test_a_wav_from_a_pipe_does_not_know_its_size(write: Callable[..., Path], size: int) -> None:
    path = write(tone(16_000))
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)
    assert len(read_audio(path)) == 32_000


def test_other_chunks_may_stand_before_and_after_the_sound(write: Callable[..., Path]) -> None:
    path = write(tone(16_000))
    content = path.read_bytes()
    chunk = b"junk" + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(content[:36] + chunk + content[36:] + chunk)
    assert len(read_audio(path)) == 32_000


@pytest.mark.parametrize(
    ("kept", "line"), [(0.5, "truncated: 50% of the promised"), (0.999, "truncated: 100% of the promised")]
)
def test_a_truncated_wav(write: Callable[..., Path], kept: float, line: str) -> None:
    path = write(tone(16_000))
    content = path.read_bytes()
    path.write_bytes(content[: round(kept * len(content))])
    assert refused(path).startswith(line)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "empty file"),
        (b"hello, this is not sound at all", "cannot be read as sound: "),
        (b"RIFF", "cannot be read as sound: "),
        (b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00", "truncated before any sound"),
        (b"fLaC" + bytes(40), "cannot be read as sound: "),
    ],
)
def test_files_that_are_no_sound(tmp_path: Path, content: bytes, line: str) -> None:
    for name in ("a.wav", "a.flac"):
        (tmp_path / name).write_bytes(content)
        assert refused(tmp_path / name).startswith(line)


def test_sound_that_cannot_be_used(write: Callable[..., Path], tmp_path: Path) -> None:
    assert refused(tmp_path / "none.wav") == "no such file"
    assert refused(tmp_path) == "no such file"
    assert refused(write(np.zeros(0))) == "holds no samples; export it again"
    assert refused(write(np.zeros(2), 96_000)) == "holds no samples; export it again"
    for value in (np.nan, np.inf):
        sound = np.array([0, value, 0.5], np.float32)
        assert refused(write(sound, subtype="FLOAT")).startswith("holds NaN or infinite samples")
    assert refused(write(np.zeros(9), name="a.raw", subtype="PCM_16")).startswith("cannot be read as sound: ")


def test_a_truncated_flac(write: Callable[..., Path]) -> None:
    path = write(np.random.default_rng(0).normal(0, 0.1, 48_000), name="a.flac")
    path.write_bytes(path.read_bytes()[:30_000])
    assert refused(path).startswith(("truncated after", "cannot be read as sound: "))


def resized(path: Path, of_file: int, of_sound: int) -> Path:
    """A WAV with other sizes in its header."""
    content = path.read_bytes()
    header = content[:4] + struct.pack("<I", of_file) + content[8:40] + struct.pack("<I", of_sound)
    path.write_bytes(header + content[44:])
    return path


@pytest.mark.parametrize(("of_file", "of_sound"), [(0, 0), (36, 0), (2**32 - 1, 2**32 - 1), (2**31, 2_000_000_000)])
def test_a_size_that_its_writer_did_not_know_means_to_the_end(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], of_file: int, of_sound: int
) -> None:
    sound = read_audio(write(tone(16_000)))
    path = resized(write(tone(16_000), name=f"{of_file}_{of_sound}.wav"), of_file, of_sound)
    assert np.array_equal(read_audio(path), sound) and sample_count(path) == len(sound)
    said = capsys.readouterr().err
    assert said == f"{path}: its header does not tell its length; read to the end of the file\n"


def test_an_empty_sound_is_no_sound_of_unknown_size(write: Callable[..., Path]) -> None:
    path = write(np.zeros(0))
    path.write_bytes(path.read_bytes()[:44] + b"LIST\x04\0\0\0abcd")
    assert refused(resized(path, 48, 0)) == "holds no samples; export it again"


@helpers.needs_case("15-wav-placeholder-size")
def test_a_size_of_zero_in_the_wild() -> None:
    assert len(read_audio(helpers.CASES / "15-wav-placeholder-size" / "zero.wav")) == 16_000


def test_a_file_is_read_by_what_it_holds(write: Callable[..., Path], tmp_path: Path) -> None:
    sound = read_audio(write(tone(16_000)))
    for name in ("wav.mp3", "wav.m4a", "wav.webm"):
        assert np.array_equal(read_audio(write(tone(16_000), name="a.wav").rename(tmp_path / name)), sound)
    for suffix in (".mp3", ".ogg", ".flac"):
        coded = write(tone(16_000), name=f"a{suffix}")
        expected = read_audio(coded)
        assert np.array_equal(read_audio(coded.rename(tmp_path / f"{suffix[1:]}.wav")), expected)
    for suffix, codec in ((".m4a", "aac"), (".webm", "libopus"), (".mov", "pcm_s16le"), (".avi", "pcm_s16le")):
        track = tone(48_000)[:, None].astype(np.float32)
        movie = helpers.write_movie(tmp_path / f"a{suffix}", track, codec=codec, picture=False)
        assert level(read_audio(movie.rename(tmp_path / f"{suffix[1:]}.mp3")), 440) == pytest.approx(0.5, abs=0.01)


@helpers.needs_case("16-sound-named-wrongly")
@pytest.mark.parametrize("name", ["voice.mp3", "voice.wav"])
def test_a_sound_named_wrongly_in_the_wild(name: str) -> None:
    path = helpers.CASES / "16-sound-named-wrongly" / name
    assert sample_count(path) == len(read_audio(path)) == pytest.approx(16_000, rel=0.1)


def test_a_header_beyond_what_sound_can_be(write: Callable[..., Path]) -> None:
    assert refused(write(np.zeros(40_000), 1)) == "1 samples a second, not 1000 to 768000; export it again at 16000"
    assert refused(write(np.zeros(9), 800_000)).startswith("800000 samples a second")
    assert refused(write(np.zeros((9, 129)))) == "129 channels, more than 128; export it with one"
    path = write(np.zeros(16_000), name="a.flac")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # the highest bits of how many samples there are
    path.write_bytes(content)
    assert "hours of sound, more than 24; split it" in refused(path)
