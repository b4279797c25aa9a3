"""A corpus folder's clips are found by name, wherever a stage asks for them."""

import json
from pathlib import Path

import pytest

from config.errors import UserError
from dataset.corpus import ClipFiles, Corpus, Prepared, uncaptured_beside


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_clips_are_what_wav_or_bs_has_with_whatever_else_is_theirs(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for clip in ("b", "a.1"):
        touch(corpus.place("wav", clip), corpus.place("text", clip))
    touch(corpus.place("bs", "c"), corpus.place("neutral", "c"), corpus.place("tsv", "b"), corpus.place("tsv", "lone"))
    touch(corpus.place("phones", "c"))
    touch(tmp_path / "wav" / "notes.md", tmp_path / "wav" / "deeper" / "d.wav", tmp_path / "wav" / "e.FLAC")
    first, second, third, fourth = corpus.clips()
    assert first == ClipFiles("a.1", wav=tmp_path / "wav" / "a.1.wav", text=tmp_path / "text" / "a.1.txt")
    assert (second.id, second.tsv, second.side) == ("b", tmp_path / "tsv" / "b.tsv", "")
    assert third.present == tuple(corpus.place(kind, "c") for kind in ("bs", "phones", "neutral"))
    assert third.phones == tmp_path / "phones" / "c.tsv"
    assert fourth.present == (tmp_path / "wav" / "e.FLAC",)


def test_folders_below_wav_say_which_side_a_clip_is_on(tmp_path: Path) -> None:
    touch(tmp_path / "wav" / "train" / "a.wav", tmp_path / "wav" / "val" / "b.wav", tmp_path / "wav" / "beside.wav")
    touch(tmp_path / "bs" / "c.csv")
    assert [(clip.id, clip.side) for clip in Corpus(tmp_path).clips()] == [("a", "train"), ("b", "val"), ("c", "")]
    touch(tmp_path / "wav" / "val" / "a.flac")
    with pytest.raises(UserError, match="has the same stem as"):
        Corpus(tmp_path).clips()


def test_what_a_stage_needs_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"wav: no such folder; a corpus has wav/, bs/ and, with transcripts, tsv/"):
        Corpus(tmp_path).needed("wav")
    (tmp_path / "bs").mkdir()
    with pytest.raises(UserError, match=r"bs: no \.csv file in this folder"):
        Corpus(tmp_path).needed("bs")
    with pytest.raises(UserError, match=r"text: no such folder; a corpus has .*; data_process\.prepare writes it"):
        Corpus(tmp_path).needed("text")


def test_what_prepare_wrote_is_read_back(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    assert corpus.read_prepared() == Prepared()
    prepared = Prepared(25.0, {"a": {"wav": {"peak": 0.5}}})
    corpus.write_prepared(prepared)
    assert corpus.read_prepared() == prepared
    assert json.loads(corpus.prepared.read_text()) == {"fps": 25.0, "clips": {"a": {"wav": {"peak": 0.5}}}}


def test_the_manifest_says_what_a_capture_does_not_read(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    touch(*(corpus.place("bs", clip) for clip in "abc"))
    rows = {"a": {"speaker": "me", "uncaptured": "tongueOut mouth_close"}, "b": {"speaker": "me"}}
    corpus.write_manifest(rows)
    assert [clip.uncaptured for clip in corpus.clips()] == [("MouthClose", "TongueOut"), (), ()]
    assert uncaptured_beside(corpus.place("bs", "a")) == ("MouthClose", "TongueOut")
    assert uncaptured_beside(corpus.place("bs", "b")) == uncaptured_beside(tmp_path / "other" / "a.csv") == ()
    for names, line in (("Tongue", 'a: uncaptured: "Tongue" is no ARKit blendshape'), ("jawOpen", "no speech is seen")):
        corpus.write_manifest({"a": {**rows["a"], "uncaptured": names}})
        with pytest.raises(UserError, match=line):
            corpus.clips()
