"""Sound tracks of movies and m4a files, against the sound they were made of; one channel of several."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.errors import UserError
from dataset.audio import audio_blocks, pick_channel, read_audio, read_unresampled, resample_audio, sample_count
from tests import helpers
from tests.helpers import write_movie

refused = partial(helpers.refused_file, read_audio)

RATE = 48_000
SECONDS = 3.0


def tone(onset_s: float = 1.0) -> np.ndarray:
    """(samples,) silence, then a tone."""
    time_s = np.arange(round(SECONDS * RATE)) / RATE
    return 0.5 * np.sin(2 * np.pi * 440 * time_s) * (time_s >= onset_s)


def onset_s(sound: np.ndarray) -> float:
    return float(np.argmax(np.abs(sound) > 0.1)) / 16_000


@pytest.mark.parametrize(
    ("name", "codec", "picture"),
    [("a.mov", "pcm_s16le", True), ("a.mp4", "aac", True), ("a.MOV", "aac", True), ("a.m4a", "aac", False),
     ("b.m4a", "alac", False), ("a.mkv", "flac", True)],
)  # fmt: skip
def test_a_track_is_the_sound_that_went_in_and_in_time(tmp_path: Path, name: str, codec: str, picture: bool) -> None:
    path = write_movie(tmp_path / name, tone()[:, None], codec, picture)
    read = read_audio(path)
    assert read.dtype == np.float32
    assert len(read) == sample_count(path) == pytest.approx(48_000, abs=480)  # AAC fills up its last frame
    assert onset_s(read) == pytest.approx(1.0, abs=0.003)
    expected = resample_audio(tone().astype(np.float32), RATE)
    middle = slice(20_000, 44_000)
    assert np.corrcoef(read[middle], expected[middle])[0, 1] > 0.999


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_sound_that_starts_after_the_picture_is_kept_in_time(tmp_path: Path, codec: str) -> None:
    read = read_audio(write_movie(tmp_path / "a.mov", tone(0.25)[:, None], codec, starts_s=0.5))
    assert onset_s(read) == pytest.approx(0.75, abs=0.003)
    assert len(read) / 16_000 == pytest.approx(SECONDS + 0.5, abs=0.01)


def test_blocks_make_up_the_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_movie(tmp_path / "a.mov", np.random.default_rng(0).normal(0, 0.1, (round(SECONDS * RATE), 1)))
    whole = read_audio(path)
    monkeypatch.setattr("dataset.audio.BLOCK_SECONDS", 1)
    blocks = list(audio_blocks(path))
    assert len(blocks) >= 3
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


def stereo() -> np.ndarray:
    """The second channel is the voice; the first has a large offset and little sound."""
    quiet = np.random.default_rng(0).normal(0, 0.01, round(SECONDS * RATE)) + 0.7
    return np.stack([quiet, tone()], axis=1)


@pytest.mark.parametrize(
    "make", [lambda path, sound: soundfile.write(path.with_suffix(".wav"), sound, RATE), write_movie]
)
def test_one_channel_of_several(tmp_path: Path, make: Callable[..., object]) -> None:
    make(tmp_path / "a.mov", stereo())
    (path,) = tmp_path.iterdir()
    assert pick_channel(path, "loudest") == (2, 2)
    assert pick_channel(path, 1) == (1, 2) and pick_channel(path, "mean") == ("mean", 2)
    loudest, first, mean = (read_audio(path, channel) for channel in ("loudest", 1, "mean"))
    assert onset_s(loudest) == pytest.approx(1.0, abs=0.002)
    assert first.mean() == pytest.approx(0.7, abs=0.01)
    np.testing.assert_allclose(mean, (loudest + first) / 2, atol=1e-5)
    native, rate = read_unresampled(path, "loudest")
    assert rate == RATE
    np.testing.assert_allclose(native, tone(), atol=1e-4)
    np.testing.assert_allclose(resample_audio(native, rate), loudest, atol=1e-6)
    with pytest.raises(UserError, match=r"has 2 channel\(s\), and no channel 3; they count from 1"):
        read_audio(path, 3)


def test_one_channel_is_the_loudest_and_the_mean(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert pick_channel(tmp_path / "a.wav", "loudest") == pick_channel(tmp_path / "a.wav", "mean") == (1, 1)


def test_a_movie_without_sound(tmp_path: Path) -> None:
    assert refused(write_movie(tmp_path / "a.mov", None)) == "has no sound track"
    assert refused(write_movie(tmp_path / "b.mov", np.zeros((0, 1)))).startswith(
        ("its sound track ", "has no sound track")
    )


@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.m4a", "a.mkv"])
@pytest.mark.parametrize("content", [b"hello, this is no movie", bytes(9999), b"RIFF" + bytes(40)])
def test_files_that_are_no_movie(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).startswith("its sound track cannot be read: ")


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "pcm_s16le"), ("a.mp4", "aac")])
@pytest.mark.parametrize("kept", [0.01, 0.3, 0.8])
def test_a_truncated_movie(tmp_path: Path, name: str, codec: str, kept: float) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, (round(SECONDS * RATE), 1))
    path = write_movie(tmp_path / name, sound, codec)
    path.write_bytes(path.read_bytes()[: round(kept * path.stat().st_size)])
    assert "export it again" in refused(path)


def test_missing_and_empty(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.mov") == "no such file"
    (tmp_path / "a.mov").touch()
    assert refused(tmp_path / "a.mov").startswith("empty file")


def test_a_long_gap_is_silence_and_a_longer_one_is_damage(tmp_path: Path) -> None:
    sound = tone(0.25)[:, None]
    path = write_movie(tmp_path / "a.mkv", sound, starts_s=100.0)
    blocks = list(audio_blocks(path))
    assert len(blocks) > 3 and max(map(len, blocks)) < 32 * 16_000
    assert onset_s(np.concatenate(blocks)) == pytest.approx(100.25, abs=0.01)
    far = write_movie(tmp_path / "b.mkv", sound, starts_s=4000.0)
    assert helpers.refused_file(read_audio, far) == "its sound track has a gap of 4000 s; export it again"
