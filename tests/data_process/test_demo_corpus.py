"""The demo corpus as shipped, and that its script makes it again."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.errors import UserError
from data_process import demo_corpus
from data_process.demo_corpus import (
    HELLO,
    DemoClip,
    Event,
    Sentence,
    Span,
    Speaker,
    Spoken,
    lines,
    load_library,
    make_clips,
    spans,
    words,
    write_audio,
    write_words,
)
from dataset.blendshapes import ARKIT, FACE, indices, read_csv, read_curves, write_curves
from dataset.transcript import read_tsv
from tests.helpers import DEMO

IDS = sorted(file.stem for file in (DEMO / "wav").glob("*.flac"))
FPS = 30
MOST_BYTES = 4_000_000


def test_every_line_is_there_whole() -> None:
    assert [line.id for line in lines()] == IDS and len(IDS) >= 26
    for folder, suffix in (("bs", "csv"), ("tsv", "tsv"), ("text", "txt")):
        assert sorted(file.name for file in (DEMO / folder).iterdir()) == [f"{name}.{suffix}" for name in IDS]
    for line in lines():
        assert (DEMO / "text" / f"{line.id}.txt").read_text(encoding="utf-8") == line.text + "\n"


def test_sizes() -> None:
    shipped = [file for file in DEMO.rglob("*") if file.is_file() and ".stages" not in file.parts]
    assert sum(file.stat().st_size for file in shipped) < MOST_BYTES
    seconds = [soundfile.info(DEMO / "wav" / f"{name}.flac").duration for name in IDS]
    assert 105 < sum(seconds) < 150 and min(seconds) >= 3 and max(seconds) <= 6


@pytest.mark.parametrize("name", IDS)
def test_sound_curves_and_words_agree(name: str) -> None:
    info = soundfile.info(DEMO / "wav" / f"{name}.flac")
    assert (info.samplerate, info.channels, info.format, info.subtype) == (16_000, 1, "FLAC", "PCM_16")
    table = read_csv(DEMO / "bs" / f"{name}.csv")
    assert table.header == ARKIT
    assert abs(len(table.values) - info.duration * FPS) <= 1
    assert table.values.min() >= 0 and table.values.max() <= 1
    tokens = read_tsv(DEMO / "tsv" / f"{name}.tsv")
    line = next(line for line in lines() if line.id == name)
    assert [word.text for word in tokens] == line.tokens
    assert tokens[0].start_s >= 0 and tokens[-1].end_s <= info.duration
    assert all(word.start_s < word.end_s for word in tokens)
    assert all(before.end_s <= after.start_s for before, after in pairwise(tokens))


@pytest.mark.parametrize("name", IDS)
def test_the_face_moves_with_the_sound(name: str) -> None:
    audio, _ = soundfile.read(DEMO / "wav" / f"{name}.flac")
    file = DEMO / "bs" / f"{name}.csv"
    level = np.sqrt(np.mean(np.square(audio[: len(audio) // 1600 * 1600].reshape(-1, 1600)), axis=1))  # a tenth second
    jaw = read_curves(file, ("JawOpen",))[:, 0]
    jaw = jaw[: len(jaw) // 3 * 3].reshape(-1, 3).mean(axis=1)
    assert np.corrcoef(level, jaw)[0, 1] > 0.3
    face = read_curves(file, FACE)
    assert face[0].max() < 0.1 and face[-1].max() < 0.01 and jaw.max() > 0.2
    assert read_curves(file, ("JawOpen",)).max() <= 0.62


def test_everything_says_that_it_is_procedural() -> None:
    for file in [*(DEMO / "tsv").iterdir(), DEMO / "hello.tsv"]:
        assert file.read_text(encoding="utf-8").startswith("# procedural, not captured: espeak-ng ")
    for file in [*(DEMO / "wav").iterdir(), DEMO / "hello.flac"]:
        with soundfile.SoundFile(file) as sound:
            assert sound.comment.startswith("procedural, not captured: espeak-ng ")
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# Demo corpus: procedural, not captured") and "GPL" in readme and "rule-based" in readme


def test_hello_is_not_in_the_corpus() -> None:
    assert HELLO.id not in IDS and HELLO.text not in {line.text for line in lines()}
    tokens = read_tsv(DEMO / "hello.tsv")
    assert [word.text for word in tokens] == HELLO.tokens
    assert 6 <= soundfile.info(DEMO / "hello.flac").duration <= 8.5


SPEAKER = Speaker("en-us", 50, 160)


def speech(level_by_ms: list[tuple[int, int]], events: list[tuple[int, str | None]]) -> Spoken:
    """(milliseconds, level) stretches of sound at 1 sample a millisecond, and events by millisecond."""
    samples = np.concatenate([np.full(ms, level, np.int16) for ms, level in level_by_ms])
    return Spoken(samples, 1000, [Event(ms, phone) for ms, phone in events], "0")


def test_a_stop_starts_where_its_silence_does() -> None:
    said = speech(
        [(100, 9000), (40, 0), (160, 9000)],
        [(0, None), (0, "ɑ"), (140, "ph"), (180, "i"), (280, ""), (280, None)],
    )
    assert spans(said) == [Span(0, "ɑ", 0, 100), Span(0, "p", 100, 140), Span(0, "h", 140, 180), Span(0, "i", 180, 280)]


def test_a_voiced_stop_and_a_pause_stay_as_they_are() -> None:
    said = speech(
        [(100, 9000), (60, 500), (140, 9000)], [(0, None), (0, "ɑ"), (100, "b"), (160, "i"), (200, ""), (250, "ʂ")]
    )
    assert [(span.symbol, span.start, span.end) for span in spans(said)] == [
        ("ɑ", 0, 100), ("b", 100, 160), ("i", 160, 200), ("ʂ", 250, 300)
    ]  # fmt: skip


def test_a_long_pause_is_not_all_closure() -> None:
    said = speech(
        [(100, 9000), (400, 0), (100, 9000)], [(0, None), (0, "ɑ"), (100, ""), (500, None), (500, "t"), (520, "ɑ")]
    )
    assert spans(said)[1] == Span(1, "t", 380, 500)


def test_words_that_run_together_are_refused() -> None:
    line = Sentence("x", "in the", "in the", SPEAKER)
    assert [word.text for word in words(line, [Span(0, "ɪ", 0, 5), Span(1, "ð", 5, 9)], 10, 0.0)] == ["in", "the"]
    with pytest.raises(UserError, match="x: 2 tokens, but espeak-ng spoke 1 words"):
        words(line, [Span(0, "ɪ", 0, 5)], 10, 0.0)


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_corpus, "LIBRARIES", ())
    monkeypatch.setattr(demo_corpus.ctypes.util, "find_library", lambda name: None)
    with pytest.raises(UserError, match="apt install espeak-ng, or brew install espeak-ng"):
        load_library()


@pytest.fixture(scope="module")
def remade() -> Iterator[list[DemoClip]]:
    try:
        load_library()
    except UserError as error:
        pytest.skip(str(error))
    chosen = [line for line in lines() if line.id in ("en_001", "zh_001")]
    yield [*make_clips(chosen, FPS), *make_clips(chosen, FPS)]


def test_the_same_bytes_each_time(remade: list[DemoClip], tmp_path: Path) -> None:
    for index, clip in enumerate(remade):
        folder = tmp_path / str(index // 2)
        write_curves(folder / f"{clip.line.id}.csv", clip.curves)
        write_words(folder / f"{clip.line.id}.tsv", clip)
        write_audio(folder / f"{clip.line.id}.flac", clip)
    first = {file.name: file.read_bytes() for file in (tmp_path / "0").iterdir()}
    assert first == {file.name: file.read_bytes() for file in (tmp_path / "1").iterdir()} and len(first) == 6


def test_the_corpus_is_what_the_script_makes(remade: list[DemoClip], tmp_path: Path) -> None:
    for clip in remade[:2]:
        shipped = (DEMO / "tsv" / f"{clip.line.id}.tsv").read_text(encoding="utf-8")
        if f"espeak-ng {clip.version} " not in shipped:
            pytest.skip(f"the corpus is of another version than espeak-ng {clip.version}")
        write_words(tmp_path / "words.tsv", clip)
        assert (tmp_path / "words.tsv").read_text(encoding="utf-8") == shipped
        written = read_curves(DEMO / "bs" / f"{clip.line.id}.csv")
        np.testing.assert_allclose(clip.curves, written, atol=2e-3)  # a rounding may fall otherwise elsewhere


def test_lips_are_closed_where_a_clip_says_m(remade: list[DemoClip]) -> None:
    clip = remade[1]
    assert clip.line.id == "zh_001"
    close, jaw = (clip.curves[:, index] for index in indices(ARKIT, ("MouthClose", "JawOpen")))
    for word in clip.words:
        if word.text in "妹面买":  # m
            frames = slice(int(word.start_s * FPS), int(word.start_s * FPS) + 4)
            assert (close[frames] > 0.99 * jaw[frames]).any(), word
