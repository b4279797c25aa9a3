"""Packing a corpus: what is kept comes through unharmed, what is dropped has its reason, and no kill hurts."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_process import facegood, pack
from dataset.audio import read_audio, to_int16
from dataset.blendshapes import ARKIT, read_csv
from dataset.corpus import Corpus as CorpusFolder
from dataset.transcript import Word, write_tsv
from tests.helpers import (
    FACEGOOD,
    KILLED_STATUS,
    ROOT,
    Corpus,
    clip_records,
    lmdb_records,
    needs_shared,
    refused,
    run_command,
)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    for folder in ("wav", "bs", "tsv"):
        (tmp_path / "corpus" / folder).mkdir(parents=True)
    return Corpus(tmp_path / "corpus", tmp_path / "out")


def pack_all(corpus: Corpus, *overrides: str) -> str:
    """Every clip to train on."""
    return corpus.pack("data.split.by=none", *overrides)


def test_a_clip_comes_through_unharmed(corpus: Corpus) -> None:
    curves = corpus.noise("a")
    corpus.transcribe("a")
    write_tsv(CorpusFolder(corpus.folder).place("phones", "a"), [Word("n", 0, 0.1), Word("iː", 0.1, 0.2)])
    out = pack_all(corpus)
    assert out == f"packed 1 clips, 30 frames (0.0 min), 0 dropped\n{corpus.lmdb}\n"
    clip = corpus.store["a"]
    assert np.array_equal(clip.audio, to_int16(read_audio(corpus.folder / "wav" / "a.wav")))
    assert np.array_equal(clip.curves, curves.astype(np.float32))
    assert clip.words == (Word("你", 0, 0.2), Word("好", 0.2, 0.4), Word("吗", 0.5, 0.9))
    assert clip.phones == (Word("n", 0, 0.1), Word("iː", 0.1, 0.2)) and corpus.store.clips[0].phones == 2
    assert (clip.domain, clip.fps, clip.source) == ("default", 30, "wav/a.wav")
    assert corpus.log == []


def test_several_corpora_become_one_database(corpus: Corpus, tmp_path: Path) -> None:
    other = Corpus(tmp_path / "other", tmp_path / "out")
    curves = {"b": corpus.noise("b"), "a": other.noise("a"), "c": other.noise("c", 2.0)}
    out = pack_all(corpus, f"data.corpus=[{corpus.folder}, {other.folder}]")
    assert out.startswith("packed 3 clips, 120 frames")
    assert corpus.ids == ["a", "b", "c"]
    for name, values in curves.items():
        assert np.array_equal(corpus.store[name].curves, values.astype(np.float32))
        assert corpus.store[name].source == f"wav/{name}.wav"


def test_two_clips_of_one_name_in_two_corpora_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    other = Corpus(tmp_path / "other", tmp_path / "out")
    for place in (corpus, other):
        place.noise("a")
    line = refused(pack_all, corpus, f"data.corpus=[{corpus.folder}, {other.folder}]")
    ours, theirs = (place.folder / "wav" / "a.wav" for place in (corpus, other))
    assert line == f"{theirs}: the clip a is {ours} too; rename one of them"
    assert not corpus.lmdb.exists()


def test_a_corpus_of_several_that_holds_nothing_is_named(corpus: Corpus, tmp_path: Path) -> None:
    corpus.noise("a")
    line = refused(pack_all, corpus, f"data.corpus=[{corpus.folder}, {tmp_path / 'nowhere'}]")
    assert line.startswith(f"{tmp_path / 'nowhere' / 'bs'}: no such folder")


def break_csv(corpus: Corpus, name: str) -> None:
    path = corpus.folder / "bs" / f"{name}.csv"
    path.write_text(path.read_text().replace("TongueOut", "Tongue"))


DROPS: dict[str, tuple[Callable[[Corpus], object], str]] = {
    "gap": (
        lambda corpus: corpus.curves("bad", np.zeros((37, 52))),
        "audio lasts 1.00 s and curves 1.23 s (37 frames at 30 fps); data.max_gap_s allows 0.2 s",
    ),
    "no csv": (lambda corpus: (corpus.folder / "bs" / "bad.csv").unlink(), "no csv of this name in bs/"),
    "no tsv": (
        lambda corpus: (corpus.folder / "tsv" / "bad.tsv").unlink(),
        "no tsv of this name in tsv/, and data.require_transcripts is true",
    ),
    "no words": (
        lambda corpus: corpus.transcribe("bad", "# nothing was aligned\n"),
        "its tsv holds no words, and data.require_transcripts is true",
    ),
    "overlapping words": (
        lambda corpus: corpus.transcribe("bad", "0\t1\ta\n0.5\t1\tb\n"),
        'line 2: "b" starts at 0.5 s',
    ),
    "another's words": (
        lambda corpus: corpus.transcribe("bad", "5\t6\ta\n"),
        '"a" starts at 5 s, but the sound ends at',
    ),
    "bad csv": (lambda corpus: break_csv(corpus, "bad"), 'bad.csv, line 1: "Tongue" is no ARKit blendshape'),
    "bad sound": (
        lambda corpus: (corpus.folder / "wav" / "bad.wav").write_bytes(b"RIFF"),
        "bad.wav: cannot be read as",
    ),
    "short": (lambda corpus: corpus.noise("bad", 0.01), "audio lasts 0.010 s, less than a frame"),
}


@pytest.mark.parametrize("reason", DROPS)
def test_what_is_unusable_is_dropped_with_its_reason(corpus: Corpus, reason: str) -> None:
    for name in ("a", "bad", "c"):
        corpus.noise(name)
        corpus.transcribe(name)
    spoil, line = DROPS[reason]
    spoil(corpus)
    if reason == "short":
        corpus.curves("bad", np.zeros((1, 52)))
        corpus.transcribe("bad", "0\t0.01\ta\n")
    out = pack_all(corpus, "data.require_transcripts=true")
    assert corpus.ids == ["a", "c"]
    assert len(corpus.log) == 1
    assert corpus.log[0].startswith("bad: ")
    assert line in corpus.log[0]
    assert f"1 dropped: see {corpus.lmdb.with_name('pack.log')}" in out


def test_excluded_names_and_clips_of_no_domain(corpus: Corpus) -> None:
    for name in ("a1", "a2", "b1", "c1"):
        corpus.noise(name)
    domains = "data.domains=[{name: x, clips: [a*], weight: 2}, {name: y, clips: ['*1'], weight: 1}]"
    corpus.noise("d")
    pack_all(corpus, "data.exclude=[b*, c1]", domains)
    assert [(clip.id, clip.domain) for clip in corpus.store.clips] == [("a1", "x"), ("a2", "x")]
    assert corpus.log == [
        "b1: excluded by data.exclude",
        "c1: excluded by data.exclude",
        "d: matches no domain; add its pattern to data.domains",
    ]


@pytest.mark.parametrize("folder", [True, False])
def test_a_clip_without_words_is_kept_where_none_are_required(corpus: Corpus, folder: bool) -> None:
    corpus.noise("a")
    if not folder:
        (corpus.folder / "tsv").rmdir()
    pack_all(corpus)
    assert corpus.store["a"].words == ()


def test_a_gap_within_the_tolerance_is_cut_to_the_shorter(corpus: Corpus) -> None:
    for name, frames in (("long", 33), ("short", 27)):
        corpus.noise(name)
        corpus.curves(name, np.zeros((frames, 52)))
    pack_all(corpus)
    sizes = {clip.id: (clip.frames, clip.samples) for clip in corpus.store.clips}
    assert sizes == {"long": (30, 16_000), "short": (27, 14_400)}


def test_curves_of_another_rate_and_stereo_sound_are_resampled(corpus: Corpus) -> None:
    times = np.arange(44_100) / 44_100
    sound = 0.5 * np.sin(2 * np.pi * 300 * times)
    corpus.sound("a", np.stack([sound, sound / 2], axis=1), 44_100)
    ramp = np.tile(np.arange(30)[:, None] / 30, (1, 52))  # a value is its own time
    corpus.curves("a", ramp)
    pack_all(corpus, "data.fps=25", "data.source_fps=30")
    clip = corpus.store["a"]
    assert (clip.fps, clip.curves.shape, clip.audio.shape) == (25, (25, 52), (16_000,))
    expected = 0.375 * np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000)
    assert np.abs(clip.audio / 32768 - expected)[500:-500].max() < 1e-3
    assert np.abs(clip.curves[5:-5, 0] - np.arange(25)[5:-5] / 25).max() < 1e-3


def test_train_and_val_folders_are_noted_and_no_other_split_is_made(corpus: Corpus) -> None:
    for number in range(6):
        corpus.noise(f"c{number}")
        wav = corpus.folder / "wav" / f"c{number}.wav"
        folder = wav.parent / ("val" if number < 2 else "train")
        folder.mkdir(exist_ok=True)
        wav.rename(folder / wav.name)
    assert "packed 6 clips, 180 frames" in corpus.pack("data.split={by: list, val: [nobody]}")
    assert [clip.folder for clip in corpus.store.clips] == ["val"] * 2 + ["train"] * 4
    assert corpus.store["c0"].source == "wav/val/c0.wav"
    assert {file.name for file in corpus.lmdb.parent.iterdir()} == {corpus.lmdb.name, "pack.log"}


def test_packing_twice_gives_the_same_records(corpus: Corpus) -> None:
    for name in ("b", "a", "c"):
        corpus.noise(name, rate=22_050)
        corpus.transcribe(name)
    pack_all(corpus)
    records = lmdb_records(corpus.lmdb)
    pack_all(corpus)
    assert lmdb_records(corpus.lmdb) == records
    assert corpus.ids == ["a", "b", "c"]


KILLED = """
import os, sys
from data_process import pack
read, packed = pack.read_clip, []
def read_clip(recording, data):
    if packed:
        os._exit(9)
    packed.append(recording)
    return read(recording, data)
pack.read_clip = read_clip
pack.main()
"""


def test_a_killed_pack_leaves_the_old_database(corpus: Corpus) -> None:
    corpus.noise("a")
    pack_all(corpus)
    before = {path.name: path.read_bytes() for path in corpus.lmdb.parent.iterdir()}
    corpus.noise("b")
    words = [sys.executable, "-c", KILLED, *map(str, corpus.words("data.split.by=none"))]
    killed = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == KILLED_STATUS
    assert before.items() <= {path.name: path.read_bytes() for path in corpus.lmdb.parent.iterdir()}.items()
    assert corpus.ids == ["a"]
    pack_all(corpus)
    assert corpus.ids == ["a", "b"]
    assert len(list(corpus.lmdb.parent.iterdir())) == len(before)


def test_a_pack_that_fails_leaves_the_old_database(corpus: Corpus, refusal: Callable[..., str]) -> None:
    corpus.noise("a")
    pack_all(corpus)
    message = refusal(pack, *corpus.words("data.exclude=['*']"))
    assert message.endswith("no usable clip; the first was dropped because a: excluded by data.exclude")
    assert corpus.ids == ["a"]


MISTAKES: list[tuple[Callable[[Corpus], object], str]] = [
    (lambda corpus: (corpus.folder / "bs" / "a.csv").unlink(), "no .csv file in this folder"),
    (lambda corpus: (corpus.folder / "wav" / "a.wav").unlink(), "file in this folder"),
    (lambda corpus: (corpus.folder / "bs").rename(corpus.folder / "csv"), "bs: no such folder; a corpus has wav/"),
    (
        lambda corpus: (corpus.folder / "wav").rename(corpus.folder / "sound"),
        "wav: no such folder; a corpus has wav/",
    ),
    (lambda corpus: soundfile.write(corpus.folder / "wav" / "a.flac", np.zeros(9), 16_000), "has the same stem as"),
    (
        lambda corpus: corpus.folder.rename(corpus.folder.with_name("elsewhere")),
        "bs: no such folder; a corpus has wav/",
    ),
    (lambda corpus: corpus.lmdb.parent.write_text("in the way"), "cannot be written: "),
]


@pytest.mark.parametrize(("mistake", "line"), MISTAKES)
def test_a_mistake_is_one_line(
    corpus: Corpus, refusal: Callable[..., str], mistake: Callable[[Corpus], object], line: str
) -> None:
    corpus.noise("a")
    mistake(corpus)
    assert line in refusal(pack, *corpus.words())


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["data.exclude=[bad_2]"], "data.exclude names bad_2, but there is no such clip; did you mean bad_1?"),
        (["data.exclude=['x*']"], "data.exclude names x*, but there is no such clip; take it out or mend it"),
    ],
)
def test_a_clip_that_the_config_names_in_vain(
    corpus: Corpus, refusal: Callable[..., str], overrides: list[str], line: str
) -> None:
    corpus.noise("a")
    corpus.noise("bad_1")
    assert refusal(pack, *corpus.words(*overrides)).endswith(line)


def test_it_runs_as_a_file_from_anywhere(tmp_path: Path) -> None:
    done = run_command(tmp_path, ROOT / "data_process" / "pack.py", "--help")
    assert "python -m data_process.pack --config config/facegood.yml" in done.stdout


@needs_shared(FACEGOOD)
def test_a_real_clip(corpus: Corpus) -> None:
    rig_names = facegood.read_rig_names(FACEGOOD / facegood.RIG_NAMES)
    mapping = facegood.read_mapping(FACEGOOD / facegood.MAPPING, rig_names)
    rig = facegood.read_rig_curves(FACEGOOD / facegood.CURVES / "bs_value_1114_3_15.npy", len(rig_names))
    corpus.curves("1114_3_15", facegood.to_arkit_curves(rig, mapping).clip(0, 1))
    wav = FACEGOOD / facegood.SOUND / "1114_3_15.wav"
    shutil.copy(wav, corpus.folder / "wav" / "1114_3_15.wav")
    out = pack_all(corpus)
    assert "packed 1 clips, 1,472 frames (0.8 min), 0 dropped" in out
    clip = corpus.store["1114_3_15"]
    sound, _ = soundfile.read(wav, dtype="int16")
    assert np.array_equal(clip.audio, sound[: len(clip.audio)])
    assert len(clip.audio) == round(1472 * 16_000 / 30)
    curves = read_csv(corpus.folder / "bs" / "1114_3_15.csv").select(ARKIT)
    assert np.array_equal(clip.curves, curves.astype(np.float32))
    assert clip.curves[:, ARKIT.index("JawOpen")].max() > 0.3


def test_the_database_is_never_one_of_the_clips(corpus: Corpus) -> None:
    corpus.noise("a")
    line = refused(pack_all, corpus, f"data.lmdb={corpus.folder}/wav/a.wav")
    assert line == f"{corpus.folder}/wav/a.wav: is a source too; write to another place with data.lmdb"


def test_channels_that_the_manifest_marks_are_packed_as_not_captured(corpus: Corpus) -> None:
    for name in "ab":
        corpus.noise(name)
    pack_all(corpus)
    before = clip_records(corpus.lmdb)
    CorpusFolder(corpus.folder).write_manifest({"a": {"speaker": "me", "uncaptured": "mouthClose TongueOut"}})
    pack_all(corpus)
    assert set(ARKIT) - set(corpus.store["a"].channels) == {"MouthClose", "TongueOut"}
    after = clip_records(corpus.lmdb)
    assert [key for key in before if after[key] != before[key]] == [b"clip/a"]
